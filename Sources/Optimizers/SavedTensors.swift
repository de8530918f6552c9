import CajalBase
import CajalTensor

/// Tensors by name that must be exactly those that are asked for.
struct SavedTensors {
  private var rest: [String: Tensor]

  /// - Throws: where one of them is an error.
  init(_ tensors: [String: Tensor]) throws {
    try eval(Array(tensors.values))
    rest = tensors
  }

  func contains(_ key: String) -> Bool { rest[key] != nil }

  mutating func take(_ key: String, _ type: TensorType) throws -> Tensor {
    guard let tensor = rest.removeValue(forKey: key) else {
      throw refusal("there is no \(key)", remedy: "Pass all that was saved, of the same kind of optimizer or average")
    }
    let given = TensorType(tensor.shape, tensor.dtype)
    if given == type { return tensor }
    throw refusal("\(key) is \(given), not \(type)", remedy: "Pass what was saved of this model")
  }

  /// All must have been taken.
  func finish() throws {
    guard let stranger = rest.keys.min() else { return }
    throw refusal(
      "\(stranger) is of no parameter that changes here",
      remedy: "Pass what was saved of this model; shapes must be known, so load the model first")
  }

  private func refusal(_ problem: String, remedy: String) -> TensorError {
    TensorError(.input, operation: "restore", problem, remedy: remedy)
  }
}
