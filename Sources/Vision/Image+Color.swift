// Brightness, colour and sharpness, in Pillow's arithmetic (`ImageEnhance`, `ImageOps`), which torchvision's transforms
// call as well. Opacity stays as it is.

extension Image {
  /// Brighter above 1, darker below; 0 is black.
  public func brightness(_ factor: Double) -> Image { mappingColors { Self.blend($0, over: 0, Float(factor)) } }

  /// More contrast above 1, less below; 0 is the mean of its grey everywhere.
  public func contrast(_ factor: Double) -> Image {
    let gray = gray.bytes
    let mean = UInt8(Double(gray.reduce(0) { $0 + Int($1) }) / Double(gray.count) + 0.5)
    return mappingColors { Self.blend($0, over: mean, Float(factor)) }
  }

  /// More colour above 1, less below; 0 is grey.
  public func saturation(_ factor: Double) -> Image {
    let gray = gray.bytes
    return blended(over: factor) { gray[$0 / channels] }
  }

  /// Sharper above 1, smoother below.
  public func sharpness(_ factor: Double) -> Image {
    let smooth = smoothed
    return blended(over: factor) { smooth[$0] }
  }

  /// The colours moved around the circle of hues by so much of it, −0.5…0.5; of grey, nothing.
  public func hue(_ turn: Double) -> Image {
    let turn = turn.truncatingRemainder(dividingBy: 1)
    guard channels > 2, turn.isFinite, turn != 0 else { return self }
    return changing { bytes in
      for start in stride(from: 0, to: bytes.count, by: channels) {
        let (red, green, blue) = (Double(bytes[start]), Double(bytes[start + 1]), Double(bytes[start + 2]))
        let (low, range) = (min(red, green, blue), max(red, green, blue) - min(red, green, blue))
        guard range > 0 else { continue }
        // Where the hue stands on a circle of 6: at red, green or blue, and a way towards the next.
        let hue =
          red == low + range
          ? (green - blue) / range : green == low + range ? 2 + (blue - red) / range : 4 + (red - green) / range
        for channel in 0..<3 {
          // The distance from the channel's own hue, less than twice around: full up to 1, none from 2 on.
          let way = abs(hue + 6 * turn - 2 * Double(channel))
          let distance = way < 6 ? way : way - 6
          let share = min(1, max(0, 2 - min(distance, 6 - distance)))
          bytes[start + channel] = UInt8(low + range * share + 0.5)
        }
      }
    }
  }

  /// Bright and dark exchanged from `threshold` on.
  public func solarized(_ threshold: Int) -> Image { mappingColors { $0 < threshold ? $0 : 255 - $0 } }

  /// Only the upper `bits` of each byte.
  public func posterized(bits: Int) -> Image {
    let mask = UInt8(truncatingIfNeeded: 0xff00 >> min(8, max(0, bits)))
    return mappingColors { $0 & mask }
  }

  /// Bright and dark exchanged.
  public var inverted: Image { mappingColors { 255 - $0 } }

  /// Each channel stretched from black to white.
  public var autocontrasted: Image {
    mappingChannels { histogram in
      guard let low = histogram.firstIndex(where: { $0 > 0 }), let high = histogram.lastIndex(where: { $0 > 0 }),
        low < high
      else { return Self.unchanged }
      let scale = 255 / Double(high - low)
      let offset = -Double(low) * scale
      return (0...255).map { UInt8(max(0, min(255, Double($0) * scale + offset))) }
    }
  }

  /// Each channel with as many pixels of one brightness as of another.
  public var equalized: Image {
    mappingChannels { histogram in
      let used = histogram.filter { $0 > 0 }
      let step = (used.reduce(0, +) - (used.last ?? 0)) / 255
      guard used.count > 1, step > 0 else { return Self.unchanged }
      var sum = step / 2
      return histogram.map { count in
        defer { sum += count }
        return UInt8(min(255, sum / step))
      }
    }
  }

  // MARK: What they share

  private static let unchanged = (0...255).map { UInt8($0) }

  /// other + factor · (byte − other), cut to a byte.
  private static func blend(_ byte: UInt8, over other: UInt8, _ factor: Float) -> UInt8 {
    let base = Float(other)
    return UInt8(max(0, min(255, base + factor * (Float(byte) - base))))
  }

  /// Each byte of colour blended with another.
  private func blended(over factor: Double, _ other: (_ index: Int) -> UInt8) -> Image {
    let factor = Float(factor)
    return changing { bytes in
      for index in bytes.indices where !hasOpacity || index % channels != channels - 1 {
        bytes[index] = Self.blend(bytes[index], over: other(index), factor)
      }
    }
  }

  private func changing(_ body: (_ bytes: inout UnsafeMutableBufferPointer<UInt8>) -> Void) -> Image {
    var image = self
    image.bytes.withUnsafeMutableBufferPointer(body)
    return image
  }

  private func mappingColors(_ map: (UInt8) -> UInt8) -> Image {
    let table = Self.unchanged.map(map)
    return changing { bytes in
      table.withUnsafeBufferPointer { table in
        for channel in 0..<colors {
          for index in stride(from: channel, to: bytes.count, by: channels) { bytes[index] = table[Int(bytes[index])] }
        }
      }
    }
  }

  /// Each channel of colour through the table that `make` gives for its histogram.
  private func mappingChannels(_ make: (_ histogram: [Int]) -> [UInt8]) -> Image {
    changing { bytes in
      for channel in 0..<colors {
        var histogram = [Int](repeating: 0, count: 256)
        for index in stride(from: channel, to: bytes.count, by: channels) { histogram[Int(bytes[index])] += 1 }
        let table = make(histogram)
        for index in stride(from: channel, to: bytes.count, by: channels) { bytes[index] = table[Int(bytes[index])] }
      }
    }
  }

  /// Each pixel as a mean of its neighbours (weight 1) and itself (5); the border as it is.
  private var smoothed: [UInt8] {
    var result = bytes
    let row = width * channels
    guard width > 2, height > 2 else { return result }
    for y in 1..<height - 1 {
      for index in y * row + channels..<(y + 1) * row - channels {
        var sum = 4 * Int(bytes[index])
        for line in [index - row, index, index + row] {
          sum += Int(bytes[line - channels]) + Int(bytes[line]) + Int(bytes[line + channels])
        }
        result[index] = UInt8((2 * sum + 13) / 26)
      }
    }
    return result
  }
}
