import CajalBackends
import CajalBase
import CajalIR
import CajalOperations

// Running a plan and publishing what came of it.

extension Engine {
  /// Waits for what the run reads, binds its arguments, and runs it.
  func execute(_ run: Run, _ plan: Plan, _ device: Device) {
    let dependencies = run.dependencies
    if !dependencies.isEmpty { run.profile.time(.waiting) { for dependency in dependencies { dependency.wait() } } }
    let leafStates = run.leaves.map { $0.node.status == .failed }
    if let failed = leafStates.firstIndex(of: true), let error = run.leaves[failed].node.failure {
      let failedOutputs = plan.outputsDepending(onInputs: leafStates)
      finish(run, .failure(RunFailure(error, failedOutputs: failedOutputs)), nil)
      return
    }
    let arguments = RunArguments(capacity: run.leaves.count)
    do {
      try run.profile.time(.binding) { () throws(TensorError) in try bind(run, device, to: arguments) }
      arguments.times = run.profile.map { _ in StepTimes() }
      plan.executable.run(arguments) { result in
        if let profile = run.profile, let times = arguments.times { profile.ran(plan, times) }
        self.finish(run, result, arguments)
      }
    } catch {
      finish(run, .failure(RunFailure(error)), arguments)
    }
  }

  /// The run's inputs. Values that nothing outside the run can reach any more are taken out of
  /// their nodes, for the run to write over.
  private func bind(_ run: Run, _ device: Device, to arguments: RunArguments) throws(TensorError) {
    for (index, leaf) in run.leaves.enumerated() {
      switch take(leaf, run, references: run.leafReferences[index]) {
      case .scalar(let bits): arguments.append(scalar: bits)
      case .stored(let stored, let isDonated):
        if stored.storage.device == device {
          arguments.append(stored, isDonated: isDonated)
        } else {
          arguments.append(try copied(stored, leaf.type, to: device), isDonated: false)
        }
      case .missing:
        throw TensorError(
          .backend, operation: "run", "an input has no value", remedy: "This is a defect; please report it")
      }
    }
  }

  private enum Bound {
    case scalar(UInt64)
    case stored(StoredValue, isDonated: Bool)
    case missing
  }

  private func take(_ leaf: Value, _ run: Run, references: Int32) -> Bound {
    graphLock.withLock { _ in
      switch leaf.node.payload {
      case .scalar(let scalar): return .scalar(scalar.bits(as: leaf.dtype))
      case .values(let values):
        guard let stored = values[leaf.index] else { return .missing }
        let isDonated =
          run.mayDonate && values.count == 1 && leaf.node.references.load(ordering: .acquiring) == Int(references)
        if isDonated { leaf.node.set(.ready, .none) }
        return .stored(stored, isDonated: isDonated)
      case .none, .run, .failure: return .missing
      }
    }
  }

