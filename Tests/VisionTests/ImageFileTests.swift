import CajalBase
import CajalFormats
import Testing

@testable import CajalVision

@Suite struct ImageFileTests {
  @Test func everyKindOfFileIsReadAsItsBytes() throws {
    let golden = try Golden.read()
    #expect(golden.files.count == 22)
    for (name, told) in golden.files {
      let image = try Image.read(Golden.folder + name)
      #expect(image.isTold(by: told), "\(name): \(image)")
    }
  }

  @Test func naturalPicturesAreWhatPillowReads() throws {
    guard let folder = testData("images") else { return }
    let golden = try Golden.read().natural
    #expect(golden.count == 6)
    for (name, told) in golden {
      let image = try Image.read("\(folder)/\(name)")
      #expect(image.isTold(by: told), "\(name): \(image)")
      #expect(image.square.resized(width: 224, height: 224, .bicubic).checksum == told.small, "\(name)")
    }
  }

  @Test func picturesAreWrittenAndReadAgain() throws {
    try withTemporaryFolder { folder in
      for channels in 1...4 {
        let image = sample(channels)
        let path = "\(folder)/\(channels).PNG"
        try image.write(path)
        #expect(try Image.read(path) == image)
        #expect(try Image.decode(image.encoded(.png)) == image)
        // A smooth picture, which JPEG keeps nearly as it is; opacity is left out.
        let smooth = sample(channels, width: 3, height: 2).resized(width: 64, height: 48)
        try smooth.write("\(folder)/a.jpeg", quality: 98)
        let read = try Image.read("\(folder)/a.jpeg")
        let plain = channels > 2 ? smooth.rgb : smooth.gray
        #expect((read.width, read.height, read.channels) == (64, 48, plain.channels))
        let distance = zip(read.bytes, plain.bytes).map { abs(Int($0) - Int($1)) }.max()
        #expect(distance ?? 256 <= 12)
        #expect(try smooth.encoded(.jpeg, quality: 20).count < smooth.encoded(.jpeg, quality: 98).count)
      }
      expectError("neither PNG nor JPEG", "end in .png") { try sample(1).write(folder + "/a.gif") }
    }
  }

  @Test func otherFilesAreRefused() throws {
    expectError("neither as PNG nor as JPEG") { _ = try Image.decode(Array("GIF89a".utf8)) }
    expectError("it is empty") { _ = try Image.decode([]) }
    expectError("no such file") { _ = try Image.read(Golden.folder + "none.png") }
    expectError("no whole PNG") { _ = try Image.decode([0x89, 0x50, 0x4e, 0x47]) }
    expectError("no whole JPEG") { _ = try Image.decode([0xff, 0xd8, 0xff]) }
  }

  @Test func picturesThatClaimTooMuchAreRefusedBeforeMemoryIsTaken() throws {
    // 60,000 × 60,000 in the header of each kind.
    var png = try contents(of: Golden.folder + "3.png")
    png.replaceSubrange(16..<24, with: [0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60])
    let header = CRC32.ieee.of(Array(png[12..<29]))
    png.replaceSubrange(29..<33, with: withUnsafeBytes(of: header.bigEndian) { Array($0) })
    expectError("60000 × 60000 pixels", "limit is 67108864", "Raise the limit") { _ = try Image.decode(png) }
    var jpeg = try contents(of: Golden.folder + "color.jpg")
    // The start of frame: marker, length, 8 bits, height, width.
    let frame = try #require(jpeg.indices.dropLast(2).first { jpeg[$0] == 0xff && jpeg[$0 + 1] == 0xc0 })
    jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0xea, 0x60, 0xea, 0x60])
    expectError("60000 × 60000 pixels", "limit is 67108864") { _ = try Image.decode(jpeg) }
    expectError("37 × 23 pixels, and the limit is 850") { _ = try Image.read(Golden.folder + "3.png", limit: 850) }
    #expect(try Image.read(Golden.folder + "3.png", limit: 851).width == 37)
  }

  @Test func everyTruncationOfPixelsIsRefused() throws {
    for name in ["3.png", "3-interlaced.png", "color.jpg", "progressive.jpg", "gray.jpg"] {
      let whole = try contents(of: Golden.folder + name)
      // Of PNG, the last 12 bytes only say that it ends, and 4 more are a checksum of what was read.
      for count in stride(from: 0, to: whole.count - 20, by: 7) {
        #expect(throws: FormatError.self, "\(name) cut to \(count)") { _ = try Image.decode(Array(whole[..<count])) }
      }
    }
  }

  @Test func aScanThatEndsEarlyIsAPictureAsInOtherPrograms() throws {
    // Its end is marked, and a third of its pixels are missing: libjpeg-turbo warns of a "premature end of data segment".
    let whole = try contents(of: Golden.folder + "color.jpg")
    let image = try Image.decode(Array(whole[..<(whole.count * 5 / 6)]) + [0xff, 0xd9])
    #expect((image.width, image.height) == (37, 23))
  }

  @Test func aPictureThatCannotBeWrittenIsNoBrokenFile() throws {
    let line = try Image(width: 1_000_001, height: 1, channels: 1, bytes: [UInt8](repeating: 0, count: 1_000_001))
    expectError("1000001 × 1 picture", "cannot be a PNG", "Make it smaller") { _ = try line.encoded(.png) }
  }

  @Test func changedFilesAreReadOrRefused() throws {
    var draws = RandomDraws(key: 5)
    for name in try Golden.read().files.keys.sorted() {
      let whole = try contents(of: Golden.folder + name)
      for _ in 0..<(isFull ? 3000 : 300) {
        var bytes = whole
        for _ in 0...draws.index(4) {
          let place = draws.index(bytes.count)
          if draws.chance(0.7) { bytes[place] = UInt8(draws.index(256)) } else { bytes.remove(at: place) }
        }
        // Checked, so that changes reach beyond the checksums.
        if name.hasSuffix(".png"), draws.chance(0.7) { mendChecksums(&bytes) }
        do {
          let image = try Image.decode(bytes, limit: 1 << 20)
          #expect(image.bytes.count == image.width * image.height * image.channels)
        } catch is FormatError {}
      }
    }
  }

  /// Gives each chunk of a PNG file the checksum that it should have.
  private func mendChecksums(_ bytes: inout [UInt8]) {
    var place = 8
    while place + 12 <= bytes.count {
      let length = bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
      guard length <= bytes.count - place - 12 else { return }
      let checksum = CRC32.ieee.of(Array(bytes[place + 4..<place + 8 + length]))
      bytes.replaceSubrange(
        place + 8 + length..<place + 12 + length, with: withUnsafeBytes(of: checksum.bigEndian, Array.init))
      place += 12 + length
    }
  }

  @Test func noiseIsRefused() throws {
    var draws = RandomDraws(key: 6)
    for start in [[], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], [0xff, 0xd8, 0xff, 0xe0]] as [[UInt8]] {
      for _ in 0..<300 {
        let bytes = start + (0..<draws.index(200)).map { _ in UInt8(draws.index(256)) }
        #expect(throws: FormatError.self) { _ = try Image.decode(bytes) }
      }
    }
  }

  @Test func aMissingLibraryNamesItsPackage() {
    let absent = OptionalLibrary(name: "libpng", candidates: ["libnone.so"], lostWithout: "", package: "libpng16-16")
    expectError("libpng is needed", "libnone.so", "apt-get install libpng16-16") {
      _ = try Image.codec(PNGCodec?.none, absent, "a.png")
    }
  }
}
