import CajalBase
import Testing

@Suite struct DynamicLibraryTests {
  @Test func findsTheFirstCandidateThatExists() throws {
    let library = try #require(DynamicLibrary.open(["libcajal-no-such-library.so"] + OptionalLibrary.zlib.candidates))
    #expect(OptionalLibrary.zlib.candidates.contains(library.name))
  }

  @Test func aMissingLibraryOrSymbolIsNil() throws {
    #expect(DynamicLibrary.open([]) == nil)
    #expect(DynamicLibrary.open(["libcajal-no-such-library.so"]) == nil)
    let library = try #require(OptionalLibrary.zlib.open())
    #expect(library.symbol("cajal_no_such_symbol", as: (@convention(c) () -> Void).self) == nil)
  }

  @Test func aSymbolIsCalledWithItsArguments() throws {
    typealias Checksum = @convention(c) (CUnsignedLong, UnsafePointer<UInt8>?, CUnsignedInt) -> CUnsignedLong
    let library = try #require(OptionalLibrary.zlib.open())
    let crc32 = try #require(library.symbol("crc32", as: Checksum.self))
    // The check value of CRC-32/ISO-HDLC.
    #expect(crc32(0, Array("123456789".utf8), 9) == 0xCBF4_3926)
  }

  @Test func everyOptionalLibrarySaysWhatItIsFor() {
    for library in OptionalLibrary.all {
      #expect(!library.name.isEmpty && !library.candidates.isEmpty)
      #expect(!library.lostWithout.isEmpty && !library.package.isEmpty)
    }
    #expect(OptionalLibrary.all.contains { $0.name == "zlib" && $0.package == "zlib1g" })
  }
}
