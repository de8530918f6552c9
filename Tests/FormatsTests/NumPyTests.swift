import CajalBase
import Foundation
import Testing

@testable import CajalFormats

/// What numpy 2.4.6 wrote.
private enum Golden {
  /// numpy.save of numpy.arange(6, dtype='<f4').reshape(2, 3) / 2
  static let float32 = bytes(
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAgICAgICAgIC"
      + "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAPwAAgD8AAMA/AAAAQAAAIEA=")
  /// numpy.save of numpy.asfortranarray(numpy.arange(24, dtype='>i4').reshape(2, 3, 4))
  static let fortran = bytes(
    "k05VTVBZAQB2AHsnZGVzY3InOiAnPmk0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMywgNCksIH0gICAgICAgICAgIC"
      + "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAADAAAAAQAAAAQAAAACAAAABQAAAABAAAADQAAAAUA"
      + "AAARAAAACQAAABUAAAACAAAADgAAAAYAAAASAAAACgAAABYAAAADAAAADwAAAAcAAAATAAAACwAAABc=")
  /// numpy.lib.format.write_array of numpy.arange(3, dtype='i2'), version (2, 0)
  static let version2 = bytes(
    "k05VTVBZAgB0AAAAeydkZXNjcic6ICc8aTInLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMywpLCB9ICAgICAgICAgICAgIC"
      + "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAEAAgA=")
  /// numpy.savez(x = that of `float32`, y = [True, False])
  static let stored = bytes(
    "UEsDBC0AAAAAAAAAIQALwLB2//////////8FABQAeC5ucHkBABAAmAAAAAAAAACYAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxmNCcsIC"
      + "dmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCAzKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
      + "ICAgICAgICAgICAgICAgICAKAAAAAAAAAD8AAIA/AADAPwAAAEAAACBAUEsDBC0AAAAAAAAAIQDuGbtd//////////8FABQAeS5ucHkBABAAgg"
      + "AAAAAAAACCAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJ3xiMScsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCksIH0g"
      + "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAQBQSwECLQMtAAAAAAAAACEAC8Cwdp"
      + "gAAACYAAAABQAAAAAAAAAAAAAAgAEAAAAAeC5ucHlQSwECLQMtAAAAAAAAACEA7hm7XYIAAACCAAAABQAAAAAAAAAAAAAAgAHPAAAAeS5ucHlQ"
      + "SwUGAAAAAAIAAgBmAAAAiAEAAAAA")
  /// numpy.savez_compressed(x = numpy.zeros(50, dtype='i8'), s = numpy.float16(1.5))
  static let deflated = bytes(
    "UEsDBC0AAAAIAAAAIQCn8/5R//////////8FABQAeC5ucHkBABAAEAIAAAAAAABKAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TaaGuo6"
      + "Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GqYGOpo6CrUK5AMuhlEwqAAAUEsDBC0AAAAIAAAAIQBEeW1d//////////8FABQAcy5ucHkB"
      + "ABAAggAAAAAAAABEAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqSuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5Gpo6CrUKFA"
      + "EuBjsAUEsBAi0DLQAAAAgAAAAhAKfz/lFKAAAAEAIAAAUAAAAAAAAAAAAAAIABAAAAAHgubnB5UEsBAi0DLQAAAAgAAAAhAER5bV1EAAAAggAA"
      + "AAUAAAAAAAAAAAAAAIABgQAAAHMubnB5UEsFBgAAAAACAAIAZgAAAPwAAAAAAA==")

  private static func bytes(_ base64: String) -> [UInt8] { [UInt8](Data(base64Encoded: base64) ?? Data()) }
}

private let halves = NumPyArray(
  shape: [2, 3], dtype: .float32, bytes: [0, 0.5, 1, 1.5, 2, 2.5].flatMap { littleEndian(Float($0).bitPattern) })

@Suite struct NumPyTests {
  @Test func whatNumPyWroteIsRead() throws {
    let read = try withFile(Golden.float32) { try NumPyFile.read($0) }
    #expect(read == halves)
    try withFile(Golden.fortran) { path in
      let array = try NumPyFile.read(path)
      #expect(array.shape == [2, 3, 4] && array.dtype == .int32)
      #expect(array.bytes == (0..<24).flatMap { littleEndian(Int32($0)) })
    }
    try withFile(Golden.version2) { path in
      let array = try NumPyFile.read(path)
      #expect(array == NumPyArray(shape: [3], dtype: .int16, bytes: [0, 0, 1, 0, 2, 0]))
    }
  }

  @Test func archivesOfNumPyAreRead() throws {
    try withFile(Golden.stored) { path in
      let arrays = try NumPyArchive.read(path)
      #expect(arrays == ["x": halves, "y": NumPyArray(shape: [2], dtype: .bool, bytes: [1, 0])])
    }
    try withFile(Golden.deflated) { path in
      let arrays = try NumPyArchive.read(path)
      #expect(arrays["x"] == NumPyArray(shape: [50], dtype: .int64, bytes: [UInt8](repeating: 0, count: 400)))
      #expect(arrays["s"] == NumPyArray(shape: [], dtype: .float16, bytes: [0x00, 0x3E]))
    }
  }

