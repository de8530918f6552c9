import Foundation
import Testing

@testable import CajalFormats

@Suite struct SafetensorsWritingTests {
  private typealias Tensor = SafetensorsWriter.Tensor

  private func write(_ tensors: [Tensor], metadata: [String: String] = [:]) throws -> [UInt8] {
    try withTemporaryFolder { folder in
      try SafetensorsWriter.write(tensors, metadata: metadata, to: folder + "/a.safetensors")
      return try contents(of: folder + "/a.safetensors")
    }
  }

  /// Python's safetensors 0.8.0: one tensor of every dtype holding [[i % 2], [1]]
  /// for the i-th, a scalar with a difficult name, and one without elements.
  @Test func theBytesAreThoseOfTheReferenceImplementation() throws {
    let tensors = [
      Tensor(name: "t.bool", dtype: "BOOL", shape: [2, 1], bytes: [0, 1]),
      Tensor(name: "t.uint8", dtype: "U8", shape: [2, 1], bytes: [1, 1]),
      Tensor(name: "t.int8", dtype: "I8", shape: [2, 1], bytes: [0, 1]),
      Tensor(name: "t.int16", dtype: "I16", shape: [2, 1], bytes: [1, 0, 1, 0]),
      Tensor(name: "t.float16", dtype: "F16", shape: [2, 1], bytes: [0, 0, 0, 0x3c]),
      Tensor(name: "t.bfloat16", dtype: "BF16", shape: [2, 1], bytes: [0x80, 0x3f, 0x80, 0x3f]),
      Tensor(name: "t.int32", dtype: "I32", shape: [2, 1], bytes: littleEndian(0 as Int32) + littleEndian(1 as Int32)),
      Tensor(name: "t.float32", dtype: "F32", shape: [2, 1], bytes: [0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f]),
      Tensor(
        name: "t.float64", dtype: "F64", shape: [2, 1],
        bytes: littleEndian((0.0).bitPattern) + littleEndian((1.0).bitPattern)),
      Tensor(name: "t.int64", dtype: "I64", shape: [2, 1], bytes: littleEndian(1 as Int64) + littleEndian(1 as Int64)),
      Tensor(name: "b\"é\n\u{1}\u{7f}/", dtype: "F32", shape: [], bytes: [0, 0, 0x80, 0x3f]),
      Tensor(name: "Z", dtype: "F32", shape: [0, 3], bytes: []),
    ]
    let header =
      #"{"__metadata__":{"format":"pt \"q\"\t"# + "\u{2028}" + #""},"#
      + #""t.int64":{"dtype":"I64","shape":[2,1],"data_offsets":[0,16]},"#
      + #""t.float64":{"dtype":"F64","shape":[2,1],"data_offsets":[16,32]},"#
      + #""Z":{"dtype":"F32","shape":[0,3],"data_offsets":[32,32]},"#
      + #""b\"é\n\u0001"# + "\u{7f}" + #"/":{"dtype":"F32","shape":[],"data_offsets":[32,36]},"#
      + #""t.float32":{"dtype":"F32","shape":[2,1],"data_offsets":[36,44]},"#
      + #""t.int32":{"dtype":"I32","shape":[2,1],"data_offsets":[44,52]},"#
      + #""t.bfloat16":{"dtype":"BF16","shape":[2,1],"data_offsets":[52,56]},"#
      + #""t.float16":{"dtype":"F16","shape":[2,1],"data_offsets":[56,60]},"#
      + #""t.int16":{"dtype":"I16","shape":[2,1],"data_offsets":[60,64]},"#
      + #""t.int8":{"dtype":"I8","shape":[2,1],"data_offsets":[64,66]},"#
      + #""t.uint8":{"dtype":"U8","shape":[2,1],"data_offsets":[66,68]},"#
      + #""t.bool":{"dtype":"BOOL","shape":[2,1],"data_offsets":[68,70]}}    "#
    #expect(header.utf8.count == 808)
    let data = [9, 8, 11, 10, 7, 6, 5, 4, 3, 2, 1, 0].flatMap { tensors[$0].bytes }
    for order in [tensors, tensors.reversed()] {
      #expect(try write(order, metadata: ["format": "pt \"q\"\t\u{2028}"]) == safetensors(header, data))
    }
  }

  @Test func whatIsWrittenIsReadBack() throws {
    var generator = SplitMix64(state: 2)
    for round in 0..<50 {
      let tensors = (0..<Int.random(in: 0...12, using: &generator)).map { index in
        let (dtype, size) = SafetensorsDType.supported.randomElement(using: &generator)!
        let shape = (0..<Int.random(in: 0...3, using: &generator)).map { _ in Int.random(in: 0...4, using: &generator) }
        let top: UInt8 = dtype == "BOOL" ? 1 : 255
        let bytes = (0..<shape.reduce(size, *)).map { _ in UInt8.random(in: 0...top, using: &generator) }
        return Tensor(name: "layers.\(index).kérnel\"\\\n", dtype: dtype, shape: shape, bytes: bytes)
      }
      let metadata = round % 2 == 0 ? [:] : ["round": "\(round)", "b\u{0}": "🧠"]
      try withTemporaryFolder { folder in
        let path = folder + "/model.safetensors"
        try SafetensorsWriter.write(tensors, metadata: metadata, to: path)
        let file = try SafetensorsFile.read(path)
        #expect(file.metadata == metadata)
        #expect(file.tensors.count == tensors.count)
        for tensor in tensors {
          #expect(file[tensor.name]?.dtype == tensor.dtype && file[tensor.name]?.shape == tensor.shape)
          #expect(try file.bytes(of: tensor.name) == tensor.bytes)
        }
        let header = try contents(of: path).prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        #expect(header % 8 == 0)
      }
    }
  }

  @Test func tensorsThatDoNotFitAreRefusedBeforeAnythingIsWritten() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.safetensors"
      func expectRefused(_ tensors: [Tensor], _ parts: String...) {
        for part in parts { expectError(part, path: path) { try SafetensorsWriter.write(tensors, to: path) } }
      }
      let one = Tensor(name: "a", dtype: "U8", shape: [1], bytes: [1])
      expectRefused([one, one], #"tensor "a" comes twice"#)
      expectRefused([Tensor(name: "__metadata__", dtype: "U8", shape: [0], bytes: [])], "keeps for itself")
      expectRefused([Tensor(name: "a", dtype: "U32", shape: [0], bytes: [])], #"dtype "U32""#, "Convert")
      expectRefused([Tensor(name: "a", dtype: "F32", shape: [2], bytes: [1])], "comes with 1 bytes", "4 bytes for each")
      expectRefused([Tensor(name: "a", dtype: "U8", shape: [-1, -1], bytes: [1])], "shape [-1, -1]")
      expectRefused([Tensor(name: "a", dtype: "U8", shape: [1 << 62, 4], bytes: [])], "comes with 0 bytes")
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(left.isEmpty)
    }
  }

  @Test func anOpenFileStaysWhatItWas() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.safetensors"
      try SafetensorsWriter.write([Tensor(name: "a", dtype: "U8", shape: [2], bytes: [1, 2])], to: path)
      let file = try SafetensorsFile.read(path)
      try SafetensorsWriter.write([Tensor(name: "a", dtype: "U8", shape: [2], bytes: [3, 4])], to: path)
      #expect(try file.bytes(of: "a") == [1, 2])
      #expect(try SafetensorsFile.read(path).bytes(of: "a") == [3, 4])
    }
  }
}
