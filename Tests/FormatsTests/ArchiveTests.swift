import CajalFormats
import Foundation
import Testing

@Suite struct ArchiveTests {
  @Test func checksumsAreThoseOfTheStandard() throws {
    // FIPS 180-4's examples, and lengths around a block's.
    for (text, expected) in [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
    ] {
      var checksum = SHA256()
      checksum.update(Array(text.utf8))
      #expect(checksum.hexadecimal() == expected)
      // Whatever the pieces.
      var pieces = SHA256()
      for byte in text.utf8 { pieces.update([byte]) }
      #expect(pieces.hexadecimal() == expected)
    }
    let million = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
    let checksum = try withFile(million) { try SHA256.of(file: $0) }
    #expect(checksum == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  /// An entry of a tar archive.
  private func entry(_ name: String, _ bytes: [UInt8], kind: UInt8 = UInt8(ascii: "0")) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, _ place: Int) { header.replaceSubrange(place..<place + text.utf8.count, with: text.utf8) }
    put(name, 0)
    put(String(bytes.count, radix: 8), 124)
    put("        ", 148)
    header[156] = kind
    put(String(header.reduce(0) { $0 + Int($1) }, radix: 8), 148)
    header[154] = 0
    return header + bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
  }

  private func read(_ archive: [UInt8]) throws -> [String: [UInt8]] {
    try withFile(archive) { path in
      var files: [String: [UInt8]] = [:]
      try TarArchive.forEachFile(in: path, withSuffix: ".bin") { files[$0] = $1 }
      return files
    }
  }

  @Test func filesOfATarArchiveAreFound() throws {
    let large = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
    let archive =
      entry("d/", [], kind: UInt8(ascii: "5")) + entry("d/a.bin", [1, 2]) + entry("note", large)
      + entry("d/b.bin", large) + [UInt8](repeating: 0, count: 1024)
    for bytes in [archive, try Gzip.compress(archive)] {
      #expect(try read(bytes) == ["d/a.bin": [1, 2], "d/b.bin": large])
    }
    for count in [1, 511, 600, 1100, 2700] { expectError("tar") { _ = try read(Array(archive[..<count])) } }
    var torn = archive
    torn[520] ^= 1
    expectError("tar") { _ = try read(torn) }
  }
}
