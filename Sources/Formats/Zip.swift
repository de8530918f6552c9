/// Reads and writes zip archives (PKWARE APPNOTE 6.3), stored and deflated: what NumPy's `.npz` and PyTorch's
/// `.pt` files are.
struct ZipArchive {
  struct Entry {
    let name: String
    let isDeflated: Bool
    fileprivate let checksum: UInt32
    fileprivate let packedSize: Int
    /// The size of what `read` gives.
    let byteCount: Int
    fileprivate let offset: Int
  }

  let path: String
  let entries: [Entry]
  private let file: FileReader

  private static let endSignature: UInt32 = 0x0605_4b50
  private static let end64Signature: UInt32 = 0x0606_4b50
  private static let directorySignature: UInt32 = 0x0201_4b50
  private static let localSignature: UInt32 = 0x0403_4b50

  /// Reads the directory at the end of the file.
  init(_ path: String) throws {
    file = try FileReader(path)
    self.path = path
    // The end record has 22 bytes and a comment of at most 65,535.
    let tail = min(file.size, 22 + 65_535)
    let bytes = Bytes(try file.bytes(at: file.size - tail, count: tail))
    guard let end = stride(from: tail - 22, through: 0, by: -1).first(where: { bytes.uint32($0) == Self.endSignature })
    else {
      throw FormatError(
        path: path, problem: "it is no zip archive, or its end is missing", remedy: "Download or copy it again")
    }
    var (count, size, start) = (bytes.uint16(end + 10), Int(bytes.uint32(end + 12)), Int(bytes.uint32(end + 16)))
    if count == 0xFFFF || size == 0xFFFF_FFFF || start == 0xFFFF_FFFF {
      (count, size, start) = try Self.end64(file, before: file.size - tail + end, path)
    }
    // 46 bytes is an entry without a name.
    guard start >= 0, size >= 0, start <= file.size, size <= file.size - start, count <= size / 46 else {
      throw Self.corrupt(path, "its directory")
    }
    entries = try Self.entries(Bytes(try file.bytes(at: start, count: size)), count, path)
  }

  /// The bytes of `entry`, checksum verified.
  func read(_ entry: Entry) throws -> [UInt8] {
    let problem = "the entry \(quoted(entry.name))"
    guard entry.offset <= file.size - 30 else { throw Self.corrupt(path, problem) }
    let local = Bytes(try file.bytes(at: entry.offset, count: 30))
    let start = entry.offset + 30 + local.uint16(26) + local.uint16(28)
    guard local.uint32(0) == Self.localSignature, start <= file.size, entry.packedSize <= file.size - start,
      // No more than deflate can unfold to.
      entry.isDeflated ? entry.byteCount / 1032 <= entry.packedSize : entry.byteCount == entry.packedSize
    else { throw Self.corrupt(path, problem) }
    var bytes = try file.bytes(at: start, count: entry.packedSize)
    if entry.isDeflated {
      guard let unfolded = try Zlib.load(for: path).inflatedRaw(bytes, size: entry.byteCount, path: path) else {
        throw Self.corrupt(path, problem)
      }
      bytes = unfolded
    }
    guard CRC32.ieee.of(bytes) == entry.checksum else { throw Self.corrupt(path, "\(problem) (CRC-32)") }
    return bytes
  }

  /// Writes `entries`, whole or not at all, deflated if `level` is not 0.
  static func write(_ entries: [(name: String, bytes: [UInt8])], to path: String, level: Int) throws {
    let zlib = level > 0 ? try Zlib.load(for: path) : nil
    try AtomicFile.write(to: path) { file in
      var (position, directory) = (0, [UInt8]())
      for (name, bytes) in entries {
        let packed = try zlib?.deflated(bytes, level: level, windowBits: Zlib.rawWindowBits, path: path) ?? bytes
        let name = Array(name.utf8)
        guard bytes.count < 0xFFFF_FFFF, packed.count < 0xFFFF_FFFF, position < 0xFFFF_FFFF, name.count < 0xFFFF else {
          throw FormatError(
            path: path, problem: "it would be beyond the 4 GiB of a zip archive", remedy: "Write several files")
        }
        // Version 2.0; bit 11: the name is UTF-8; method; 1 January 1980, so that equal data give equal bytes.
        let common =
          le(UInt16(20)) + le(UInt16(0x800)) + le(UInt16(zlib == nil ? 0 : 8)) + le(UInt16(0)) + le(UInt16(0x21))
          + le(CRC32.ieee.of(bytes)) + le(UInt32(packed.count)) + le(UInt32(bytes.count)) + le(UInt16(name.count))
          + le(UInt16(0))
        try file.write(le(localSignature) + common + name)
        try file.write(packed)
        let offset = le(UInt16(0)) + le(UInt16(0)) + le(UInt16(0)) + le(UInt32(0)) + le(UInt32(position))
        directory += le(directorySignature) + le(UInt16(20)) + common + offset + name
        position += 30 + name.count + packed.count
      }
      let counts = le(UInt16(truncatingIfNeeded: entries.count))
      try file.write(directory)
      try file.write(
        le(endSignature) + le(UInt16(0)) + le(UInt16(0)) + counts + counts
          + le(UInt32(truncatingIfNeeded: directory.count))
          + le(UInt32(truncatingIfNeeded: position)) + le(UInt16(0)))
    }
  }

