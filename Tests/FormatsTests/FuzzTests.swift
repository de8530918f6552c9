import Testing

@testable import CajalFormats

/// Changed files never bring the process down: they are read, or refused with a
/// `FormatError`. The seeds are fixed; `CAJAL_FULL=1` tries more of them.
@Suite struct FuzzTests {
  private let rounds = isFull ? 30_000 : 3_000

  /// Calls `read` with the path of a file that holds `bytes` changed at random,
  /// again and again; anything thrown but a `FormatError` fails the test.
  private func fuzz(_ bytes: [UInt8], seed: UInt64, _ read: (String) throws -> Void) throws {
    var generator = SplitMix64(state: seed)
    try withTemporaryFolder { folder in
      let path = folder + "/file"
      for round in 0..<rounds {
        try put(mutated(bytes, &generator), at: path)
        do { try read(path) } catch is FormatError {} catch { Issue.record("round \(round): \(error)") }
      }
    }
  }

  private func mutated(_ bytes: [UInt8], _ generator: inout SplitMix64) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
      let place = Int.random(in: 0..<bytes.count, using: &generator)
      switch Int.random(in: 0..<6, using: &generator) {
      case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 1: bytes[place] = UInt8.random(in: 0...255, using: &generator)
      case 2: bytes[place] = Array("{}[]\",:019-\\".utf8).randomElement(using: &generator)!
      case 3: bytes.insert(bytes[place], at: place)
      case 4: bytes.remove(at: place)
      default: bytes.removeSubrange(place..<min(place + 8, bytes.count))
      }
    }
    return bytes
  }

  @Test func changedGzipIsRefusedOrUnchanged() throws {
    let text = (0..<300).flatMap { Array("\($0 * $0) ".utf8) }
    let packed = try Gzip.compress(text)
    try fuzz(packed, seed: 3) { path in
      // The checksum lets through only what changes no data, such as the date.
      let read = try Gzip.decompress(file: path)
      #expect(read == text)
    }
  }

  @Test func changedIdxIsRefusedOrConsistent() throws {
    let bytes: [UInt8] = [0, 0, 0x0B, 2, 0, 0, 0, 3, 0, 0, 0, 2] + Array(0..<12)
    for (seed, bytes) in [(4, bytes), (5, try Gzip.compress(bytes))] {
      try fuzz(bytes, seed: UInt64(seed)) { path in
        let array = try IdxFile.read(path)
        #expect(array.shape.reduce(array.elementType.byteCount, *) == array.bytes.count)
      }
    }
  }

  @Test func changedSafetensorsIsRefusedOrConsistent() throws {
    let header = """
      {"__metadata__":{"format":"\\u00e9"},"a.b":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},\
      "c":{"dtype":"BOOL","shape":[3],"data_offsets":[16,19]},"d":{"dtype":"I64","shape":[],"data_offsets":[19,27]}}
      """
    try fuzz(safetensors(header, [UInt8](repeating: 1, count: 27)), seed: 6) { path in
      let file = try SafetensorsFile.read(path)
      for entry in file.tensors { #expect(try file.bytes(of: entry).count == entry.byteCount) }
    }
  }

  @Test func changedCSVIsRefusedOrEven() throws {
    let text = "age,name\n31,\"Ada, \"\"Countess\"\"\"\n4.5e1,Jos\u{e9}\n?,x\n"
    try fuzz(Array(text.utf8), seed: 8) { path in
      let file = try CSVReader(path)
      while let row = try file.next() { #expect(row.fields.count == file.columns) }
    }
  }

  @Test func changedJSONLinesAreReadOrRefused() throws {
    let text = "{\"a\":1.5e3,\"b\":\"x\\u00e9\"}\n{\"a\":null,\"c\":true}\n"
    try fuzz(Array(text.utf8), seed: 9) { path in
      let file = try JSONLinesReader(path)
      while try file.next() != nil {}
    }
  }

  @Test func changedNumPyFilesAreRefusedOrConsistent() throws {
    let array = NumPyArray(shape: [2, 3], dtype: .int16, bytes: Array(0..<12))
    try withTemporaryFolder { folder in
      try NumPyFile.write(array, to: folder + "/a.npy")
      try fuzz(try contents(of: folder + "/a.npy"), seed: 10) { path in
        let array = try NumPyFile.read(path)
        #expect(array.shape.reduce(array.dtype.byteCount, *) == array.bytes.count)
      }
      for compressed in [false, true] {
        try NumPyArchive.write(["a": array, "b": array], to: folder + "/a.npz", compressed: compressed)
        try fuzz(try contents(of: folder + "/a.npz"), seed: 11) { path in
          for (_, read) in try NumPyArchive.read(path) where read.shape == array.shape { #expect(read == array) }
        }
      }
    }
  }

  @Test func changedPyTorchFilesAreRefusedOrConsistent() throws {
    let names = ["views-zip", "views-legacy", "dtypes-legacy", "checkpoint-legacy-5", "checkpoint-legacy-2"]
    for (index, name) in names.enumerated() {
      try fuzz(try contents(of: pyTorchFile("\(name).pt")), seed: UInt64(12 + index), check)
    }
  }

  @Test func changedPicklesAreRefusedOrConsistent() throws {
    // In archives whose checksums are right, so that changes reach the pickle; and with other strides and extents.
    for (index, name) in ["views-zip", "checkpoint-zip-2", "checkpoint-zip-5"].enumerated() {
      var generator = SplitMix64(state: UInt64(20 + index))
      let archive = try ZipArchive(pyTorchFile("\(name).pt"))
      let entries = try archive.entries.map { (name: $0.name, bytes: try archive.read($0)) }
      try withTemporaryFolder { folder in
        for round in 0..<rounds / 10 {
          let path = "\(folder)/\(round)"
          let changed = entries.map { entry in
            guard entry.name.hasSuffix("data.pkl") else { return entry }
            let drawn = withOtherNumbers(entry.bytes, &generator)
            return (entry.name, round % 2 == 0 ? drawn : mutated(drawn, &generator))
          }
          try ZipArchive.write(changed, to: path, level: 0)
          do { try check(path) } catch is FormatError {} catch { Issue.record("round \(round): \(error)") }
        }
      }
    }
  }

  /// A pickle in which some of the numbers of one byte are others, up to the greatest.
  private func withOtherNumbers(_ pickle: [UInt8], _ generator: inout SplitMix64) -> [UInt8] {
    var pickle = pickle
    let places = pickle.indices.dropLast().filter { pickle[$0] == UInt8(ascii: "K") }
    for place in places.reversed() where Int.random(in: 0..<8, using: &generator) == 0 {
      let number = [0, 1, 2, 3, 8, 1 << 40, -1, .max].randomElement(using: &generator)!
      pickle.replaceSubrange(place..<place + 2, with: [0x8a, 8] + littleEndian(Int64(number)))
    }
    return pickle
  }

  /// Reads every tensor of a file of PyTorch.
  private func check(_ path: String) throws {
    let file = try PyTorchFile.read(path)
    for entry in file.tensors where SafetensorsDType.index(of: entry.dtype) != nil {
      let bits = SafetensorsDType.bitCount(of: entry.dtype) ?? 0
      #expect(try file.bytes(of: entry.name).count == entry.shape.reduce(bits / 8, *))
    }
  }

  @Test func noiseIsRefused() throws {
    var generator = SplitMix64(state: 7)
    for _ in 0..<rounds / 10 {
      let noise = (0..<Int.random(in: 0...64, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      try withFile(noise) { path in
        #expect(throws: FormatError.self) { _ = try Gzip.decompress(file: path) }
        #expect(throws: FormatError.self) { _ = try IdxFile.read(path) }
        #expect(throws: FormatError.self) { _ = try SafetensorsFile.read(path) }
        #expect(throws: FormatError.self) { _ = try PyTorchFile.read(path) }
      }
    }
  }
}