  @Test func whatIsWrittenIsWhatNumPyWrites() throws {
    try withTemporaryFolder { folder in
      try NumPyFile.write(halves, to: folder + "/a.npy")
      let written = try contents(of: folder + "/a.npy")
      // NumPy pads with spaces to 128 bytes where 64 would do, so that the shape may grow in place.
      func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes[10..<bytes.count - 24], as: UTF8.self).filter { $0 != " " }
      }
      #expect(written[..<8] == Golden.float32[..<8] && text(written) == text(Golden.float32))
      #expect(written.suffix(24) == Golden.float32.suffix(24))
    }
  }

  @Test func everyDTypeAndShapeComesBack() throws {
    try withTemporaryFolder { folder in
      for dtype in DType.allCases where dtype != .bfloat16 {
        for shape in [[], [0], [3], [2, 0, 4], [2, 3, 2]] {
          let count = shape.reduce(1, *) * dtype.byteCount
          let bytes = (0..<count).map { dtype == .bool ? UInt8($0 % 2) : UInt8(truncatingIfNeeded: $0 * 7) }
          let array = NumPyArray(shape: shape, dtype: dtype, bytes: bytes)
          try NumPyFile.write(array, to: folder + "/a.npy")
          #expect(try NumPyFile.read(folder + "/a.npy") == array)
          #expect(try contents(of: folder + "/a.npy").count % 64 == count % 64)
        }
      }
      let half = NumPyArray(shape: [1], dtype: .bfloat16, bytes: [0x80, 0x3F])
      try NumPyFile.write(half, to: folder + "/b.npy")
      #expect(try NumPyFile.read(folder + "/b.npy").bytes == littleEndian(Float(1).bitPattern))
      expectError("5 bytes are not shape [2] of float32") {
        try NumPyFile.write(NumPyArray(shape: [2], dtype: .float32, bytes: [1, 2, 3, 4, 5]), to: folder + "/c.npy")
      }
    }
  }

  @Test func archivesComeBackAndEqualOnesAreEqualFiles() throws {
    let arrays = ["b": halves, "a/ä": NumPyArray(shape: [], dtype: .int8, bytes: [7])]
    try withTemporaryFolder { folder in
      for compressed in [false, true] {
        try NumPyArchive.write(arrays, to: folder + "/1.npz", compressed: compressed)
        try NumPyArchive.write(arrays, to: folder + "/2.npz", compressed: compressed)
        #expect(try NumPyArchive.read(folder + "/1.npz") == arrays)
        let (first, second) = (try contents(of: folder + "/1.npz"), try contents(of: folder + "/2.npz"))
        #expect(first == second)
      }
      try NumPyArchive.write([:], to: folder + "/1.npz")
      #expect(try NumPyArchive.read(folder + "/1.npz").isEmpty)
    }
  }

  @Test func hostileHeadersAreRefused() throws {
    func file(_ header: String, data: Int = 8) -> [UInt8] {
      NumPyFile.magic + [1, 0] + littleEndian(UInt16(header.utf8.count)) + header.utf8
        + [UInt8](repeating: 0, count: data)
    }
    let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
    let read = try withFile(file(good)) { try NumPyFile.read($0) }
    #expect(read.shape == [2])
    for (header, problem) in [
      (good.replacingOccurrences(of: "(2,)", with: "(4611686018427387904, 4)"), "claims shape"),
      (good.replacingOccurrences(of: "(2,)", with: "(99999999999999999999,)"), "no dictionary"),
      (good.replacingOccurrences(of: "(2,)", with: "(-2,)"), "no dictionary"),
      (good.replacingOccurrences(of: "(2,)", with: "(3,)"), "claims shape [3] of float32, and 8 bytes"),
      (good.replacingOccurrences(of: "<f4", with: "|O"), "pickled"),
      (good.replacingOccurrences(of: "f4", with: "U8"), "U8"),
      (good.replacingOccurrences(of: "<f4", with: "|f4"), "|f4"),
      (good.replacingOccurrences(of: "shape", with: "descr"), "no dictionary"), ("{}", "no dictionary"), ("", "no"),
      (good + "x", "no dictionary"), ("{'descr': '<f4'", "no dictionary"),
    ] {
      try withFile(file(header)) { path in expectError(problem, path: path) { _ = try NumPyFile.read(path) } }
    }
    for count in 0..<Golden.float32.count {
      try withFile(Array(Golden.float32[..<count])) { path in
        expectError(path) { _ = try NumPyFile.read(path) }
      }
    }
  }

  @Test func tornArchivesAreRefused() throws {
    for archive in [Golden.stored, Golden.deflated] {
      for count in stride(from: 0, to: archive.count, by: 3) {
        try withFile(Array(archive[..<count])) { path in
          expectError(path) { _ = try NumPyArchive.read(path) }
        }
      }
    }
    var torn = Golden.stored
    torn[150] ^= 1
    try withFile(torn) { path in expectError("CRC-32") { _ = try NumPyArchive.read(path) } }
  }
}
