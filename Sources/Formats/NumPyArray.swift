import CajalBase

/// An array of a NumPy file.
public struct NumPyArray: Sendable, Equatable {
  /// The extents; none for a single number.
  public var shape: [Int]
  public var dtype: DType
  /// The elements in row-major order, in the byte order of this machine.
  public var bytes: [UInt8]

  public init(shape: [Int], dtype: DType, bytes: [UInt8]) {
    self.shape = shape
    self.dtype = dtype
    self.bytes = bytes
  }
}

/// Reads and writes NumPy's `.npy` files (format versions 1 to 3).
///
/// dtypes are bool, uint8, int8, int16, int32, int64, float16, float32 and float64, of either byte order; in C or
/// Fortran order. Pickled objects are refused.
///
/// <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>
public enum NumPyFile {
  /// Reads the array at `path`.
  ///
  /// **Errors**: `FormatError` where the file is missing, no `.npy` file, of a dtype that Cajal does not have, or
  /// shorter or longer than its header says.
  public static func read(_ path: String) throws -> NumPyArray {
    let file = try FileReader(path)
    return try parse(try file.bytes(at: 0, count: file.size), path: path)
  }

  /// Writes `array`, whole or not at all. bfloat16, which NumPy does not have, is written as float32.
  ///
  /// **Errors**: `FormatError` where the bytes are not those of the shape, and all those of `AtomicFile`.
  public static func write(_ array: NumPyArray, to path: String) throws {
    let bytes = try encode(array, path: path)
    try AtomicFile.write(to: path) { try $0.write(bytes) }
  }

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// The array that `bytes`, a whole file, hold.
  static func parse(_ bytes: [UInt8], path: String) throws -> NumPyArray {
    let again = "Check that numpy.save wrote it, or copy it again"
    guard bytes.starts(with: magic) else {
      throw FormatError(
        path: path, problem: "it does not begin as .npy files do (93 'NUMPY' at byte 0)", remedy: again)
    }
    guard bytes.count >= 12, 1...3 ~= bytes[6] else {
      throw FormatError(
        path: path,
        problem: bytes.count > 6
          ? "format version \(bytes[6]) is not known, or the header is cut" : "it ends in its first 8 bytes",
        remedy: again)
    }
    // Version 1 has two bytes for the header's length, later ones four.
    let start = bytes[6] == 1 ? 10 : 12
    let length = bytes[8..<start].reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length <= bytes.count - start else {
      throw FormatError(
        path: path, problem: "its header of \(length) bytes goes beyond the file's \(bytes.count)", remedy: again)
    }
    let header = try NumPyHeader(parsing: Array(bytes[start..<start + length]), path: path)
    let data = bytes.count - start - length
    guard let count = checkedProduct(header.shape + [header.size]), count == data else {
      throw FormatError(
        path: path, problem: "its header claims shape \(header.shape) of \(header.dtype), and \(data) bytes follow it",
        remedy: again)
    }
    var elements = Array(bytes[(start + length)...])
    if header.isSwapped { swapBytes(&elements, elementSize: header.size) }
    if header.isFortran { elements = rowMajor(elements, header.shape, header.size) }
    if header.dtype == .bool { elements = elements.map { $0 == 0 ? 0 : 1 } }
    return NumPyArray(shape: header.shape, dtype: header.dtype, bytes: elements)
  }

  /// The bytes of a file of `array`.
  static func encode(_ array: NumPyArray, path: String) throws -> [UInt8] {
    guard checkedProduct(array.shape + [array.dtype.byteCount]) == array.bytes.count,
      array.shape.allSatisfy({ $0 >= 0 })
    else {
      throw FormatError(
        path: path, problem: "\(array.bytes.count) bytes are not shape \(array.shape) of \(array.dtype)",
        remedy: "Give as many as the shape has elements")
    }
    // As Python writes tuples: of one number with a comma.
    let shape = array.shape.map(String.init).joined(separator: ", ") + (array.shape.count == 1 ? "," : "")
    var dictionary =
      "{'descr': '\(NumPyHeader.descriptor(array.dtype))', 'fortran_order': False, 'shape': (\(shape)), }"
    // The data begin at a multiple of 64 bytes.
    let unpadded = 10 + dictionary.utf8.count + 1
    dictionary += String(repeating: " ", count: (64 - unpadded % 64) % 64) + "\n"
    let length = dictionary.utf8.count
    let data = array.dtype == .bfloat16 ? widened(array.bytes) : array.bytes
    return magic + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + dictionary.utf8 + data
  }

  /// bfloat16 is the upper half of float32.
  private static func widened(_ bytes: [UInt8]) -> [UInt8] {
    stride(from: 0, to: bytes.count, by: 2).flatMap { [0, 0, bytes[$0], bytes[$0 + 1]] }
  }

