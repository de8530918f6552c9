/// The element types of an idx file, by the format's own codes.
public enum IdxElementType: UInt8, Sendable, CaseIterable {
  case uint8 = 0x08
  case int8 = 0x09
  case int16 = 0x0B
  case int32 = 0x0C
  case float32 = 0x0D
  case float64 = 0x0E

  /// The size of an element in bytes.
  public var byteCount: Int {
    switch self {
    case .uint8, .int8: 1
    case .int16: 2
    case .int32, .float32: 4
    case .float64: 8
    }
  }
}

/// What an idx file holds.
public struct IdxArray: Sendable, Equatable {
  /// The extents, at least one; any may be 0.
  public let shape: [Int]
  public let elementType: IdxElementType
  /// The elements in row-major order, in the byte order of this machine.
  public let bytes: [UInt8]
}

/// Reads idx files, the format of MNIST and its relatives.
///
/// A file is two zero bytes, the element type's code, the rank, an extent of
/// four bytes for each axis, and the elements, all big-endian.
public enum IdxFile {
  /// Reads the idx file at `path`, which may be compressed with gzip: its first
  /// bytes say so, not its name.
  ///
  /// **Shapes**: those of the header, such as `[60000, 28, 28]`.
  ///
  /// **Errors**: `FormatError` where the file is missing, empty, no idx file,
  /// or shorter or longer than its header says, and all those of `Gzip`.
  ///
  /// ```swift
  /// let labels = try IdxFile.read("train-labels-idx1-ubyte.gz")
  /// print(labels.shape, labels.bytes[0])  // [60000] 5
  /// ```
  public static func read(_ path: String) throws -> IdxArray {
    let file = try FileReader(path)
    guard file.size > 0 else {
      throw FormatError(
        path: path, problem: "it is empty (0 bytes) where an idx file was expected",
        remedy: "Download or copy it again")
    }
    let isGzip = Gzip.isGzip(try file.bytes(at: 0, count: min(2, file.size)))
    let content = isGzip ? Content.gzip(try GzipStream(file), file) : .plain(file)
    var reading = Reading(path: path, content: content)
    return try reading.array()
  }
}

/// Where an idx file's bytes come from.
private enum Content {
  case plain(FileReader)
  case gzip(GzipStream, FileReader)

  /// Deflate codes at best 258 bytes in 2 bits, so no gzip file unfolds to more
  /// than 1032 times its size.
  static let greatestRatio = 1032

  /// The most bytes that there can be, whatever a header claims.
  var limit: Int {
    switch self {
    case .plain(let file): return file.size
    case .gzip(_, let file):
      let (limit, overflow) = file.size.multipliedReportingOverflow(by: Self.greatestRatio)
      return overflow ? .max : limit
    }
  }

  /// Fills `buffer` with the bytes from `offset`, where the last read ended, as
  /// far as there are any.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    switch self {
    case .plain(let file): try file.read(at: offset, into: buffer)
    case .gzip(let stream, _): try stream.read(into: buffer)
    }
  }
}

/// One pass over an idx file.
private struct Reading {
  let path: String
  let content: Content
  private var position = 0

  init(path: String, content: Content) {
    self.path = path
    self.content = content
  }

  mutating func array() throws -> IdxArray {
    let magic = try take(4)
    guard magic.count == 4, magic[0] == 0, magic[1] == 0, let type = IdxElementType(rawValue: magic[2]), magic[3] > 0
    else {
      let hex = magic.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
      throw error(
        "no idx file begins with \(hex) at byte 0 (expected 00 00, an element type of 08, 09 or 0b to 0e, and the rank)",
        "Check that this is an idx file")
    }
    let rank = Int(magic[3])
    let extents = try take(4 * rank)
    guard extents.count == 4 * rank else {
      throw error("the header of \(rank) axes breaks off at byte \(position): the file is truncated", again)
    }
    let shape = (0..<rank).map { axis in
      extents[4 * axis..<4 * axis + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    let expected = checkedProduct(shape + [type.byteCount])
    guard let expected, expected <= content.limit - position else {
      let size = expected.map { "\($0)" } ?? "more than \(Int.max)"
      throw error(
        "the header at byte 0 claims shape \(shape) of \(type), \(size) bytes, and there are at most "
          + "\(max(0, content.limit - position)) after it: the file is truncated or its header is corrupt", again)
    }
    var bytes = try take(expected)
    guard bytes.count == expected else {
      throw error(
        "the header claims shape \(shape) of \(type), \(expected) bytes, and only \(bytes.count) follow it: "
          + "the file is truncated at byte \(position)", again)
    }
    // Asking for more is also what verifies the checksum of gzip.
    guard try take(1).isEmpty else {
      throw error(
        "bytes follow the data at byte \(position - 1), where shape \(shape) of \(type) ends",
        "Check that the header belongs to this data, or download it again")
    }
    makeHostOrder(&bytes, elementSize: type.byteCount)
    return IdxArray(shape: shape, elementType: type, bytes: bytes)
  }

  /// The next `count` bytes, or as many as there are.
  private mutating func take(_ count: Int) throws -> [UInt8] {
    let bytes = try makeBytes(count, for: path) { try content.read(at: position, into: $0) }
    position += bytes.count
    return bytes
  }

  private let again = "Download or copy it again"

  private func error(_ problem: String, _ remedy: String) -> FormatError {
    FormatError(path: path, problem: problem, remedy: remedy)
  }
}

/// Turns big-endian elements into this machine's.
private func makeHostOrder(_ bytes: inout [UInt8], elementSize: Int) {
  if UInt16(bigEndian: 1) != 1 { swapBytes(&bytes, elementSize: elementSize) }
}

/// Turns elements of one byte order into those of the other.
func swapBytes(_ bytes: inout [UInt8], elementSize: Int) {
  guard elementSize > 1 else { return }
  bytes.withUnsafeMutableBufferPointer { bytes in
    for start in stride(from: 0, to: bytes.count, by: elementSize) {
      for offset in 0..<elementSize / 2 { bytes.swapAt(start + offset, start + elementSize - 1 - offset) }
    }
  }
}
