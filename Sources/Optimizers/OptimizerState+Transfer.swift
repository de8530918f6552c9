import CajalBase
import CajalIR
import CajalNN
import CajalTensor

// What an optimizer knows, out and in.

extension OptimizerState {
  func tensors(of model: some Module, by optimizer: some RuleOptimizer) -> [String: Tensor] {
    state.withLock { state in
      var found = Dictionary(uniqueKeysWithValues: zip(counterNames, state.counters.map(\.tensor)))
      for place in places(in: model, state, optimizer) {
        let tensors =
          place.slots?.map(\.tensor) ?? place.kinds.map { $0.make(for: place.type, on: place.parameter.current.device) }
        for (kind, tensor) in zip(place.kinds, tensors) { found[place.key(kind)] = tensor }
      }
      return found
    }
  }

  func restore(_ tensors: [String: Tensor], to model: some Module, by optimizer: some RuleOptimizer) throws {
    try eval(Array(tensors.values))
    try state.withLock { state in
      var rest = tensors
      func take(_ key: String, _ type: TensorType) throws -> Tensor {
        guard let tensor = rest.removeValue(forKey: key) else {
          throw refusal("there is no \(key)", remedy: "Pass all that `state(of:)` gave, of this kind of optimizer")
        }
        let given = TensorType(tensor.shape, tensor.dtype)
        if given == type { return tensor }
        throw refusal("\(key) is \(given), not \(type)", remedy: "Pass the state of an optimizer of this model")
      }
      let counters = try counterNames.map { try take($0, TensorType(.scalar, .float64)) }
      var entries: [(Entry, [Tensor])] = []
      for place in places(in: model, state, optimizer, givenKeys: Set(tensors.keys)) {
        let given = try place.kinds.map { try take(place.key($0), place.slotType($0)) }
        let value = place.parameter.current
        entries.append((makeEntry(place.parameter, value, optimizer), given.map { $0.to(value.device) }))
      }
      if let stranger = rest.keys.min() {
        throw refusal(
          "\(stranger) is of no parameter that this optimizer changes",
          remedy: "Pass the state of an optimizer of this kind and model; shapes must be known, so load the model first"
        )
      }
      for (slot, tensor) in zip(state.counters, counters) { slot.tensor = tensor }
      for (entry, given) in entries {
        for (slot, tensor) in zip(entry.slots, given) { slot.tensor = tensor }
        state.entries[ObjectIdentifier(entry.owner)] = entry
      }
    }
  }

  private func refusal(_ problem: String, remedy: String) -> TensorError {
    TensorError(.input, operation: "restore", problem, remedy: remedy)
  }

  /// A parameter that has slots, or would get them with its next gradient.
  private struct Place {
    let path: String
    let parameter: Parameter
    let type: TensorType
    let kinds: [SlotKind]
    let slots: [Slot]?

    func key(_ kind: SlotKind) -> String { "\(path)/\(kind.name)" }
    func slotType(_ kind: SlotKind) -> TensorType { TensorType(kind.shape ?? type.shape, type.dtype) }
  }

  /// - Parameter givenKeys: frozen parameters have a place too where these tell of one.
  private func places(
    in model: some Module, _ state: State, _ optimizer: some RuleOptimizer, givenKeys: Set<String> = []
  ) -> [Place] {
    model.namedParameters.compactMap { path, parameter in
      guard !parameter.isBuffer, let shape = parameter.shape else { return nil }
      let type = TensorType(shape, parameter.dtype)
      let place = Place(
        path: path, parameter: parameter, type: type, kinds: optimizer.slots(for: type),
        slots: state.entries[ObjectIdentifier(parameter)]?.slots)
      let isTold = place.kinds.contains { givenKeys.contains(place.key($0)) }
      let isKnown = givenKeys.isEmpty && place.slots != nil
      return parameter.isTrainable || isTold || isKnown ? place : nil
    }
  }
}
