import CajalBase
import CajalFormats
import CajalTensor
import Foundation

/// Values that PyTorch 1.13 computed in float64 (`torch-golden` in the folder that `CAJAL_TEST_DATA` names; by default
/// the shared data beside the checkout).
struct GoldenFile {
  struct Case: Decodable {
    let name: String
    let inputs: [String: String]
    let parameters: [String: String]
    let buffers: [String: String]
    let outputs: [String]
    let outputGrads: [String?]
    let inputGrads: [String: String]
    let parameterGrads: [String: String]
    let buffersAfter: [String: String]?
  }

  private struct Index: Decodable { let cases: [Case] }

  static let folder: String = {
    if let named = ProcessInfo.processInfo.environment["CAJAL_TEST_DATA"], !named.isEmpty {
      return named + "/torch-golden"
    }
    // Golden, ConformanceTests, Tests, the checkout, and what it stands in.
    return URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../../shared/data/torch-golden")
      .standardized.path
  }()

  static let isPresent = FileManager.default.fileExists(atPath: folder + "/layers.json")

  let cases: [String: Case]
  private let tensors: SafetensorsFile

  init() throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let index = try decoder.decode(
      Index.self, from: Data(contentsOf: URL(fileURLWithPath: GoldenFile.folder + "/layers.json")))
    cases = Dictionary(uniqueKeysWithValues: index.cases.map { ($0.name, $0) })
    tensors = try SafetensorsFile.read(GoldenFile.folder + "/layers.safetensors")
  }

  struct Missing: Error { let name: String }

  /// The tensor called `name`; floats as `dtype`.
  func tensor(_ name: String, _ dtype: DType) throws -> Tensor {
    guard let entry = tensors[name] else { throw Missing(name: name) }
    let dtypes: [String: DType] = ["F32": .float32, "I64": .int64, "BOOL": .bool]
    guard let stored = dtypes[entry.dtype] else { throw Missing(name: "\(name) of \(entry.dtype)") }
    let tensor = try tensors.bytes(of: entry).withUnsafeBytes {
      Tensor(bytes: $0, shape: Shape(entry.shape), dtype: stored)
    }
    return stored.isFloat ? tensor.cast(to: dtype) : tensor
  }
}

/// The operands of one case, by name.
struct GoldenOperands {
  var tensors: [String: Tensor]

  subscript(_ name: String) -> Tensor { tensors[name]! }
  var x: Tensor { self["x"] }
  var y: Tensor { self["y"] }
  var z: Tensor { self["z"] }
  var weight: Tensor { self["weight"] }
  var bias: Tensor { self["bias"] }
}
