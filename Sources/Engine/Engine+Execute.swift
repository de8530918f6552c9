import CajalBackends
import CajalBase
import CajalIR
import CajalOperations

// Running a plan and publishing what came of it.

extension Engine {
  /// Waits for what the run reads, binds its arguments, and runs it.
  func execute(_ run: Run, _ plan: Plan, _ device: Device) {
    while let other = run.dependency { run.profile.time(.waiting) { other.wait() } }
    if let (error, inputs) = run.failedInputs {
      finish(run, .failure(RunFailure(error, failedOutputs: plan.outputsDepending(onInputs: inputs))), nil)
      return
    }
    let arguments = plan.borrowArguments()
    let isComplete = run.profile.time(.binding) { graphLock.withLock { _ in run.take(arguments, for: device) } }
    guard isComplete else {
      retry(run, arguments)
      plan.giveBack(arguments)
      return
    }
    do {
      try move(arguments, of: run, to: device)
      arguments.times = run.profile.map { _ in StepTimes() }
      plan.executable.run(arguments) { result in
        if let profile = run.profile, let times = arguments.times { profile.ran(plan, times) }
        self.finish(run, result, arguments)
        plan.giveBack(arguments)
      }
    } catch {
      finish(run, .failure(RunFailure(error)), arguments)
    }
  }

  /// Begins anew with the graph of a run of which a leaf is pending again, because the run that was to give it
  /// a value failed for something else.
  private func retry(_ run: Run, _ arguments: RunArguments) {
    graphLock.withLock { _ in
      run.putBack(arguments)
      run.giveUp()
    }
    run.markDone()
    start(run.targets, fallbacks: run.fallbacks, waits: false)
  }

  /// Copies inputs that lie elsewhere: what was made of literals alone may have been evaluated on any device.
  private func move(_ arguments: RunArguments, of run: Run, to device: Device) throws(TensorError) {
    for index in arguments.inputs.indices {
      guard let storage = arguments.inputs[index].storage, storage.device != device else { continue }
      let stored = StoredValue(storage, offset: arguments.inputs[index].offset)
      arguments.replace(index, with: try copied(stored, run.inputType(index), to: device))
    }
  }

  /// A copy on another device.
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
    var released: [Operands] = []
    var again: [Node] = []
    switch result {
    case .success(let stored):
      run.profile.time(.publishing) { graphLock.withLock { _ in run.publish(stored, &released) } }
    case .failure(let failure):
      for fallback in run.fallbacks { wait(for: fallback.old.node) }
      graphLock.withLock { _ in
        if let arguments { run.putBack(arguments) }
        again = run.publish(failure, &released)
      }
    }
    run.markDone()
    for operands in released { Node.release(operands) }
    if !again.isEmpty { start(again, waits: false) }
  }
}
