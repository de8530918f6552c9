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
    try state.withLock { state in
      var given = try SavedTensors(tensors)
      let places = places(in: model, state, optimizer) { given.contains($0) }
      let counters = try counterNames.map { try given.take($0, TensorType(.scalar, .float64)) }
      let entries = try places.map { place in
        let value = place.parameter.current
        let slots = try place.kinds.map { try given.take(place.key($0), place.slotType($0)).to(value.device) }
        return (makeEntry(place.parameter, value, optimizer), slots)
      }
      try given.finish()
      for (slot, tensor) in zip(state.counters, counters) { slot.tensor = tensor }
      for (entry, tensors) in entries {
        for (slot, tensor) in zip(entry.slots, tensors) { slot.tensor = tensor }
        state.entries[ObjectIdentifier(entry.owner)] = entry
      }
    }
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

  /// - Parameter isGiven: whether a state to restore has this key: frozen parameters may have a place there. `nil` for
  ///   what is known now.
  private func places(
    in model: some Module, _ state: State, _ optimizer: some RuleOptimizer, isGiven: ((String) -> Bool)? = nil
  ) -> [Place] {
    model.namedParameters.compactMap { path, parameter in
      guard !parameter.isBuffer, let shape = parameter.shape else { return nil }
      let type = TensorType(shape, parameter.dtype.ofSteps)
      let place = Place(
        path: path, parameter: parameter, type: type, kinds: optimizer.slots(for: type),
        slots: state.entries[ObjectIdentifier(parameter)]?.slots)
      let isKnown = isGiven.map { isGiven in place.kinds.contains { isGiven(place.key($0)) } } ?? (place.slots != nil)
      return parameter.isTrainable || isKnown ? place : nil
    }
  }
}
