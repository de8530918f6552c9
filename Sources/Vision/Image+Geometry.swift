import Foundation

// Cutting, padding, mirroring.

/// What lies around a picture.
public enum ImagePadding: Sendable, Equatable {
  /// One byte in every channel.
  case constant(UInt8)
  /// The picture mirrored, its border not repeated.
  case reflect
  /// The picture's border.
  case edge
}

extension Image {
  /// The part that begins `left` and `top` pixels from the corner, as far as the picture goes.
  ///
  /// **Shapes**: `[H, W, C]` gives `[height, width, C]`, at least one pixel.
  public func cropped(left: Int, top: Int, width: Int, height: Int) -> Image {
    let (left, top) = (min(max(0, left), self.width - 1), min(max(0, top), self.height - 1))
    let (width, height) = (min(max(1, width), self.width - left), min(max(1, height), self.height - top))
    return window(left: left, top: top, width: width, height: height, beyond: .constant(0))
  }

  /// The middle, padded with black where the picture is smaller.
  ///
  /// Halves are rounded to even, as torchvision's `CenterCrop` does.
  public func centerCropped(width: Int, height: Int) -> Image {
    let (wide, high) = (max(0, width - self.width), max(0, height - self.height))
    let source =
      wide + high == 0
      ? self : padded(left: wide / 2, top: high / 2, right: wide - wide / 2, bottom: high - high / 2)
    func start(_ size: Int, _ wanted: Int) -> Int { Int((Double(size - wanted) / 2).rounded(.toNearestOrEven)) }
    return source.cropped(
      left: start(source.width, width), top: start(source.height, height), width: width, height: height)
  }

  /// The square in the middle.
  public func centerCropped(_ size: Int) -> Image { centerCropped(width: size, height: size) }

  /// The largest square in the middle; of an odd rest, the larger half is at the right and bottom.
  public var square: Image {
    let side = min(width, height)
    return cropped(left: (width - side) / 2, top: (height - side) / 2, width: side, height: side)
  }

  /// The picture with a border of so many pixels.
  public func padded(
    left: Int, top: Int, right: Int, bottom: Int, with padding: ImagePadding = .constant(0)
  ) -> Image {
    let (left, top) = (max(0, left), max(0, top))
    return window(
      left: -left, top: -top, width: left + width + max(0, right), height: top + height + max(0, bottom),
      beyond: padding)
  }

  /// The picture with the same border on all sides.
  public func padded(_ border: Int, with padding: ImagePadding = .constant(0)) -> Image {
    padded(left: border, top: border, right: border, bottom: border, with: padding)
  }

  /// A part that may lie outside the picture, where `padding` says what is there.
  func window(left: Int, top: Int, width: Int, height: Int, beyond padding: ImagePadding) -> Image {
    let (count, line) = (width * height * channels, width * channels)
    var fill: UInt8 = 0
    if case .constant(let byte) = padding { fill = byte }
    // The columns that are the picture's own, which lie in a row.
    let first = min(width, max(0, -left))
    let last = max(first, min(width, self.width - left))
    let outside = [0..<first, last..<width].joined().map { ($0, Self.place(left + $0, self.width, padding)) }
    let result = [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
      guard let target = target.baseAddress else { return }
      bytes.withUnsafeBytes { source in
        for row in 0..<height {
          let to = target + row * line
          guard let from = Self.place(top + row, self.height, padding) else {
            to.update(repeating: fill, count: line)
            continue
          }
          let start = from * self.width * channels
          for (column, place) in outside {
            for channel in 0..<channels {
              to[column * channels + channel] = place.map { source[start + $0 * channels + channel] } ?? fill
            }
          }
          if last > first, let base = source.baseAddress {
            memcpy(to + first * channels, base + start + (left + first) * channels, (last - first) * channels)
          }
        }
      }
      initialized = count
    }
    return Image(width, height, channels, result)
  }

  /// Where the pixel at `index`, maybe outside, is taken from.
  private static func place(_ index: Int, _ count: Int, _ padding: ImagePadding) -> Int? {
    if 0..<count ~= index { return index }
    switch padding {
    case .constant: return nil
    case .edge: return min(max(0, index), count - 1)
    case .reflect:
      let period = max(1, 2 * (count - 1))
      let position = (index % period + period) % period
      return position < count ? position : period - position
    }
  }

  /// Left and right exchanged.
  public var mirrored: Image {
    rearranged { source, target, row in
      let start = row * width * channels
      for column in 0..<width {
        let (from, to) = (start + (width - 1 - column) * channels, start + column * channels)
        for channel in 0..<channels { target[to + channel] = source[from + channel] }
      }
    }
  }

  /// Top and bottom exchanged.
  public var flipped: Image {
    let line = width * channels
    return rearranged { source, target, row in
      memcpy(target + row * line, source + (height - 1 - row) * line, line)
    }
  }

  /// A picture of the same size whose rows `body` writes.
  private func rearranged(
    _ body: (_ source: UnsafePointer<UInt8>, _ target: UnsafeMutablePointer<UInt8>, _ row: Int) -> Void
  ) -> Image {
    let result = [UInt8](unsafeUninitializedCapacity: bytes.count) { target, initialized in
      bytes.withUnsafeBufferPointer { source in
        for row in 0..<height { body(source.baseAddress!, target.baseAddress!, row) }
      }
      initialized = bytes.count
    }
    return Image(width, height, channels, result)
  }

  /// The picture with a rectangle, as far as it lies within, of one byte.
  func covered(left: Int, top: Int, width: Int, height: Int, with fill: UInt8) -> Image {
    var image = self
    let (first, last) = (min(self.width, max(0, left)), min(self.width, max(0, left + max(0, width))))
    image.bytes.withUnsafeMutableBufferPointer { bytes in
      for row in min(self.height, max(0, top))..<min(self.height, max(0, top + max(0, height))) {
        bytes[(row * self.width + first) * channels..<(row * self.width + last) * channels].update(repeating: fill)
      }
    }
    return image
  }
}
