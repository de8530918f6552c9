/// A file's bytes from first to last, decompressed where its first bytes are gzip's.
final class ByteStream {
  let path: String
  private let file: FileReader
  private let gzip: GzipStream?
  private var position = 0

  init(_ path: String) throws {
    file = try FileReader(path)
    self.path = path
    let isGzip = Gzip.isGzip(try file.bytes(at: 0, count: min(2, file.size)))
    gzip = isGzip ? try GzipStream(file) : nil
  }

  /// Fills `buffer` as far as there is data, and returns how much there was: less than its size means the end.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = try gzip?.read(into: buffer) ?? file.read(at: position, into: buffer)
    position += count
    return count
  }
}

/// A file's bytes one by one, from memory that does not grow with the file.
struct ByteCursor {
  let stream: ByteStream
  private(set) var chunk = [UInt8](repeating: 0, count: ByteCursor.size)
  private(set) var count = 0
  var position = 0

  /// As gzip's: a few system calls a megabyte, and still in the second-level cache.
  private static let size = GzipStream.chunk

  init(_ path: String) throws { stream = try ByteStream(path) }

  /// The next byte, which is not taken; `nil` at the end.
  mutating func peek() throws -> UInt8? {
    if position == count {
      count = try chunk.withUnsafeMutableBytes { try stream.read(into: $0) }
      position = 0
      if count == 0 { return nil }
    }
    return chunk[position]
  }

  /// Leaves out the mark that some programs put before UTF-8, and refuses UTF-16.
  mutating func skipByteOrderMark() throws {
    guard try peek() != nil else { return }
    let start = Array(chunk[..<min(3, count)])
    if start == [0xEF, 0xBB, 0xBF] { position = 3 }
    if start.starts(with: [0xFF, 0xFE]) || start.starts(with: [0xFE, 0xFF]) {
      throw FormatError(
        path: stream.path, problem: "it is UTF-16", remedy: "Convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW")
    }
  }
}