  /// Elements in Fortran order, where the first axis runs fastest, in row-major order.
  private static func rowMajor(_ bytes: [UInt8], _ shape: [Int], _ size: Int) -> [UInt8] {
    guard shape.count > 1, !bytes.isEmpty else { return bytes }
    var strides = [Int](repeating: size, count: shape.count)
    for axis in 1..<shape.count { strides[axis] = strides[axis - 1] * shape[axis - 1] }
    var index = [Int](repeating: 0, count: shape.count)
    var source = 0
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    for _ in 0..<bytes.count / size {
      result += bytes[source..<source + size]
      for axis in shape.indices.reversed() {
        index[axis] += 1
        source += strides[axis]
        if index[axis] < shape[axis] { break }
        source -= strides[axis] * shape[axis]
        index[axis] = 0
      }
    }
    return result
  }
}

/// A `.npy` file's header: a Python dictionary, such as
/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
struct NumPyHeader {
  var shape: [Int] = []
  var dtype = DType.float32
  var isFortran = false
  /// Whether the elements are of the other byte order.
  var isSwapped = false
  var size: Int { dtype.byteCount }

  private static let codes: [(code: String, dtype: DType)] = [
    ("b1", .bool), ("u1", .uint8), ("i1", .int8), ("i2", .int16), ("i4", .int32), ("i8", .int64), ("f2", .float16),
    ("f4", .float32), ("f8", .float64),
  ]

  static func descriptor(_ dtype: DType) -> String {
    let code = codes.first { $0.dtype == (dtype == .bfloat16 ? .float32 : dtype) }?.code ?? ""
    return (dtype.byteCount == 1 ? "|" : UInt16(littleEndian: 1) == 1 ? "<" : ">") + code
  }

  init(parsing bytes: [UInt8], path: String) throws {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw Self.malformed(path) }
    var scanner = Scanner(text: Substring(text), path: path)
    var keys: Set<String> = []
    try scanner.expect("{")
    while !scanner.take("}") {
      let key = try scanner.string()
      guard keys.insert(key).inserted else { throw Self.malformed(path) }
      try scanner.expect(":")
      switch key {
      case "descr": try setType(try scanner.string(), path)
      case "fortran_order":
        isFortran = scanner.take("True")
        if !isFortran { try scanner.expect("False") }
      case "shape": shape = try scanner.tuple()
      default: throw Self.malformed(path)
      }
      if !scanner.take(",") {
        try scanner.expect("}")
        break
      }
    }
    guard keys.count == 3, scanner.isAtEnd else { throw Self.malformed(path) }
  }

  private mutating func setType(_ descriptor: String, _ path: String) throws {
    guard let match = Self.codes.first(where: { $0.code == descriptor.dropFirst() }), let order = descriptor.first,
      "<>|=".contains(order), order != "|" || match.dtype.byteCount == 1
    else {
      let isObject = descriptor.hasSuffix("O")
      throw FormatError(
        path: path,
        problem: isObject
          ? "it holds pickled Python objects, which could run any program" : "its dtype is \(quoted(descriptor))",
        remedy: isObject
          ? "Save numbers: numpy.save(file, array.astype('float32'))"
          : "Convert it in NumPy to bool, uint8, int8, int16, int32, int64, float16, float32 or float64 (astype)")
    }
    dtype = match.dtype
    isSwapped = order == (UInt16(littleEndian: 1) == 1 ? ">" : "<")
  }

  fileprivate static func malformed(_ path: String) -> FormatError {
    FormatError(
      path: path, problem: "its header is no dictionary of descr, fortran_order and shape",
      remedy: "Check that numpy.save wrote it, or copy it again")
  }

  /// Reads the few kinds of Python literals that there are.
  private struct Scanner {
    var text: Substring
    let path: String

    var isAtEnd: Bool {
      mutating get {
        skipSpace()
        return text.isEmpty
      }
    }

    private mutating func skipSpace() { text = text.drop { $0 == " " || $0 == "\n" } }

    mutating func take(_ token: String) -> Bool {
      skipSpace()
      guard text.hasPrefix(token) else { return false }
      text = text.dropFirst(token.count)
      return true
    }

    mutating func expect(_ token: String) throws {
      guard take(token) else { throw malformed(path) }
    }

    mutating func string() throws -> String {
      skipSpace()
      guard let quote = text.first, quote == "'" || quote == "\"" else { throw malformed(path) }
      text = text.dropFirst()
      guard let end = text.firstIndex(of: quote) else { throw malformed(path) }
      defer { text = text[text.index(after: end)...] }
      return String(text[..<end])
    }

    mutating func tuple() throws -> [Int] {
      var extents: [Int] = []
      try expect("(")
      while !take(")") {
        skipSpace()
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let extent = Int(digits), extents.count < 32 else { throw malformed(path) }
        text = text.dropFirst(digits.count)
        extents.append(extent)
        if !take(",") {
          try expect(")")
          break
        }
      }
      return extents
    }
  }
}
