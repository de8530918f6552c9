/// The dtypes of the safetensors format.
enum SafetensorsDType {
  /// Those that Cajal reads and writes with their size in bytes, in the order
  /// in which the reference implementation writes them: by falling alignment.
  static let supported: [(code: String, byteCount: Int)] = [
    ("I64", 8), ("F64", 8), ("F32", 4), ("I32", 4), ("BF16", 2), ("F16", 2), ("I16", 2), ("I8", 1), ("U8", 1),
    ("BOOL", 1),
  ]

  /// The place of `code` in `supported`, or nil.
  static func index(of code: String) -> Int? { supported.firstIndex { $0.code == code } }

  /// The size of an element in bits, also of those dtypes that Cajal does not
  /// read; nil where the format does not know it (yet).
  static func bitCount(of code: String) -> Int? {
    if let index = index(of: code) { return 8 * supported[index].byteCount }
    return switch code {
    case "U64", "C64": 64
    case "U32": 32
    case "U16": 16
    case "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E5M2FNUZ", "F8_E4M3FNUZ": 8
    case "F6_E2M3", "F6_E3M2": 6
    case "F4": 4
    default: nil
    }
  }

  /// The supported codes, as an error lists them.
  static var list: String { supported.map(\.code).joined(separator: ", ") }
}
