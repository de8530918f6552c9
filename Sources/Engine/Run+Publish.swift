import CajalBackends
import CajalBase
import CajalIR

// What a run takes out of its nodes, and what it puts into them. All of it under graphLock.

extension Run {
  /// Calls `body` with each leaf and the number of its first input.
  private func forEachLeaf(_ body: (_ leaf: Node, _ references: Int32, _ input: Int) -> Void) {
    var input = 0
    for (leaf, references) in leaves {
      leaf._withUnsafeGuaranteedRef { leaf in
        body(leaf, references, input)
        input += leaf.types.count
      }
    }
  }

  /// The type of input `index`. Takes no lock: types do not change.
  func inputType(_ index: Int) -> TensorType {
    var type: TensorType?
    forEachLeaf { leaf, _, input in
      if index >= input, index < input + leaf.types.count { type = leaf.types[index - input] }
    }
    // There are as many inputs as leaves have results.
    return type!
  }

  /// The error of the first leaf that failed, and which inputs failed. Takes no lock: failures stay.
  var failedInputs: (error: TensorError, inputs: [Bool])? {
    var error: TensorError?
    for (leaf, _) in leaves where leaf._withUnsafeGuaranteedRef({ $0.status == .failed }) {
      error = leaf._withUnsafeGuaranteedRef { $0.failure }
      break
    }
    guard let error else { return nil }
    var inputs: [Bool] = []
    forEachLeaf { leaf, _, _ in
      inputs += [Bool](repeating: leaf.status == .failed, count: leaf.types.count)
    }
    return (error, inputs)
  }

  /// Moves the values of the leaves into `arguments`; false where one has none. A value that nothing outside
  /// the run can reach any more leaves its node, for the run to write over.
  func take(_ arguments: RunArguments, for device: Device) -> Bool {
    var isComplete = true
    forEachLeaf { leaf, references, _ in
      switch leaf.payload {
      case .value(let stored):
        let isReachable = leaf.references.load(ordering: .acquiring) > Int(references)
        let isDonated = mayDonate && !isReachable && leaf.device == device
        if isDonated { leaf.set(.ready, .none) }
        arguments.append(stored, isDonated: isDonated)
      case .scalar(let scalar): arguments.append(scalar: scalar.bits(as: leaf.types.first.dtype))
      case .values(let values):
        for stored in values {
          if let stored { arguments.append(stored, isDonated: false) } else { arguments.append(scalar: 0) }
          isComplete = isComplete && stored != nil
        }
      case .none, .run, .failure:
        for _ in 0..<leaf.types.count { arguments.append(scalar: 0) }
        isComplete = false
      }
    }
    return isComplete
  }

  /// Values taken for donation go back to their nodes: a failed run did not write over them.
  func putBack(_ arguments: RunArguments) {
    forEachLeaf { leaf, _, input in
      guard arguments.isDonated.indices.contains(input), arguments.isDonated[input] else { return }
      guard let storage = arguments.inputs[input].storage else { return }
      leaf.set(.ready, .value(StoredValue(storage, offset: arguments.inputs[input].offset)))
    }
  }

  /// Gives the claims up: all is pending again.
  func giveUp() {
    for node in interior { node._withUnsafeGuaranteedRef { $0.set(.pending, .none) } }
  }

  /// Gives nodes their values. What they let go of goes to `released`.
  func publish(_ stored: [StoredValue], _ released: inout [Operands]) {
    var deferred: DeferredError?
    forEachLeaf { leaf, _, _ in
      if let error = leaf.deferred, deferred == nil, !error.isReported { deferred = error }
    }
    released.reserveCapacity(outputs.count)
    var index = 0
    for node in outputs {
      let count = node.types.count
      node.set(.ready, count == 1 ? .value(stored[index]) : .values(stored[index..<index + count].map { $0 }))
      if let deferred { node.deferred = deferred }
      index += count
      letGo(of: node, &released)
    }
  }

  /// The operands of `node`, which has a value now, go, unless a scope keeps them.
  private func letGo(of node: Node, _ released: inout [Operands]) {
    if let scope = node.scope, scope.keep(node) { return }
    released.append(node.takeOperands())
  }

  /// New weights fall back to the old; what depends on the failure fails; the rest is pending again.
  ///
  /// - Returns: targets to be started once more.
  func publish(_ failure: RunFailure, _ released: inout [Operands]) -> [Node] {
    // The box of the value that failed before this run, if one did: one error is thrown once.
    var box: DeferredError?
    forEachLeaf { leaf, _, _ in
      if leaf.status == .failed, box == nil { box = leaf.deferred ?? DeferredError(failure.error) }
    }
    let error = box ?? DeferredError(failure.error)
    let asked = Set(targets.map { ObjectIdentifier($0) })
    let olds = Dictionary(
      fallbacks.map { (ObjectIdentifier($0.new.node), $0.old) }, uniquingKeysWith: { first, _ in first })
    var again: [Node] = []
    var index = 0
    giveUp()
    for node in outputs {
      let results = index..<index + node.types.count
      index = results.upperBound
      let isTarget = asked.contains(ObjectIdentifier(node))
      let isToBlame = failure.failedOutputs.map { flags in results.contains { flags[$0] } }
      if let old = olds[ObjectIdentifier(node)], fallBack(node, to: old) {
        node.deferred = error
        letGo(of: node, &released)
      } else if isToBlame ?? isTarget {
        node.set(.failed, .failure(failure.error))
        node.deferred = error
        letGo(of: node, &released)
      } else if isTarget {
        again.append(node)
      }
    }
    return again
  }

  /// Gives `node` the value of `old`.
  private func fallBack(_ node: Node, to old: Value) -> Bool {
    if let stored = old.node.stored(old.index) {
      node.set(.ready, .value(stored))
    } else if case .scalar = old.node.payload {
      node.set(.ready, old.node.payload)
    } else {
      return false
    }
    return true
  }
}
