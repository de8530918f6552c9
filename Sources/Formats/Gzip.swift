import CajalBase

/// Reads and writes gzip (RFC 1952) through the machine's zlib.
public enum Gzip {
  /// The most bytes that `decompress` gives unless it is told otherwise: 1 GiB.
  /// A kilobyte of gzip can unfold to a megabyte.
  public static let defaultLimit = 1 << 30

  /// Whether `bytes` begin as gzip does, whatever the file is called.
  public static func isGzip(_ bytes: some Collection<UInt8>) -> Bool {
    bytes.prefix(2).elementsEqual([0x1f, 0x8b])
  }

  /// Decompresses `bytes`, all members of them, checksums verified.
  ///
  /// `path` names the bytes in errors; `limit` bounds the result.
  ///
  /// **Errors**: `FormatError` for empty, truncated or corrupt data, a wrong
  /// checksum, bytes after the end, a result beyond `limit`, and where zlib is
  /// missing.
  ///
  /// ```swift
  /// let packed = try Gzip.compress(Array("hello".utf8))
  /// let text = String(decoding: try Gzip.decompress(packed), as: UTF8.self)
  /// ```
  public static func decompress(
    _ bytes: [UInt8], path: String = "gzip data in memory", limit: Int = defaultLimit
  ) throws -> [UInt8] {
    var position = 0
    let stream = try GzipStream(path: path) { buffer in
      let count = min(buffer.count, bytes.count - position)
      buffer.copyBytes(from: bytes[position..<position + count])
      position += count
      return count
    }
    return try stream.readToEnd(limit: limit)
  }

  /// Decompresses the file at `path`; otherwise as `decompress(_:path:limit:)`.
  public static func decompress(file path: String, limit: Int = defaultLimit) throws -> [UInt8] {
    try GzipStream(FileReader(path)).readToEnd(limit: limit)
  }

  /// Compresses `bytes` into one gzip member without name or date: the same
  /// bytes, zlib and `level` (0 stores, 9 is smallest) give the same result.
  ///
  /// **Errors**: `FormatError` where zlib is missing, or `level` is outside.
  public static func compress(_ bytes: [UInt8], level: Int = 6) throws -> [UInt8] {
    let path = "gzip data in memory"
    guard 0...9 ~= level else {
      throw FormatError(path: path, problem: "there is no compression level \(level)", remedy: "Choose from 0 to 9")
    }
    return try Zlib.load(for: path).deflated(bytes, level: level, windowBits: Zlib.windowBits, path: path)
  }
}

/// Decompresses gzip piece by piece, in memory that does not grow with the file.
final class GzipStream {
  static let chunk = 1 << 16

  private let path: String
  private let source: (UnsafeMutableRawBufferPointer) throws -> Int
  private let zlib: Zlib
  // zlib keeps the address of its stream.
  private let stream: UnsafeMutablePointer<ZlibStream>
  private let input: UnsafeMutableRawBufferPointer

  private var pulled = 0  // bytes taken from the source
  private var produced = 0
  private var memberStart = 0  // offset of the current member in the source
  private var sourceEnded = false
  private var isBetweenMembers = false

  /// A stream over what `source` puts into the buffer that it is given; it
  /// returns how many bytes it put there, 0 at the end.
  init(
    path: String, library: OptionalLibrary? = nil, source: @escaping (UnsafeMutableRawBufferPointer) throws -> Int
  ) throws {
    let zlib = try Zlib.load(for: path, from: library)
    let stream = UnsafeMutablePointer<ZlibStream>.allocate(capacity: 1)
    stream.initialize(to: ZlibStream())
    let code = zlib.inflateInit(stream, Zlib.windowBits, Zlib.version, Int32(MemoryLayout<ZlibStream>.size))
    guard code == Zlib.ok else {
      stream.deallocate()
      throw Self.cannotStart(path, code)
    }
    self.path = path
    self.source = source
    self.zlib = zlib
    self.stream = stream
    self.input = .allocate(byteCount: Self.chunk, alignment: 16)
  }

  convenience init(_ file: FileReader) throws {
    var position = 0
    try self.init(path: file.path) { buffer in
      let count = try file.read(at: position, into: buffer)
      position += count
      return count
    }
  }

  deinit {
    _ = zlib.inflateEnd(stream)
    stream.deallocate()
    input.deallocate()
  }

