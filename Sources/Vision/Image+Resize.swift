import CajalBase
import Foundation

/// How pixels are made of others where a picture's size changes.
public enum Interpolation: Sendable, Equatable, CaseIterable {
  /// The nearest pixel.
  case nearest
  /// The mean of what a pixel covers.
  case box
  /// Linear between neighbours.
  case bilinear
  /// Cubic convolution (Keys 1981) with a = −1/2.
  case bicubic
  /// A windowed sinc of three lobes.
  case lanczos

  /// How far the filter reaches, in pixels of the smaller picture.
  fileprivate var support: Double {
    switch self {
    case .nearest: 0
    case .box: 0.5
    case .bilinear: 1
    case .bicubic: 2
    case .lanczos: 3
    }
  }

  fileprivate func weight(_ x: Double) -> Double {
    let distance = abs(x)
    switch self {
    case .nearest: return 0
    case .box: return x > -0.5 && x <= 0.5 ? 1 : 0
    case .bilinear: return max(0, 1 - distance)
    case .bicubic:
      if distance < 1 { return (1.5 * distance - 2.5) * distance * distance + 1 }
      return distance < 2 ? ((-0.5 * distance + 2.5) * distance - 4) * distance + 2 : 0
    case .lanczos: return x >= -3 && x < 3 ? Self.sinc(x) * Self.sinc(x / 3) : 0
    }
  }

  private static func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(x * .pi) / (x * .pi) }
}

extension Image {
  /// The picture in another size. Where it becomes smaller, the filter grows with it, so that nothing is left out
  /// (antialiasing).
  ///
  /// The bytes are those of Pillow's `resize`, which torchvision calls as well: one axis after the other, weights in
  /// integers, rounded to bytes in between. Opacity is a channel like the others.
  ///
  /// **Shapes**: `[H, W, C]` gives `[height, width, C]`.
  public func resized(width: Int, height: Int, _ interpolation: Interpolation = .bilinear) -> Image {
    let (width, height) = (max(1, width), max(1, height))
    if interpolation == .nearest { return nearest(width, height) }
    var result = self
    if width != self.width { result = result.resampledRows(Filter(self.width, width, interpolation)) }
    if height != self.height { result = result.resampledColumns(Filter(self.height, height, interpolation)) }
    return result
  }

  /// The picture with its shorter side so long, its proportions kept; the longer side is rounded down, as torchvision's
  /// `Resize` does.
  ///
  /// **Errors**: `TensorError` where it would have more than ``defaultLimit`` pixels: a line of a million is a small
  /// file, and not small at 256 times the size.
  public func resized(shorterSide: Int, _ interpolation: Interpolation = .bilinear) throws -> Image {
    let (short, long) = (min(width, height), max(width, height))
    guard case (let product, let overflow) = max(1, shorterSide).multipliedReportingOverflow(by: long), !overflow,
      case let longer = product / short, longer <= Image.defaultLimit / max(1, shorterSide)
    else {
      throw TensorError(
        .shape, operation: "resized",
        "a picture of \(width) × \(height) with its shorter side \(shorterSide) would have more than "
          + "\(Image.defaultLimit) pixels", remedy: "Crop it before, or choose a shorter side")
    }
    return width <= height
      ? resized(width: shorterSide, height: longer, interpolation)
      : resized(width: longer, height: shorterSide, interpolation)
  }

  private func nearest(_ width: Int, _ height: Int) -> Image {
    func places(_ from: Int, _ to: Int) -> [Int] {
      (0..<to).map { min(from - 1, Int((Double($0) + 0.5) * (Double(from) / Double(to)))) }
    }
    let columns = places(self.width, width)
    var result = [UInt8]()
    result.reserveCapacity(width * height * channels)
    for row in places(self.height, height) {
      for column in columns {
        let start = (row * self.width + column) * channels
        result += bytes[start..<start + channels]
      }
    }
    return Image(width, height, channels, result)
  }

  /// Each pixel of a line as a weighted sum of those of another line.
  private struct Filter {
    /// Of each pixel, the first that it is made of, how many they are, and where their weights begin.
    var places: [(first: Int, count: Int, weights: Int)] = []
    var weights: [Int32] = []

    /// Weights have so many binary digits after the point: the most that leave a sum of bytes room in 32 bits.
    static let precision: Int32 = 22

    init(_ from: Int, _ to: Int, _ interpolation: Interpolation) {
      let scale = Double(from) / Double(to)
      let stretch = max(1, scale)
      let support = interpolation.support * stretch
      for index in 0..<to {
        let center = (Double(index) + 0.5) * scale
        let first = max(0, Int(center - support + 0.5))
        let count = min(from, Int(center + support + 0.5)) - first
        let exact = (0..<count).map { interpolation.weight((Double($0 + first) - center + 0.5) * (1 / stretch)) }
        let sum = exact.reduce(0, +)
        places.append((first, count, weights.count))
        // Halves go away from zero.
        weights += exact.map { Int32(($0 / (sum == 0 ? 1 : sum) * Double(1 << Self.precision)).rounded()) }
      }
    }
  }

  private static func byte(_ sum: Int32) -> UInt8 { UInt8(min(255, max(0, sum >> Filter.precision))) }
  private static let half = Int32(1) << (Filter.precision - 1)

  private func resampledRows(_ filter: Filter) -> Image {
    let (columns, channels, source) = (filter.places.count, channels, width * channels)
    let result = [UInt8](unsafeUninitializedCapacity: columns * height * channels) { target, initialized in
      bytes.withUnsafeBufferPointer { bytes in
        filter.weights.withUnsafeBufferPointer { weights in
          for row in 0..<height {
            for (column, place) in filter.places.enumerated() {
              for channel in 0..<channels {
                var sum = Image.half
                var position = row * source + place.first * channels + channel
                for index in 0..<place.count {
                  sum &+= Int32(bytes[position]) &* weights[place.weights + index]
                  position += channels
                }
                target[(row * columns + column) * channels + channel] = Image.byte(sum)
              }
            }
          }
        }
      }
      initialized = columns * height * channels
    }
    return Image(columns, height, channels, result)
  }

  private func resampledColumns(_ filter: Filter) -> Image {
    let length = width * channels
    let result = [UInt8](unsafeUninitializedCapacity: filter.places.count * length) { target, initialized in
      var sums = [Int32](repeating: 0, count: length)
      bytes.withUnsafeBufferPointer { bytes in
        sums.withUnsafeMutableBufferPointer { sums in
          for (row, place) in filter.places.enumerated() {
            sums.update(repeating: Image.half)
            for index in 0..<place.count {
              let weight = filter.weights[place.weights + index]
              let start = (place.first + index) * length
              for column in 0..<length { sums[column] &+= Int32(bytes[start + column]) &* weight }
            }
            for column in 0..<length { target[row * length + column] = Image.byte(sums[column]) }
          }
        }
      }
      initialized = filter.places.count * length
    }
    return Image(width, filter.places.count, channels, result)
  }
}
