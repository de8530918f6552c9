/// What stands for a value that is not known.
public enum MissingValue {
  /// Nothing, `?`, and what programs write: `NA`, `N/A`, `NaN`, `null`, `None` in any case.
  public static func isMissing(_ text: String) -> Bool {
    guard text.utf8.count <= 4 else { return false }
    return ["", "?", "na", "n/a", "nan", "null", "none"].contains(text.lowercased())
  }
}

/// Numbers as tables write them.
public enum FieldParser {
  /// A finite decimal number, with an exponent or without; `nil` for anything else: no hexadecimal, no infinity.
  public static func number(_ text: String) -> Double? {
    var text = text
    return text.withUTF8 { number($0) }
  }

  /// As ``number(_:)-(String)``.
  public static func number(_ bytes: UnsafeBufferPointer<UInt8>) -> Double? {
    var index = 0
    if let first = bytes.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") { index = 1 }
    var (mantissa, digits, decimals) = (UInt64(0), 0, 0)
    var (hasDigit, hasPoint, isPlain) = (false, false, true)
    scan: while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        hasDigit = true
        // 19 digits fit 64 bits.
        if digits < 19 { mantissa = mantissa * 10 + UInt64(bytes[index] - 48) } else { isPlain = false }
        if mantissa > 0 { digits += 1 }
        if hasPoint { decimals += 1 }
      case UInt8(ascii: "."):
        if hasPoint { return nil }
        hasPoint = true
      case UInt8(ascii: "e"), UInt8(ascii: "E"):
        isPlain = false
        break scan
      default: return nil
      }
      index += 1
    }
    guard hasDigit else { return nil }
    // Both are exact as doubles, and one division rounds once (Clinger 1990).
    if isPlain, mantissa < 1 << 53, decimals < powersOfTen.count {
      let magnitude = Double(mantissa) / powersOfTen[decimals]
      return bytes[0] == UInt8(ascii: "-") ? -magnitude : magnitude
    }
    guard let value = Double(String(decoding: bytes, as: UTF8.self)), value.isFinite else { return nil }
    return value
  }

  // 10²² is the largest power of ten that a double holds.
  private static let powersOfTen: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
  ]
}
