import CajalBackends
import CajalBase
import CajalIR
import CajalOperations
import Foundation
import Synchronization

/// Turns recorded graphs into values: finds or compiles the plan, runs it, publishes the results.
public final class Engine: Sendable {
  public static let shared = Engine()

  /// By the devices' numbers.
  private let backends: [any Backend]
  private let executors: [Executor]
  private let cache: PlanCache
  private let total = EngineMeter()

  init() {
    backends = [CPUBackend(), ReferenceBackend(), FakeBackend()]
    executors = Device.all.map { Executor("cajal.\($0)") }
    cache = PlanCache(capacity: Settings.process.planCacheCapacity)
    Recording.evaluator = { recording in Engine.shared.evaluatePending(recording) }
  }

  // MARK: Counters

  /// What happened since the process began.
  public var counters: EngineCounters { total.counters }

  /// Plans in the cache.
  public var cachedPlans: Int { cache.count }

  /// Forgets all plans.
  public func clearPlans() { cache.removeAll() }

  public func memory(of device: Device) -> MemoryStatistics {
    (try? backend(of: device).memory) ?? MemoryStatistics(liveBytes: 0, peakBytes: 0)
  }

  /// Threads that the CPU's kernels run on.
  public var threads: Int {
    get { CPUBackend.threads }
    set { CPUBackend.threads = newValue }
  }

  /// Bytes that tensors of the host can have.
  var availableMemory: Int { CPUBackend.availableMemory }

  /// The CPU's SIMD level and threads.
  public var cpuDescription: String { CPUBackend.description }

  /// The fake accelerator, for tests that make it fail.
  public var fake: FakeBackend? { backends.lazy.compactMap { $0 as? FakeBackend }.first }

  private func count(_ change: (inout EngineCounters) -> Void) {
    total.count(change)
    EngineMeter.current?.count(change)
    Profile.current?.count(change)
  }

  func backend(of device: Device) throws(TensorError) -> any Backend {
    guard backends.indices.contains(Int(device.id)) else {
      throw TensorError(
        .device, operation: "run", "there is no device \(device)",
        remedy: "Use one of \(Device.all.map(\.name).joined(separator: ", "))")
    }
    return backends[Int(device.id)]
  }

  // MARK: Entering values

  /// A value of host bytes in the memory of `device`; an error value where there is none.
  public func upload(_ bytes: UnsafeRawBufferPointer, _ type: TensorType, to device: Device) -> Value {
    do {
      let backend = try backend(of: device)
      let storage = try backend.allocate(bytes.count)
      try backend.upload(bytes, to: storage)
      return leafValue(type, StoredValue(storage))
    } catch {
      return errorValue(error)
    }
  }

  // MARK: Evaluating

  /// A step boundary: starts the new values, `others`, and what was recorded in `scope` and is still held, as one
  /// plan; and then whatever else this thread has pending that something holds, so that graphs never
  /// grow from step to step. In a function that is captured, all that when the function is recorded.
  public func step(_ changes: [Fallback], _ others: [Value] = [], with scope: DifferentiationScope? = nil) {
    if let capture = Capture.current {
      capture.atEnd { [self] in startStep(changes, others, with: scope) }
    } else {
      startStep(changes, others, with: scope)
    }
  }

  private func startStep(_ changes: [Fallback], _ others: [Value], with scope: DifferentiationScope?) {
    start((changes.map(\.new) + others).map(\.node), fallbacks: changes, alongside: scope, waits: false)
    startPending()
  }

  /// Starts what this thread has pending and something holds.
  public func startPending() {
    let recording = Recording.ofThread.takeUnretainedValue()
    recording.prune()
    startHeld(recording)
  }

  /// What of `recording`, which was pruned, something holds.
  private func startHeld(_ recording: Recording) {
    let held = graphLock.withLock { _ in Walk.held(in: recording) }
    if !held.isEmpty { startPruned(recording, held, [], nil, waits: false) }
  }

