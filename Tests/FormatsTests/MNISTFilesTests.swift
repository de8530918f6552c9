import CajalBase
import CajalFormats
import Foundation
import Testing

@Suite struct MNISTFilesTests {
  /// Four files with the shape, the first bytes and the CRC-32 of what each holds.
  @Test(arguments: [
    ("train-images-idx3-ubyte.gz", [60000, 28, 28], [0, 0, 0, 0, 0] as [UInt8], 0xf363_9b56 as CUnsignedLong),
    ("train-labels-idx1-ubyte.gz", [60000], [5, 0, 4, 1, 9], 0xba07_e8ef),
    ("t10k-images-idx3-ubyte.gz", [10000, 28, 28], [0, 0, 0, 0, 0], 0xe4ca_5f57),
    ("t10k-labels-idx1-ubyte.gz", [10000], [7, 2, 1, 0, 4], 0xee86_04d9),
  ])
  func theFilesInTheRepositoryAreWhole(name: String, shape: [Int], first: [UInt8], checksum: CUnsignedLong) throws {
    typealias Checksum = @convention(c) (CUnsignedLong, UnsafePointer<UInt8>?, CUnsignedInt) -> CUnsignedLong
    let crc32 = try #require(OptionalLibrary.zlib.open()?.symbol("crc32", as: Checksum.self))
    let array = try IdxFile.read(folder + name)
    #expect(array.shape == shape && array.elementType == .uint8)
    #expect(Array(array.bytes.prefix(5)) == first)
    #expect(crc32(0, array.bytes, CUnsignedInt(array.bytes.count)) == checksum)
  }

  private let folder =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
    + "/../../Sources/Data/Resources/mnist/"
}