  private static func le(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }

  /// The directory's place as the end record of large archives has it.
  private static func end64(
    _ file: FileReader, before end: Int, _ path: String
  ) throws -> (count: Int, size: Int, start: Int) {
    guard end >= 20 else { throw corrupt(path, "its end") }
    let locator = Bytes(try file.bytes(at: end - 20, count: 20))
    guard let place = locator.int64(8), place <= file.size - 56 else { throw corrupt(path, "its end") }
    let record = Bytes(try file.bytes(at: place, count: 56))
    guard record.uint32(0) == end64Signature, let count = record.int64(32), let size = record.int64(40),
      let start = record.int64(48)
    else { throw corrupt(path, "its end") }
    return (count, size, start)
  }

  private static func entries(_ bytes: Bytes, _ count: Int, _ path: String) throws -> [Entry] {
    var (entries, names) = ([Entry](), Set<String>())
    var position = 0
    for _ in 0..<count {
      guard bytes.count - position >= 46, bytes.uint32(position) == directorySignature else {
        throw corrupt(path, "its directory")
      }
      let (nameLength, extraLength) = (bytes.uint16(position + 28), bytes.uint16(position + 30))
      let extra = position + 46 + nameLength
      let next = extra + extraLength + bytes.uint16(position + 32)
      guard next <= bytes.count, let name = String(validating: bytes.slice(position + 46, nameLength), as: UTF8.self),
        names.insert(name).inserted
      else { throw corrupt(path, "its directory") }
      let method = bytes.uint16(position + 10)
      guard method == 0 || method == 8, bytes.uint16(position + 8) & 1 == 0 else {
        throw FormatError(
          path: path, problem: "the entry \(quoted(name)) is encrypted, or packed by method \(method)",
          remedy: "Pack it anew, stored or deflated")
      }
      var sizes = [24, 20, 42].map { Int(bytes.uint32(position + $0)) }
      try readLargeSizes(&sizes, bytes, extra..<extra + extraLength, path)
      entries.append(
        Entry(
          name: name, isDeflated: method == 8, checksum: bytes.uint32(position + 16), packedSize: sizes[1],
          byteCount: sizes[0], offset: sizes[2]))
      position = next
    }
    return entries
  }

  /// Sizes that do not fit 32 bits stand in the extra field 1, in this order, and only they.
  private static func readLargeSizes(
    _ sizes: inout [Int], _ bytes: Bytes, _ extra: Range<Int>, _ path: String
  ) throws {
    var field = extra.lowerBound
    while extra.upperBound - field >= 4 {
      let end = field + 4 + bytes.uint16(field + 2)
      if bytes.uint16(field) == 1, end <= extra.upperBound {
        var position = field + 4
        for index in sizes.indices where sizes[index] == 0xFFFF_FFFF {
          guard end - position >= 8, let size = bytes.int64(position) else { throw corrupt(path, "its directory") }
          sizes[index] = size
          position += 8
        }
      }
      field = end
    }
  }

  private static func corrupt(_ path: String, _ what: String) -> FormatError {
    FormatError(path: path, problem: "\(what) is corrupt or cut", remedy: "Download or copy it again")
  }

  /// Little-endian numbers at any place.
  private struct Bytes {
    private let bytes: [UInt8]
    var count: Int { bytes.count }

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func slice(_ place: Int, _ length: Int) -> ArraySlice<UInt8> { bytes[place..<place + length] }
    func uint16(_ place: Int) -> Int { Int(bytes[place]) | Int(bytes[place + 1]) << 8 }
    func uint32(_ place: Int) -> UInt32 { UInt32(uint16(place)) | UInt32(uint16(place + 2)) << 16 }
    /// `nil` beyond what `Int` holds.
    func int64(_ place: Int) -> Int? { Int(exactly: UInt64(uint32(place)) | UInt64(uint32(place + 4)) << 32) }
  }
}