  /// Evaluates `values` and waits; throws the first error.
  public func evaluate(_ values: [Value]) throws(TensorError) {
    // What a function does then may depend on numbers.
    Capture.current?.refuse()
    // Values that ran beside one that failed are pending again, and run once more without it.
    repeat {
      start(values.map(\.node), waits: true)
      for value in values { wait(for: value.node) }
    } while values.contains { isStartable($0.node) }
    for value in values { try check(value) }
  }

  /// Evaluates `values` without blocking the thread; throws the first error.
  public func evaluated(_ values: [Value]) async throws(TensorError) {
    Capture.current?.refuse()
    repeat {
      start(values.map(\.node), waits: false)
      for value in values {
        while let run = claim(of: value.node) as? Run { await run.finished() }
      }
    } while values.contains { isStartable($0.node) }
    for value in values { try check(value) }
  }

  /// The bytes of a value: evaluates it, waits, copies.
  public func read(_ value: Value, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
    try evaluate([value])
    try copy(value, into: bytes)
  }

  /// The bytes of a value that is evaluated already.
  public func copy(_ value: Value, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError) {
    Capture.current?.refuse()
    let (payload, stored) = graphLock.withLock { _ in (value.node.payload, value.node.stored(value.index)) }
    if let stored {
      try backend(of: stored.storage.device).download(stored, into: bytes)
      return
    }
    if case .scalar(let scalar) = payload {
      let bits = scalar.bits(as: value.dtype)
      withUnsafeBytes(of: bits) {
        bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[0..<value.dtype.byteCount]))
      }
      return
    }
    throw TensorError(.backend, operation: "read", "the value is not there", remedy: "Evaluate it first")
  }

  private func claim(of node: Node) -> (any MaterializationInProgress)? {
    node.status == .claimed ? graphLock.withLock { _ in node.claimant } : nil
  }

  private func isStartable(_ node: Node) -> Bool { node.status == .pending && node.trace == nil }

  func wait(for node: Node) {
    while let run = claim(of: node) { Profile.current.time(.waiting) { run.wait() } }
  }

  /// Throws what went wrong with `value`, or with a step that it descends from and nobody looked at.
  private func check(_ value: Value) throws(TensorError) {
    let node = value.node
    if node.trace != nil {
      throw TensorError(
        .symbolic, operation: "read", "a value in the body of a scan has no number while the body is recorded",
        remedy: "Return it from the body and read the stacked result", site: CallSite.current())
    }
    let deferred = graphLock.withLock { _ in node.deferred }
    let isNews = deferred?.report() ?? false
    if let failure = node.failure { throw failure }
    if let deferred, isNews { throw deferred.error }
  }

  /// The recorder's limit was passed, or each operation is to be evaluated at once.
  private func evaluatePending(_ recording: Recording) {
    if recording.checksNaN {
      var nodes: [Node] = []
      recording.forEachPending { nodes.append($0) }
      NaNCheck.evaluate(nodes, self)
    } else {
      startHeld(recording)
    }
  }

  // MARK: Materialisation

  /// Sets evaluation of `nodes` going, with every value in their graphs that something still holds.
  ///
  /// - Parameters:
  ///   - scope: what was recorded in it and is held belongs to the plan too.
  ///   - waits: whether the caller will wait, and may as well do the work itself.
  func start(
    _ nodes: [Node], fallbacks: [Fallback] = [], alongside scope: DifferentiationScope? = nil, waits: Bool
  ) {
    let recording = Recording.ofThread.takeUnretainedValue()
    // Nodes that nobody can reach any more refer to others, and would make them look held.
    recording.prune()
    startPruned(recording, nodes, fallbacks, scope, waits: waits)
  }

  private func startPruned(
    _ recording: Recording, _ nodes: [Node], _ fallbacks: [Fallback], _ scope: DifferentiationScope?, waits: Bool
  ) {
    // Effects that this thread recorded happen now, in their order, whether or not anybody reads them.
    for effect in recording.pendingEffects { materialize([effect], fallbacks: [], nil, waits: false) }
    materialize(nodes, fallbacks: fallbacks, scope, waits: waits)
  }

  private func materialize(_ nodes: [Node], fallbacks: [Fallback], _ scope: DifferentiationScope?, waits: Bool) {
    let unborn = fallbacks.lazy.map(\.old.node).filter { $0.status == .pending }
    // Weights that were never evaluated have no value yet to fall back to.
    if !unborn.isEmpty { materialize(Array(unborn), fallbacks: [], nil, waits: false) }
    while true {
      switch Profile.current.time(.finding, { claimGraph(nodes, fallbacks, scope) }) {
      case .nothing: return
      case .transfers(let runs):
        for run in runs { transfer(run) }
      case .graph(let run, let request, let device):
        // What was claimed is the run's now: the thread's list must not keep it alive.
        Recording.ofThread.takeUnretainedValue().prune()
        submit(run, request, device, waits: waits)
        return
      }
    }
  }

  private enum Claim {
    case nothing
    case transfers([Run])
    case graph(Run, PlanRequest, Device)
  }

  /// A plan, or what to make one of.
  private enum PlanRequest {
    case found(Plan)
    case missing(PlanKey, Graph)
  }

  /// Walks and claims, in one hold of the lock: nobody computes a node twice.
  private func claimGraph(_ nodes: [Node], _ fallbacks: [Fallback], _ scope: DifferentiationScope?) -> Claim {
    let fallbackDevice = Scope.current.device
    return graphLock.withLock { _ in
      var targets = nodes.filter { $0.status == .pending && $0.trace == nil }
      guard !targets.isEmpty else { return .nothing }
      let walk = Walk.begin()
      for target in targets { walk.visit(target) }
      if let scope {
        for node in Walk.held(in: Recording.ofThread.takeUnretainedValue(), where: { !walk.passed($0) })
        where node.scope?.isInside(scope) ?? false {
          targets.append(node)
          walk.visit(node)
        }
      }
      if walk.isSymbolic { return .nothing }
      if !walk.transfers.isEmpty {
        return .transfers(walk.transfers.map { Run(claiming: $0.takeUnretainedValue()) })
      }
      walk.finish(fallback: fallbackDevice)
      let run = Run(walk, targets: targets, fallbacks: fallbacks)
      run.claim()
      // The nodes' marks are this walk's only while the lock is held.
      let request: PlanRequest = cache.find(walk.key).map { .found($0) } ?? .missing(walk.key, walk.makeGraph())
      return .graph(run, request, walk.device ?? fallbackDevice)
    }
  }

  private func submit(_ run: Run, _ request: PlanRequest, _ device: Device, waits: Bool) {
    let plan: Plan
    do {
      plan = try findPlan(request, device)
    } catch {
      finish(run, .failure(RunFailure(error)), nil)
      return
    }
    let executor = executors[Int(device.id)]
    // A small plan takes less time than waking another thread, unless it would have to wait for its turn.
    if device != .fake, waits || plan.isSmall && executor.isIdle, run.dependency == nil {
      run.markSubmitted()
      execute(run, plan, device)
    } else {
      run.profile.time(.waiting) {
        // Behind what it reads: one thread runs them all.
        run.awaitSubmissionOfDependencies()
        executor.submit { [self] in execute(run, plan, device) }
      }
      run.markSubmitted()
    }
  }

  private func findPlan(_ request: PlanRequest, _ device: Device) throws(TensorError) -> Plan {
    switch request {
    case .found(let plan):
      count {
        $0.planHits += 1
        $0.plansRun += 1
      }
      return plan
    case .missing(let key, let graph):
      let executable = try Profile.current.time(.compiling) { () throws(TensorError) in
        try backend(of: device).compile(graph)
      }
      let plan = Plan(graph: graph, executable: executable)
      let evictions = cache.insert(plan, for: key)
      count {
        $0.plansCompiled += 1
        $0.planEvictions += evictions
        $0.plansRun += 1
      }
      return plan
    }
  }
}
