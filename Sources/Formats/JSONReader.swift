/// A strict reader of the JSON that headers are made of: objects, arrays,
/// strings and whole numbers.
///
/// The caller says what it expects next, so the file never decides how deep the
/// reader goes. Foundation's JSONSerialization keeps the last of two equal keys
/// without a word, which a header must not have.
struct JSONReader {
  /// What is wrong at which byte.
  struct Problem: Error {
    let offset: Int
    let text: String
  }

  private let bytes: [UInt8]
  private(set) var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Reads an object, calling `member` with each key in turn; `member` must read
  /// its value. A key that comes twice is an error.
  mutating func object(_ member: (inout JSONReader, String) throws -> Void) throws {
    try expect("{", "an object")
    if skip("}") { return }
    var keys: Set<String> = []
    repeat {
      skipSpace()
      let start = position
      let key = try string()
      // Swift compares by canonical equivalence: two spellings of "é" are one
      // key, as they would be to whoever looks the name up.
      guard keys.insert(key).inserted else { throw Problem(offset: start, text: "the key \(quoted(key)) comes twice") }
      try expect(":", "a colon")
      try member(&self, key)
    } while skip(",")
    try expect("}", "a comma or the end of the object")
  }

  /// Reads an array, calling `element` before each of its values.
  mutating func array(_ element: (inout JSONReader) throws -> Void) throws {
    try expect("[", "an array")
    if skip("]") { return }
    repeat { try element(&self) } while skip(",")
    try expect("]", "a comma or the end of the array")
  }

  /// Reads a whole number from 0 to `Int.max`, written without sign, fraction
  /// or exponent.
  mutating func wholeNumber() throws -> Int {
    skipSpace()
    let start = position
    var value = 0
    while position < bytes.count, case let digit = Int(bytes[position]) - 48, 0...9 ~= digit {
      let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
      let (next, overflowAgain) = tenfold.addingReportingOverflow(digit)
      guard !overflow, !overflowAgain else { throw Problem(offset: start, text: "the number is beyond 2^63") }
      value = next
      position += 1
    }
    let length = position - start
    let isPlain = length > 0 && (length == 1 || bytes[start] != 48)
    let continues = position < bytes.count && [43, 45, 46, 69, 101].contains(bytes[position])  // + - . E e
    guard isPlain, !continues else { throw Problem(offset: start, text: "a whole number of 0 or more is expected") }
    return value
  }

  /// Reads a string.
  mutating func string() throws -> String {
    try expect("\"", "a string")
    let start = position - 1
    var utf8: [UInt8] = []
    while true {
      guard position < bytes.count else { throw Problem(offset: start, text: "the string has no end") }
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: utf8, as: UTF8.self) else {
          throw Problem(offset: start, text: "the string is not UTF-8")
        }
        return text
      case UInt8(ascii: "\\"): utf8 += String(try escape()).utf8
      case 0..<0x20: throw Problem(offset: position - 1, text: "a control character stands in a string")
      default: utf8.append(byte)
      }
    }
  }

  /// Reads a number, a string, true, false or null.
  mutating func scalar() throws -> JSONScalar {
    skipSpace()
    guard position < bytes.count else { throw Problem(offset: position, text: "a value is expected") }
    switch bytes[position] {
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      throw Problem(offset: position, text: "a value is nested where a number, a string, true, false or null may stand")
    default: return .number(try number())
    }
  }

  /// Reads a finite number.
  mutating func number() throws -> Double {
    skipSpace()
    let start = position
    let end = bytes[start...].firstIndex { !Self.numberBytes.contains($0) } ?? bytes.count
    // JSON allows neither a plus, nor zeros before other digits, nor a point without digits on both sides.
    let text = bytes[start..<end]
    let digits = text.first == UInt8(ascii: "-") ? text.dropFirst() : text
    let isPadded =
      digits.count > 1 && digits.first == UInt8(ascii: "0") && digits.dropFirst().first.map(isDigit) == true
    let point = digits.firstIndex(of: UInt8(ascii: "."))
    let isBare = point.map { $0 + 1 == end || !isDigit(bytes[$0 + 1]) } ?? false
    guard let first = digits.first, isDigit(first), !isPadded, !isBare,
      let value = text.withUnsafeBufferPointer({ FieldParser.number($0) })
    else { throw Problem(offset: start, text: "a number is expected") }
    position = end
    return value
  }

  private static let numberBytes = Set("0123456789+-.eE".utf8)
  private func isDigit(_ byte: UInt8) -> Bool { 48...57 ~= byte }

  private mutating func word(_ word: String, _ value: JSONScalar) throws -> JSONScalar {
    guard bytes[position...].starts(with: word.utf8) else {
      throw Problem(offset: position, text: "a value is expected")
    }
    position += word.utf8.count
    return value
  }

  /// Throws unless nothing but space is left.
  mutating func end() throws {
    skipSpace()
    guard position == bytes.count else { throw Problem(offset: position, text: "something follows the end") }
  }

  /// The character that an escape stands for, the backslash being read.
  private mutating func escape() throws -> Unicode.Scalar {
    let start = position - 1
    guard position < bytes.count else { throw Problem(offset: start, text: "the string has no end") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      var code = try hexadecimal(start)
      if 0xD800..<0xDC00 ~= code, skipEscapedUnit() {
        let low = try hexadecimal(start)
        guard 0xDC00..<0xE000 ~= low else { throw Problem(offset: start, text: "half of a surrogate pair is missing") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else {
        throw Problem(offset: start, text: "half of a surrogate pair is missing")
      }
      return scalar
    default: throw Problem(offset: start, text: "there is no such escape")
    }
  }

  private mutating func hexadecimal(_ start: Int) throws -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard position < bytes.count, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue,
        bytes[position] < 0x80
      else { throw Problem(offset: start, text: "\\u needs four hexadecimal digits") }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return code
  }

  private mutating func skipEscapedUnit() -> Bool {
    guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
    else { return false }
    position += 2
    return true
  }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  private mutating func skip(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar, _ description: String) throws {
    guard skip(character) else { throw Problem(offset: position, text: "\(description) is expected") }
  }
}
