import CajalBase
import CajalNN
import CajalTensor

// What L-BFGS knows, out and in.

extension LBFGS {
  /// All that ``restore(_:to:)`` needs to go on bit for bit; nothing before the first step.
  ///
  /// **Shapes**, with n parameters in all and k moves remembered: `moves` and `changes` `[k, n]`, `gradient` and
  /// `direction` `[n]`, `length` and `scale` scalars.
  public func state(of model: some Module) -> [String: Tensor] {
    memory.withLock { memory in
      guard let gradient = memory.gradient, let direction = memory.direction else { return [:] }
      func stacked(_ vectors: [Tensor]) -> Tensor {
        vectors.isEmpty ? Tensor.zeros([0, gradient.count], dtype: gradient.dtype) : Tensor.stack(vectors)
      }
      return [
        "moves": stacked(memory.moves), "changes": stacked(memory.changes), "gradient": gradient,
        "direction": direction, "length": Tensor([memory.length], shape: []),
        "scale": Tensor([memory.scale], shape: []),
      ]
    }
  }

  /// Takes over what ``state(of:)`` gave.
  ///
  /// - Throws: ``TensorError`` where a tensor is missing, unknown, of another shape or dtype, or an error; nothing has
  ///   changed then.
  public func restore(_ state: [String: Tensor], to model: some Module) throws {
    var given = try SavedTensors(state)
    var new = Memory()
    if !state.isEmpty {
      let (count, dtype) = ParameterSpace.type(of: model)
      let remembered = state["moves"]?.shape[0] ?? 0
      func vectors(_ key: String) throws -> [Tensor] {
        let rows = try given.take(key, TensorType([remembered, count], dtype))
        return (0..<remembered).map { rows[$0] }
      }
      func number(_ key: String) throws -> Double {
        try given.take(key, TensorType(.scalar, .float64)).item(as: Double.self)
      }
      new.moves = try vectors("moves")
      new.changes = try vectors("changes")
      new.gradient = try given.take("gradient", TensorType([count], dtype))
      new.direction = try given.take("direction", TensorType([count], dtype))
      (new.length, new.scale) = (try number("length"), try number("scale"))
      try eval(new.moves + new.changes)
    }
    try given.finish()
    memory.withLock { $0 = new }
  }
}