  /// A copy on another device: for what was made of literals alone and evaluated elsewhere.
  private func copied(_ stored: StoredValue, _ type: TensorType, to device: Device) throws(TensorError) -> StoredValue {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, type.byteCount), alignment: 64)
    defer { bytes.deallocate() }
    let used = UnsafeMutableRawBufferPointer(rebasing: bytes[0..<type.byteCount])
    try backend(of: stored.storage.device).download(stored, into: used)
    let target = try backend(of: device)
    let storage = try target.allocate(type.byteCount)
    try target.upload(UnsafeRawBufferPointer(used), to: storage)
    return StoredValue(storage)
  }

  /// Carries out a transfer that was claimed.
  func transfer(_ run: Run) {
    let node = run.outputs[0]
    let operand = graphLock.withLock { _ in node.operands[0] }
    do {
      try evaluate([operand])
      guard let device = node.operation.target else { return }
      let type = operand.type
      let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, type.byteCount), alignment: 64)
      defer { bytes.deallocate() }
      let used = UnsafeMutableRawBufferPointer(rebasing: bytes[0..<type.byteCount])
      try copy(operand, into: used)
      let target = try backend(of: device)
      let storage = try target.allocate(type.byteCount)
      try target.upload(UnsafeRawBufferPointer(used), to: storage)
      finish(run, .success([StoredValue(storage)]), nil)
    } catch {
      finish(run, .failure(RunFailure(error)), nil)
    }
  }

  // MARK: Publishing

  /// Publishes a run's results, or what went wrong, and wakes whoever waits.
  func finish(_ run: Run, _ result: RunResult, _ arguments: RunArguments?) {
    var released: [Value] = []
    var again: [Node] = []
    switch result {
    case .success(let stored): released = run.profile.time(.publishing) { publish(run, stored) }
    case .failure(let failure):
      for old in run.fallbacks.values { wait(for: old.node) }
      if let arguments { putBack(run, arguments) }
      (released, again) = publish(run, failure)
    }
    run.interior = []
    run.markDone()
    Node.release(released)
    if !again.isEmpty { start(again.map { Value($0) }) }
  }

  private func publish(_ run: Run, _ stored: [StoredValue]) -> [Value] {
    graphLock.withLock { _ in
      let deferred = run.leaves.lazy.compactMap { $0.node.deferred }.first { !$0.isReported }
      var released: [Value] = []
      var index = 0
      for node in run.outputs {
        let count = node.types.count
        node.set(.ready, .values(stored[index..<index + count].map { $0 }))
        if let deferred { node.deferred = deferred }
        index += count
        released += history(of: node)
      }
      return released
    }
  }

  /// The operands that `node` lets go of, now that it has a value. Under graphLock.
  private func history(of node: Node) -> [Value] {
    if let scope = node.scope, scope.keep(node) { return [] }
    return node.takeOperands()
  }

  /// Values taken for donation go back to their nodes: a failed run did not write over them.
  private func putBack(_ run: Run, _ arguments: RunArguments) {
    graphLock.withLock { _ in
      for (index, leaf) in run.leaves.prefix(arguments.isDonated.count).enumerated()
      where arguments.isDonated[index] {
        guard let storage = arguments.inputs[index].storage else { continue }
        leaf.node.set(.ready, .values([StoredValue(storage, offset: arguments.inputs[index].offset)]))
      }
    }
  }

  /// New weights fall back to the old; what depends on the failure fails; the rest is pending again.
  ///
  /// - Returns: operands let go, and targets to be started once more.
  private func publish(_ run: Run, _ failure: RunFailure) -> (released: [Value], again: [Node]) {
    graphLock.withLock { _ in
      // The box of the value that failed before this run, if one did: one error is thrown once.
      let failedLeaf = run.leaves.first { $0.node.status == .failed }
      let box = failedLeaf?.node.deferred ?? DeferredError(failure.error)
      var released: [Value] = []
      var again: [Node] = []
      var index = 0
      for node in run.interior { node.set(.pending, .none) }
      for (number, node) in run.outputs.enumerated() {
        let results = index..<index + node.types.count
        index = results.upperBound
        let isToBlame = failure.failedOutputs.map { flags in results.contains { flags[$0] } }
        if let old = run.fallbacks[ObjectIdentifier(node)], fallBack(node, to: old) {
          node.deferred = box
          released += history(of: node)
        } else if isToBlame ?? run.isTarget[number] {
          node.set(.failed, .failure(failure.error))
          node.deferred = box
          released += history(of: node)
        } else {
          node.set(.pending, .none)
          if run.isTarget[number] { again.append(node) }
        }
      }
      return (released, again)
    }
  }

  /// Gives `node` the value of `old`. Under graphLock.
  private func fallBack(_ node: Node, to old: Value) -> Bool {
    switch old.node.payload {
    case .values(let values):
      node.set(.ready, .values([values[old.index]]))
      return true
    case .scalar(let scalar):
      node.set(.ready, .scalar(scalar))
      return true
    case .none, .run, .failure: return false
    }
  }
}
