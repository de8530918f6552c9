import Foundation
import Testing

@testable import CajalFormats

/// A file that `PyTorch/generate.py` wrote.
func pyTorchFile(_ name: String) -> String {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/PyTorch/" + name
}

/// The pickle that imports a function and calls it with a text.
func attack(_ module: String, _ function: String) -> [UInt8] {
  let call: [UInt8] = [0x85, 0x52, 0x2e]
  return [0x80, 2] + Array("c\(module)\n\(function)\nX".utf8) + littleEndian(UInt32(4)) + Array("true".utf8) + call
}

@Suite struct PyTorchTests {
  private let kinds = ["zip", "legacy"]

  private func floats(_ bytes: [UInt8]) -> [Float] {
    bytes.withUnsafeBytes { raw in
      (0..<bytes.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
  }

  @Test func viewsAreReadInRowMajorOrder() throws {
    for kind in kinds {
      let file = try PyTorchFile.read(pyTorchFile("views-\(kind).pt"))
      let base = (0..<24).map { Float($0 - 2) }
      let expected: [(name: String, shape: [Int], values: [Float])] = [
        ("base", [4, 6], base),
        ("transposed", [6, 4], (0..<24).map { base[$0 % 4 * 6 + $0 / 4] }),
        ("window", [2, 3], [7, 9, 11, 13, 15, 17].map { base[$0] }),
        ("column", [4], [3, 9, 15, 21].map { base[$0] }),
        ("expanded", [2, 3], [-2, -1, 0, -2, -1, 0]),
        ("empty", [0, 7], []),
        ("parameter", [2, 3], (0..<6).map { Float($0 - 2) }),
      ]
      for (name, shape, values) in expected {
        #expect(file[name]?.shape == shape && file[name]?.dtype == "F32", "\(name)")
        #expect(try floats(file.bytes(of: name)) == values, "\(name)")
      }
      #expect(file["scalar"]?.shape == [] && file["scalar"]?.dtype == "I64")
      #expect(try file.bytes(of: "scalar") == littleEndian(Int64(5)))
      #expect(file.tensors.count == expected.count + 1)
    }
  }

  @Test func everyDTypeIsReadOrRefusedByName() throws {
    let values = (0..<6).map { $0 - 2 }
    func bytes<T>(_ make: (Int) -> T) -> [UInt8] { values.map(make).withUnsafeBytes { Array($0) } }
    let expected: [(name: String, code: String, bytes: [UInt8])] = [
      ("float64", "F64", bytes { Double($0) }), ("float32", "F32", bytes { Float($0) }),
      // Small whole numbers: the exponents and no more.
      ("float16", "F16", bytes { [0xC000, 0xBC00, 0, 0x3C00, 0x4000, 0x4200][$0 + 2] as UInt16 }),
      ("bfloat16", "BF16", bytes { UInt16(Float($0).bitPattern >> 16) }),
      ("int64", "I64", bytes { Int64($0) }), ("int32", "I32", bytes { Int32($0) }),
      ("int16", "I16", bytes { Int16($0) }), ("int8", "I8", bytes { Int8($0) }),
      ("uint8", "U8", bytes { UInt8(truncatingIfNeeded: $0) }), ("bool", "BOOL", bytes { $0 != 0 }),
    ]
    for kind in kinds {
      let path = pyTorchFile("dtypes-\(kind).pt")
      let file = try PyTorchFile.read(path)
      for (name, code, bytes) in expected {
        #expect(file[name]?.dtype == code && file[name]?.shape == [2, 3], "\(name)")
        #expect(try file.bytes(of: name) == bytes, "\(name)")
      }
      expectError("complex64", "C64", path: path) { _ = try file.bytes(of: "complex64") }
    }
    let file = try PyTorchFile.read(pyTorchFile("dtypes-zip.pt"))
    #expect(file["uint16"]?.dtype == "U16")
    expectError("uint16", "U16") { _ = try file.bytes(of: "uint16") }
    expectError("no tensor \"float\"", "first tensors are \"float64\"") { _ = try file.bytes(of: "float") }
  }

  @Test func checkpointsOfEveryProtocolGiveTheirTensorsByPath() throws {
    for kind in kinds {
      for version in [2, 5] {
        let file = try PyTorchFile.read(pyTorchFile("checkpoint-\(kind)-\(version).pt"))
        let state = ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"]
        #expect(
          file.tensors.map(\.name).filter { $0.hasPrefix("state.") }
            == (state + ["1.num_batches_tracked"]).map { "state.\($0)" })
        #expect(file["state.0.weight"]?.shape == [3, 2])
        #expect(try floats(file.bytes(of: "state.0.weight")) == [-2, -1, 0, 1, 2, 3])
        #expect(file["optimizer.state.0.exp_avg"]?.shape == [3, 2])
        #expect(try file.bytes(of: "list.0") == littleEndian(Int32(-2)) + littleEndian(Int32(-1)))
      }
    }
  }

  @Test func picklesThatWouldRunProgramsAreRefusedByName() throws {
    for kind in kinds {
      let path = pyTorchFile("attack-\(kind).pt")
      expectError("posix.system", "could run any program", "state_dict", path: path) { _ = try PyTorchFile.read(path) }
    }
    for (module, function) in [("os", "system"), ("builtins", "eval"), ("__builtin__", "exec"), ("torch", "load")] {
      try withFile(attack(module, function)) { path in
        expectError("\"\(module).\(function)\"", "at byte 2") {
          let source = Pickle.Source(
            path: path, bytes: attack(module, function), globals: PyTorchCollector.globals, remedy: "None")
          _ = try Pickle(source)
        }
      }
    }
    // Whole models are objects of Python's classes.
    expectError("torch.nn.modules.linear.Linear") { _ = try PyTorchFile.read(pyTorchFile("module.pt")) }
  }

  @Test func otherFilesAreRefused() throws {
    try withFile(Array("not a checkpoint".utf8)) { path in
      expectError("begins neither", path: path) { _ = try PyTorchFile.read(path) }
    }
    try withFile([0x80, 2, 0x4b, 1, 0x2e]) { path in
      expectError("none that PyTorch's", path: path) { _ = try PyTorchFile.read(path) }
    }
    try withFile([]) { path in expectError("begins neither", path: path) { _ = try PyTorchFile.read(path) } }
    try withTemporaryFolder { folder in
      let path = folder + "/a.npz"
      try ZipArchive.write([("a.npy", [1, 2])], to: path, level: 0)
      expectError("without data.pkl", path: path) { _ = try PyTorchFile.read(path) }
      try ZipArchive.write([("a/data.pkl", [0x80, 2]), ("a/constants.pkl", [])], to: path, level: 0)
      expectError("TorchScript", path: path) { _ = try PyTorchFile.read(path) }
      try ZipArchive.write([("a/data.pkl", [0x80, 2]), ("a/byteorder", Array("big".utf8))], to: path, level: 0)
      expectError("big-endian", path: path) { _ = try PyTorchFile.read(path) }
    }
  }

  /// A file whose pickle says that it holds one tensor of four floats with this offset, shape and strides.
  private func claim(
    _ offset: Int, _ shape: [Int], _ strides: [Int], storage: [UInt8]? = nil, _ body: (String) throws -> Void
  ) throws {
    func tuple(_ numbers: [Int]) -> [UInt8] {
      [0x28] + numbers.flatMap { [0x8a, 8] + littleEndian(Int64($0)) } + [0x74]
    }
    func text(_ text: String) -> [UInt8] { [0x58] + littleEndian(UInt32(text.utf8.count)) + Array(text.utf8) }
    var pickle: [UInt8] = [0x80, 2, 0x7d]
    pickle += text("w")
    pickle += Array("ctorch._utils\n_rebuild_tensor_v2\n(".utf8)
    pickle += [0x28] + text("storage")
    pickle += Array("ctorch\nFloatStorage\n".utf8)
    pickle += text("0") + text("cpu")
    pickle += [0x4b, 4, 0x74, 0x51, 0x8a, 8]
    pickle += littleEndian(Int64(offset))
    pickle += tuple(shape) + tuple(strides)
    pickle += [0x89, 0x7d, 0x74, 0x52, 0x73, 0x2e]
    try withTemporaryFolder { folder in
      let path = folder + "/a.pt"
      let four = [Float](arrayLiteral: 1, 2, 3, 4).withUnsafeBytes { Array($0) }
      try ZipArchive.write([("a/data.pkl", pickle), ("a/data/0", storage ?? four)], to: path, level: 0)
      try body(path)
    }
  }

  @Test func tensorsBeyondTheirStorageAreRefused() throws {
    try claim(1, [3], [1]) { path in
      let bytes = try PyTorchFile.read(path).bytes(of: "w")
      #expect(floats(bytes) == [2, 3, 4])
    }
    let huge = Int.max
    // PyTorch gives an axis of one element any stride.
    try claim(0, [2, 1], [2, huge]) { path in
      let bytes = try PyTorchFile.read(path).bytes(of: "w")
      #expect(floats(bytes) == [1, 3])
    }
    var claims: [(offset: Int, shape: [Int], strides: [Int])] = []
    claims.append((0, [5], [1]))
    claims.append((2, [3], [1]))
    claims.append((0, [2, 2], [3, 1]))
    claims.append((-1, [1], [1]))
    claims.append((0, [2], [-1]))
    claims.append((0, [-1], [1]))
    claims.append((0, [huge], [huge]))
    claims.append((huge, [1], [1]))
    claims.append((0, [huge, huge], [1, 1]))
    claims.append((0, [2], [huge]))
    claims.append((huge, [huge], [0]))
    for (offset, shape, strides) in claims {
      try claim(offset, shape, strides) { path in
        expectError("\"w\"", path: path) { _ = try PyTorchFile.read(path) }
      }
    }
    try claim(0, [1 << 30, 8], [0, 0]) { path in
      expectError("far more than the 1 elements", path: path) { _ = try PyTorchFile.read(path) }
    }
  }

  @Test func loopsAndDepthAreRefused() throws {
    func read(_ pickle: [UInt8]) throws {
      try withTemporaryFolder { folder in
        let path = folder + "/a.pt"
        try ZipArchive.write([("a/data.pkl", pickle)], to: path, level: 0)
        _ = try PyTorchFile.read(path)
      }
    }
    // A list in itself.
    expectError("nested too deeply") { try read([0x80, 2, 0x5d, 0x71, 0, 0x68, 0, 0x61, 0x2e]) }
    // A tuple in a tuple, a hundred thousand times.
    expectError("nested too deeply") { try read([0x80, 2, 0x29] + [UInt8](repeating: 0x85, count: 100_000) + [0x2e]) }
    // The same items copied again and again.
    var copies: [UInt8] = [0x80, 2, 0x4e, 0x4e, 0x86, 0x71, 0, 0x30, 0x28]
    for _ in 0..<500 { copies += [0x68, 0] }
    copies += [0x74, 0x71, 1, 0x30]
    copies += Array("ccollections\nOrderedDict\n".utf8)
    copies += [0x71, 2, 0x30]
    for _ in 0..<500 { copies += [0x68, 2, 0x68, 1, 0x85, 0x52, 0x30] }
    expectError("copies the same items") { try read(copies + [0x4e, 0x2e]) }
  }

  @Test func aPickleHoldsNoMoreThanItsLimit() throws {
    func read(_ opcodes: [UInt8], limit: Int) throws {
      let pickle = [0x80, 2, 0x29] + opcodes + [0x2e]
      _ = try Pickle(
        Pickle.Source(path: "a", bytes: pickle, globals: PyTorchCollector.globals, remedy: "None", limit: limit))
    }
    // Tuples in tuples, persistent objects, things remembered, marks, and what only stands on the stack.
    for code in [0x85, 0x51, 0x94, 0x28, 0x4e] as [UInt8] {
      let opcodes = [UInt8](repeating: code, count: 1000)
      expectError("would hold more than 900 values", path: "a") { try read(opcodes, limit: 900) }
      if code != 0x28 { try read(opcodes, limit: 4000) }
    }
    expectError("would hold more than") { try read([UInt8](repeating: 0x85, count: 1 << 22), limit: 1 << 16) }
  }

  @Test func aDeflatedStorageUnfoldsToNoMoreThanItsLimit() throws {
    try claim(0, [4], [1], storage: [UInt8](repeating: 1, count: 1_100_000)) { path in
      // As the directory has it: method 8, and 2^30 + 1 bytes.
      var bytes = try contents(of: path)
      let signature: [UInt8] = [0x50, 0x4b, 1, 2]
      let entry = try #require(bytes.indices.dropLast(46).last { Array(bytes[$0..<$0 + 4]) == signature })
      bytes[entry + 10] = 8
      bytes.replaceSubrange(entry + 24..<entry + 28, with: littleEndian(UInt32(1 << 30 + 1)))
      try put(bytes, at: path)
      expectError("would unfold to 1073741825 bytes", path: path) { _ = try PyTorchFile.read(path).bytes(of: "w") }
    }
  }

  @Test func aStorageThatTensorsShareIsReadOnce() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/a.pt"
      try put(try contents(of: pyTorchFile("views-zip.pt")), at: path)
      let file = try PyTorchFile.read(path)
      let window = try file.bytes(of: "window")
      // What was read is kept: another tensor of it needs no file.
      try put([], at: path)
      let transposed = try file.bytes(of: "transposed")
      #expect(floats(window) == [5, 7, 9, 11, 13, 15] && transposed.count == 96)
    }
  }

  @Test func weightFilesAreOfEitherFormat() throws {
    let file = try WeightFile.read(pyTorchFile("views-legacy.pt"))
    #expect(file["window"] == WeightFile.Entry(name: "window", dtype: "F32", shape: [2, 3]) && file.metadata.isEmpty)
    #expect(try floats(file.bytes(of: "column")) == [1, 7, 13, 19])
    let header = #"{"__metadata__":{"a":"b"},"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#
    try withFile(safetensors(header, [7, 8])) { path in
      let file = try WeightFile.read(path)
      #expect(file.metadata == ["a": "b"] && file.tensors.map(\.name) == ["x"])
      #expect(try file.bytes(of: "x") == [7, 8])
    }
    try withFile([1, 2, 3]) { path in
      expectError("safetensors", path: path) { _ = try WeightFile.read(path) }
    }
  }

  @Test func aNetworkThatOthersTrainedHasPyTorchsValues() throws {
    guard let path = testData("models/burn-mnist-cnn/mnist.pt") else { return }
    let file = try WeightFile.read(path)
    // CRC-32 of each tensor's bytes, by torch 2.13 and zlib.
    let expected: [(name: String, shape: [Int], checksum: UInt32)] = [
      ("conv1.weight", [8, 1, 3, 3], 76_649_162), ("conv2.weight", [16, 8, 3, 3], 2_784_187_338),
      ("conv3.bias", [24], 3_621_840_327), ("norm1.running_var", [24], 1_991_545_397),
      ("norm1.num_batches_tracked", [], 1_286_952_973), ("fc1.weight", [32, 11616], 614_815_716),
      ("fc2.weight", [10, 32], 3_921_434_128), ("norm2.running_mean", [10], 1_419_776_744),
    ]
    for (name, shape, checksum) in expected {
      #expect(file[name]?.shape == shape, "\(name)")
      #expect(try CRC32.ieee.of(file.bytes(of: name)) == checksum, "\(name)")
    }
    guard let other = testData("models/burn-mnist-cnn/mnist.safetensors") else { return }
    let names = try WeightFile.read(other).tensors
    #expect(names.count == 20)
    for entry in names { #expect(file[entry.name] == entry) }
  }
}
