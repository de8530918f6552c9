import CajalBase
import Testing

@testable import CajalFormats

@Suite struct GzipTests {
  /// Compresses to less than itself, and is longer than a chunk of the stream.
  private let text = (0..<40_000).flatMap { Array("line \($0 % 97)\n".utf8) }

  @Test(arguments: [0, 1, 6, 9])
  func whatIsCompressedComesBack(level: Int) throws {
    var generator = SplitMix64(state: 1)
    let noise = (0..<200_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
    for bytes in [[], [7], text, noise] {
      let packed = try Gzip.compress(bytes, level: level)
      #expect(Gzip.isGzip(packed))
      #expect(try Gzip.decompress(packed) == bytes)
      let fromFile = try withFile(packed) { try Gzip.decompress(file: $0) }
      #expect(fromFile == bytes)
    }
  }

  @Test func readsWhatOthersWrote() throws {
    // printf 'cajal\n' | gzip -n -9
    let packed: [UInt8] = [
      0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x4b, 0x4e, 0xcc, 0x4a, 0xcc, 0xe1, 0x02, 0x00,
      0x6f, 0xf9, 0xe3, 0xaf, 0x06, 0x00, 0x00, 0x00,
    ]
    #expect(try Gzip.decompress(packed) == Array("cajal\n".utf8))
  }

  @Test func membersFollowEachOther() throws {
    let packed = try Gzip.compress(text) + Gzip.compress([]) + Gzip.compress([1, 2, 3])
    #expect(try Gzip.decompress(packed) == text + [1, 2, 3])
  }

  @Test func anEmptyFileIsRefused() throws {
    expectError("empty (0 bytes)") { _ = try Gzip.decompress([]) }
    try withFile([]) { path in
      expectError(path, "empty (0 bytes)", path: path) { _ = try Gzip.decompress(file: path) }
    }
  }

  @Test func everyTruncationIsRefused() throws {
    let packed = try Gzip.compress(Array("a short text, a short text".utf8))
    for count in 1..<packed.count {
      expectError("breaks off at byte \(count)", "truncated") { _ = try Gzip.decompress(Array(packed[..<count])) }
    }
    let two = packed + packed
    for count in packed.count + 1..<two.count {
      expectError("breaks off at byte \(count)") { _ = try Gzip.decompress(Array(two[..<count])) }
    }
  }

  @Test func aWrongChecksumOrLengthIsRefused() throws {
    var packed = try Gzip.compress(text)
    packed[packed.count - 8] ^= 1
    expectError("checksum (CRC-32)", "corrupt") { _ = try Gzip.decompress(packed) }
    packed[packed.count - 8] ^= 1
    packed[packed.count - 1] ^= 1
    expectError("the length before byte \(packed.count)", "corrupt") { _ = try Gzip.decompress(packed) }
  }

  @Test func corruptDataIsRefusedWithItsPlace() throws {
    var packed = try Gzip.compress(text)
    packed[10] |= 0b110  // a block of the type that does not exist
    expectError("corrupt near byte", "invalid block type") { _ = try Gzip.decompress(packed) }
    packed = try Gzip.compress(text)
    packed[2] = 7
    expectError("unknown compression method") { _ = try Gzip.decompress(packed) }
  }

  @Test func whatIsNotGzipIsRefused() throws {
    expectError("does not begin as gzip", "byte 0") { _ = try Gzip.decompress(Array("plain text".utf8)) }
  }

  @Test func whatFollowsTheEndIsRefused() throws {
    let packed = try Gzip.compress(text)
    expectError("follow the end", "byte \(packed.count)") { _ = try Gzip.decompress(packed + Array("more".utf8)) }
    expectError("byte \(packed.count)") { _ = try Gzip.decompress(packed + [0]) }
    expectError("follow the end", "byte \(packed.count)") { _ = try Gzip.decompress(packed + [0x1f, 0]) }
  }

  @Test func theResultIsBounded() throws {
    let packed = try Gzip.compress([UInt8](repeating: 0, count: 1 << 20))
    #expect(packed.count < 2000)
    #expect(try Gzip.decompress(packed, limit: 1 << 20).count == 1 << 20)
    expectError("more than the \(1 << 20 - 1) bytes") { _ = try Gzip.decompress(packed, limit: 1 << 20 - 1) }
  }

  @Test func withoutZlibTheErrorNamesThePackage() {
    let absent = OptionalLibrary(
      name: "zlib", candidates: ["libcajal-no-such-library.so"], lostWithout: "nothing", package: "zlib1g")
    expectError("zlib is needed", "libcajal-no-such-library.so", "apt-get install zlib1g", path: "a.gz") {
      _ = try GzipStream(path: "a.gz", library: absent) { _ in 0 }
    }
  }

  @Test func anUnknownLevelIsRefused() {
    expectError("compression level 10", "from 0 to 9") { _ = try Gzip.compress([1], level: 10) }
  }
}