  /// Fills `buffer` as far as there is data and returns how much there was. Less
  /// than `buffer.count` means the end: every member whole, its checksum right.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var done = 0
    while done < buffer.count {
      if stream.pointee.availableIn == 0 { try refill() }
      if isBetweenMembers {
        if stream.pointee.availableIn == 0 { break }
        memberStart = consumed
        // zlib would wait for a second byte.
        guard stream.pointee.nextIn?.pointee == 0x1f else { throw trailing() }
        _ = zlib.inflateReset(stream)
        isBetweenMembers = false
      }
      let room = min(buffer.count - done, 1 << 30)  // avail_out has 32 bits
      stream.pointee.nextOut = (buffer.baseAddress! + done).assumingMemoryBound(to: UInt8.self)
      stream.pointee.availableOut = CUnsignedInt(room)
      let code = zlib.inflate(stream, Zlib.noFlush)
      let count = room - Int(stream.pointee.availableOut)
      done += count
      produced += count
      switch code {
      case Zlib.ok: break
      case Zlib.streamEnd: isBetweenMembers = true
      case Zlib.bufferError where !sourceEnded: break
      case Zlib.bufferError: throw truncated()
      default: throw corrupt(code)
      }
    }
    return done
  }

  /// All that is left, which must not be more than `limit` bytes.
  func readToEnd(limit: Int) throws -> [UInt8] {
    var result: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: Self.chunk)
    while true {
      let count = try chunk.withUnsafeMutableBytes { try read(into: $0) }
      guard count <= limit - result.count else {
        throw FormatError(
          path: path, problem: "it decompresses to more than the \(limit) bytes that are allowed",
          remedy: "Raise the limit if you trust the file")
      }
      if count == 0 { return result }
      result += chunk[..<count]
    }
  }

  /// How many bytes of the source zlib has used.
  private var consumed: Int { pulled - Int(stream.pointee.availableIn) }

  private func refill() throws {
    guard !sourceEnded else { return }
    let count = try source(input)
    sourceEnded = count == 0
    pulled += count
    stream.pointee.nextIn = UnsafePointer(input.baseAddress!.assumingMemoryBound(to: UInt8.self))
    stream.pointee.availableIn = CUnsignedInt(count)
    if pulled == 0 {
      throw FormatError(
        path: path, problem: "it is empty (0 bytes) where gzip was expected", remedy: "Download or copy it again")
    }
  }

  private func truncated() -> FormatError {
    FormatError(
      path: path,
      problem: "the gzip data breaks off at byte \(consumed), after \(produced) decompressed bytes: it is truncated",
      remedy: "Download or copy it again")
  }

  private func trailing() -> FormatError {
    FormatError(
      path: path, problem: "bytes that are not gzip follow the end of the gzip data at byte \(memberStart)",
      remedy: "Download or copy it again, or cut it to its first \(memberStart) bytes")
  }

  private func corrupt(_ code: Int32) -> FormatError {
    if code == Zlib.memoryError {
      return FormatError(path: path, problem: "zlib ran out of memory at byte \(consumed)", remedy: "Free memory")
    }
    let message = stream.pointee.message.map { String(cString: $0) } ?? "zlib error \(code)"
    let problem: String
    switch message {
    case "incorrect header check" where memberStart > 0:
      return trailing()
    case "incorrect header check":
      problem = "it does not begin as gzip does (1f 8b at byte 0)"
    case "incorrect data check":
      problem = "the checksum (CRC-32) before byte \(consumed) is not that of the data: it is corrupt"
    case "incorrect length check":
      problem = "the length before byte \(consumed) is not that of the data: it is corrupt"
    default:
      problem = "the gzip data is corrupt near byte \(consumed) (\(message))"
    }
    return FormatError(path: path, problem: problem, remedy: "Download or copy it again")
  }

  static func cannotStart(_ path: String, _ code: Int32) -> FormatError {
    code == Zlib.memoryError
      ? FormatError(path: path, problem: "zlib found no memory to start", remedy: "Free memory")
      : FormatError(
        path: path, problem: "the machine's zlib refused to start (error \(code))",
        remedy: "Install a zlib of version 1.2 or later (apt-get install \(OptionalLibrary.zlib.package))")
  }
}
