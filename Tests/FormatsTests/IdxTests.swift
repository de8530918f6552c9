import Foundation
import Testing

@testable import CajalFormats

@Suite struct IdxTests {
  /// An idx file's bytes; `elements` are big-endian.
  private func idx(_ type: UInt8, _ shape: [Int], _ elements: [UInt8]) -> [UInt8] {
    [0, 0, type, UInt8(shape.count)] + shape.flatMap { littleEndian(UInt32($0)).reversed() } + elements
  }

  @Test func everyElementTypeComesInHostOrder() throws {
    func check<T: Equatable>(_ type: IdxElementType, _ elements: [UInt8], _ expected: [T]) throws {
      try withFile(idx(type.rawValue, [expected.count], elements)) { path in
        let array = try IdxFile.read(path)
        #expect(array.shape == [expected.count] && array.elementType == type)
        let values = array.bytes.withUnsafeBytes { bytes in
          (0..<expected.count).map { bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self) }
        }
        #expect(values == expected)
      }
    }
    try check(.uint8, [1, 255], [1, 255] as [UInt8])
    try check(.int8, [1, 255], [1, -1] as [Int8])
    try check(.int16, [1, 2, 255, 254], [258, -2] as [Int16])
    try check(.int32, [1, 2, 3, 4, 255, 255, 255, 255], [0x0102_0304, -1] as [Int32])
    try check(.float32, [0x3f, 0xc0, 0, 0], [1.5] as [Float])
    try check(.float64, [0xbf, 0xf8, 0, 0, 0, 0, 0, 0], [-1.5] as [Double])
  }

  @Test func compressionIsSeenInTheBytesNotInTheName() throws {
    let plain = idx(0x08, [2, 3], [1, 2, 3, 4, 5, 6])
    for bytes in [plain, try Gzip.compress(plain)] {
      let array = try withFile(bytes) { try IdxFile.read($0) }
      #expect(array == IdxArray(shape: [2, 3], elementType: .uint8, bytes: [1, 2, 3, 4, 5, 6]))
    }
  }

  @Test func anExtentMayBeZero() throws {
    let array = try withFile(idx(0x08, [0, 28, 28], [])) { try IdxFile.read($0) }
    #expect(array.shape == [0, 28, 28] && array.bytes.isEmpty)
  }

  @Test func everyTruncationIsRefused() throws {
    let plain = idx(0x0B, [2, 3], Array(0..<12))
    let packed = try Gzip.compress(plain)
    for whole in [plain, packed] {
      for count in 0..<whole.count {
        try withFile(Array(whole[..<count])) { path in
          expectError(path, path: path) { _ = try IdxFile.read(path) }
        }
      }
    }
    // Whole gzip around an idx file cut short.
    for count in 0..<plain.count {
      try withFile(try Gzip.compress(Array(plain[..<count]))) { path in
        expectError(path, path: path) { _ = try IdxFile.read(path) }
      }
    }
  }

  @Test func anEmptyFileIsRefused() throws {
    try withFile([]) { path in
      expectError("it is empty (0 bytes)", "Download", path: path) { _ = try IdxFile.read(path) }
    }
  }

  @Test func whatIsNoIdxFileIsRefused() throws {
    for start: [UInt8] in [[1, 0, 8, 1], [0, 0, 10, 1], [0, 0, 15, 1], [0, 0, 8, 0]] {
      try withFile(start + [0, 0, 0, 0]) { path in
        expectError("no idx file begins with 0", "at byte 0") { _ = try IdxFile.read(path) }
      }
    }
  }

  @Test func whatTheHeaderClaimsIsCheckedBeforeMemoryIsTaken() throws {
    let claims = [[1 << 31, 1 << 31, 1 << 31], [(1 << 32) - 1], [(1 << 32) - 1, (1 << 31)]]
    for shape in claims {
      let bytes = idx(0x0E, shape, [1, 2, 3])
      for bytes in [bytes, try Gzip.compress(bytes)] {
        try withFile(bytes) { path in
          expectError("claims shape \(shape) of float64", "at most") { _ = try IdxFile.read(path) }
        }
      }
    }
  }

  @Test func whatFollowsTheDataIsRefused() throws {
    let bytes = idx(0x08, [2], [1, 2, 3])
    for bytes in [bytes, try Gzip.compress(bytes)] {
      try withFile(bytes) { path in
        expectError("bytes follow the data at byte 10") { _ = try IdxFile.read(path) }
      }
    }
  }

  @Test func theChecksumOfGzipIsVerified() throws {
    var packed = try Gzip.compress(idx(0x08, [3], [1, 2, 3]))
    packed[packed.count - 5] ^= 0x80
    try withFile(packed) { path in
      expectError("checksum (CRC-32)") { _ = try IdxFile.read(path) }
    }
  }

  @Test func whatIsNoRegularFileIsRefusedWithoutWaiting() throws {
    try withTemporaryFolder { folder in
      expectError("this is a folder", "Name a file in it") { _ = try IdxFile.read(folder) }
      expectError("there is no such file") { _ = try IdxFile.read(folder + "/absent") }
      expectError("the path is empty") { _ = try IdxFile.read("") }
      expectError("zero byte") { _ = try IdxFile.read(folder + "/a\0b") }
      #expect(mkfifo(folder + "/pipe", 0o600) == 0)
      expectError("not a regular file") { _ = try IdxFile.read(folder + "/pipe") }
    }
    expectError("not a regular file") { _ = try IdxFile.read("/dev/zero") }
  }
}
