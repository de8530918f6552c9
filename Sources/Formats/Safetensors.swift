/// A safetensors file open for reading: its header is read and checked, its
/// tensors are read one by one when asked for.
///
/// The format (https://github.com/huggingface/safetensors#format): 8 bytes with
/// the header's length, little-endian; the header, a JSON object of tensor names
/// to dtype, shape and place; the data without holes.
public struct SafetensorsFile: Sendable {
  /// What the header says of one tensor.
  public struct Entry: Sendable, Equatable {
    public let name: String
    /// The format's code, such as `F32`, `BF16` or `BOOL`.
    public let dtype: String
    /// The extents; empty for a scalar.
    public let shape: [Int]
    /// The size of the tensor's data in bytes.
    public var byteCount: Int { end - begin }

    // Offsets into the data, which begins after the header.
    let begin: Int
    let end: Int
  }

  /// The reference implementation's bound on the header, in bytes.
  static let greatestHeader = 100_000_000

  /// The file, as the caller named it.
  public let path: String
  /// The header's free text, such as `format` = `pt`.
  public let metadata: [String: String]
  /// The tensors in the order of their data.
  public let tensors: [Entry]

  private let file: FileReader
  private let dataStart: Int
  private let indices: [String: Int]

  /// Opens the file at `path`, reads its header and checks that it describes the
  /// file exactly: no tensor outside it, none over another, no byte left over.
  ///
  /// A dtype that Cajal lacks is no error until that tensor is asked for.
  ///
  /// **Errors**: `FormatError` with the byte offset or the tensor's name.
  ///
  /// ```swift
  /// let file = try SafetensorsFile.read("model.safetensors")
  /// for entry in file.tensors { print(entry.name, entry.dtype, entry.shape) }
  /// let kernel = try file.bytes(of: "layers.0.kernel")
  /// ```
  public static func read(_ path: String) throws -> SafetensorsFile { try SafetensorsFile(path) }

  private init(_ path: String) throws {
    let file = try FileReader(path)
    let length = try Self.headerLength(of: file)
    let header = try SafetensorsHeader(file.bytes(at: 8, count: length), path: path, dataSize: file.size - 8 - length)
    self.path = path
    self.file = file
    self.metadata = header.metadata
    self.tensors = header.entries
    self.dataStart = 8 + length
    self.indices = Dictionary(uniqueKeysWithValues: header.entries.enumerated().map { ($1.name, $0) })
  }

  private static func headerLength(of file: FileReader) throws -> Int {
    let prefix = try file.bytes(at: 0, count: min(8, file.size))
    guard prefix.count == 8 else {
      throw FormatError(
        path: file.path,
        problem: "it has \(file.size) bytes, and a safetensors file begins with the 8 bytes of its header's length",
        remedy: "Download or save it again")
    }
    let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(greatestHeader) else {
      throw FormatError(
        path: file.path,
        problem: "the header's length at byte 0 is \(length) bytes, beyond the format's limit of \(greatestHeader)",
        remedy: "Check that this is a safetensors file, or download it again")
    }
    guard Int(length) <= file.size - 8 else {
      throw FormatError(
        path: file.path,
        problem: "the header's length at byte 0 is \(length) bytes, and the file has only \(file.size - 8) after it: "
          + "it is truncated or corrupt",
        remedy: "Download or save it again")
    }
    return Int(length)
  }

  /// The tensor called `name`, or nil.
  public subscript(name: String) -> Entry? { indices[name].map { tensors[$0] } }

  /// Reads the data of the tensor called `name`.
  ///
  /// **Errors**: `FormatError` where there is none, and as `bytes(of:)` for an
  /// entry.
  public func bytes(of name: String) throws -> [UInt8] {
    guard let entry = self[name] else {
      throw FormatError(
        path: path, problem: "it has no tensor \(quoted(name)) among its \(tensors.count)",
        remedy: "Check the name; the file's first tensors are " + firstNames)
    }
    return try bytes(of: entry)
  }

  /// Reads the data of `entry`, one of `tensors`: row-major, little-endian,
  /// `entry.byteCount` bytes, a BOOL being 0 or 1.
  ///
  /// **Errors**: `FormatError` where Cajal has no such dtype, a BOOL is neither
  /// 0 nor 1, or the disk fails.
  public func bytes(of entry: Entry) throws -> [UInt8] {
    guard SafetensorsDType.index(of: entry.dtype) != nil else {
      throw FormatError(
        path: path, problem: "tensor \(quoted(entry.name)) has dtype \(quoted(entry.dtype)), which Cajal does not read",
        remedy: "Save it as one of \(SafetensorsDType.list)")
    }
    guard self[entry.name] == entry else {
      throw FormatError(
        path: path, problem: "tensor \(quoted(entry.name)) is not an entry of this file",
        remedy: "Take the entry from this file's tensors")
    }
    let bytes = try file.bytes(at: dataStart + entry.begin, count: entry.byteCount)
    if entry.dtype == "BOOL", let index = bytes.firstIndex(where: { $0 > 1 }) {
      throw FormatError(
        path: path,
        problem: "tensor \(quoted(entry.name)) is BOOL and has \(bytes[index]) at byte "
          + "\(dataStart + entry.begin + index)",
        remedy: "Save it again with 0 and 1, or as U8")
    }
    return bytes
  }

  private var firstNames: String {
    tensors.isEmpty ? "none" : tensors.prefix(5).map { quoted($0.name) }.joined(separator: ", ")
  }
}
