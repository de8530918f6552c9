import Foundation

/// Where the pixels of a picture come from: x' = a·x + b·y + c, y' = d·x + e·y + f.
public struct AffineMap: Sendable, Equatable {
  public var a, b, c, d, e, f: Double

  public init(_ a: Double, _ b: Double, _ c: Double, _ d: Double, _ e: Double, _ f: Double) {
    (self.a, self.b, self.c, self.d, self.e, self.f) = (a, b, c, d, e, f)
  }

  /// What turns, scales, shears and moves a picture of so many pixels around its middle, read backwards: from a place
  /// in the result to the one in the picture, as torchvision's `affine` has it.
  ///
  /// - Parameters:
  ///   - degrees: turns clockwise, if positive.
  ///   - translate: in pixels, to the right and down.
  ///   - shear: in degrees, along x and y.
  public init(
    width: Int, height: Int, degrees: Double = 0, translate: (x: Double, y: Double) = (0, 0), scale: Double = 1,
    shear: (x: Double, y: Double) = (0, 0)
  ) {
    let (turn, sx, sy) = (degrees * .pi / 180, shear.x * .pi / 180, shear.y * .pi / 180)
    // Turned after sheared, forwards: (p q; r s), of determinant 1.
    let p = cos(turn - sy) / cos(sy)
    let q = -p * tan(sx) - sin(turn)
    let r = sin(turn - sy) / cos(sy)
    let s = -r * tan(sx) + cos(turn)
    let (x, y) = (Double(width) / 2, Double(height) / 2)
    (a, b, d, e) = (s / scale, -q / scale, -r / scale, p / scale)
    c = x - a * (x + translate.x) - b * (y + translate.y)
    f = y - d * (x + translate.x) - e * (y + translate.y)
  }
}

extension Image {
  /// A picture of the same size whose pixel at a place is taken from where `map` leads, between pixels linearly
  /// (`nearest`: from the nearest); from outside, `fill`.
  public func transformed(_ map: AffineMap, _ interpolation: Interpolation = .bilinear, fill: UInt8 = 0) -> Image {
    let result = [UInt8](unsafeUninitializedCapacity: bytes.count) { target, initialized in
      bytes.withUnsafeBufferPointer { source in
        var place = 0
        for row in 0..<height {
          for column in 0..<width {
            let (px, py) = (Double(column) + 0.5, Double(row) + 0.5)
            let (x, y) = (map.a * px + map.b * py + map.c, map.d * px + map.e * py + map.f)
            if x >= 0, y >= 0, x < Double(width), y < Double(height) {
              interpolation == .nearest ? copy(x, y, source, target, place) : blend(x, y, source, target, place)
            } else {
              for channel in 0..<channels { target[place + channel] = fill }
            }
            place += channels
          }
        }
      }
      initialized = bytes.count
    }
    return Image(width, height, channels, result)
  }

  /// The picture turned clockwise around its middle, in a frame of the same size.
  public func rotated(_ degrees: Double, _ interpolation: Interpolation = .bilinear, fill: UInt8 = 0) -> Image {
    transformed(AffineMap(width: width, height: height, degrees: degrees), interpolation, fill: fill)
  }

  private func copy(
    _ x: Double, _ y: Double, _ source: UnsafeBufferPointer<UInt8>, _ target: UnsafeMutableBufferPointer<UInt8>,
    _ place: Int
  ) {
    let start = (Int(y) * width + Int(x)) * channels
    for channel in 0..<channels { target[place + channel] = source[start + channel] }
  }

  private func blend(
    _ x: Double, _ y: Double, _ source: UnsafeBufferPointer<UInt8>, _ target: UnsafeMutableBufferPointer<UInt8>,
    _ place: Int
  ) {
    // A pixel's value is that of its middle. Cut to integers, not rounded: that would be a call into the C library.
    let (left, top) = (Int(x + 0.5) - 1, Int(y + 0.5) - 1)
    let (wx, wy) = (x - 0.5 - Double(left), y - 0.5 - Double(top))
    let (x0, x1) = (max(0, left) * channels, min(width - 1, left + 1) * channels)
    let (y0, y1) = (max(0, top) * width * channels, min(height - 1, top + 1) * width * channels)
    for channel in 0..<channels {
      let (a, b) = (Double(source[y0 + x0 + channel]), Double(source[y0 + x1 + channel]))
      let (c, d) = (Double(source[y1 + x0 + channel]), Double(source[y1 + x1 + channel]))
      let (upper, lower) = (a + wx * (b - a), c + wx * (d - c))
      target[place + channel] = UInt8(upper + wy * (lower - upper) + 0.5)
    }
  }
}
