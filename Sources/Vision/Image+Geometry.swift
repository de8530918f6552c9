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
    var result = [UInt8]()
    result.reserveCapacity(width * height * channels)
    for row in top..<top + height {
      let start = (row * self.width + left) * channels
      result += bytes[start..<start + width * channels]
    }
    return Image(width, height, channels, result)
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
    let columns = (-max(0, left)..<width + max(0, right)).map { Self.place($0, width, padding) }
    let rows = (-max(0, top)..<height + max(0, bottom)).map { Self.place($0, height, padding) }
    var fill = [UInt8](repeating: 0, count: channels)
    if case .constant(let byte) = padding { fill = [UInt8](repeating: byte, count: channels) }
    var result = [UInt8]()
    result.reserveCapacity(rows.count * columns.count * channels)
    for row in rows {
      for column in columns {
        if let row, let column {
          let start = (row * width + column) * channels
          result += bytes[start..<start + channels]
        } else {
          result += fill
        }
      }
    }
    return Image(columns.count, rows.count, channels, result)
  }

  /// The picture with the same border on all sides.
  public func padded(_ border: Int, with padding: ImagePadding = .constant(0)) -> Image {
    padded(left: border, top: border, right: border, bottom: border, with: padding)
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
  public var mirrored: Image { rearranged { column, row in (width - 1 - column, row) } }

  /// Top and bottom exchanged.
  public var flipped: Image { rearranged { column, row in (column, height - 1 - row) } }

  private func rearranged(_ source: (_ column: Int, _ row: Int) -> (column: Int, row: Int)) -> Image {
    let result = [UInt8](unsafeUninitializedCapacity: bytes.count) { target, initialized in
      bytes.withUnsafeBufferPointer { bytes in
        var place = 0
        for row in 0..<height {
          for column in 0..<width {
            let from = source(column, row)
            let start = (from.row * width + from.column) * channels
            for channel in 0..<channels { target[place + channel] = bytes[start + channel] }
            place += channels
          }
        }
      }
      initialized = bytes.count
    }
    return Image(width, height, channels, result)
  }

  /// The picture with a rectangle, as far as it lies within, of one byte.
  func covered(left: Int, top: Int, width: Int, height: Int, with fill: UInt8) -> Image {
    var image = self
    let (first, last) = (min(self.width, max(0, left)), min(self.width, max(0, left + max(0, width))))
    for row in min(self.height, max(0, top))..<min(self.height, max(0, top + max(0, height))) {
      for index in (row * self.width + first) * channels..<(row * self.width + last) * channels {
        image.bytes[index] = fill
      }
    }
    return image
  }
}
