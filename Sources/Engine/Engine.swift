import CajalBackends
import CajalBase
import CajalIR
import CajalOperations
import Foundation
import Synchronization

/// Turns recorded graphs into values: finds or compiles the plan, runs it, publishes the results.
public final class Engine: Sendable {
  public static let shared = Engine()

  private let backends: [Device: any Backend]
  private let executors: [Device: Executor]
  private let cache: PlanCache
  private let total = EngineMeter()

  init() {
    backends = [.cpu: CPUBackend(), .reference: ReferenceBackend(), .fake: FakeBackend()]
    executors = Dictionary(uniqueKeysWithValues: Device.all.map { ($0, Executor("cajal.\($0)")) })
    cache = PlanCache(capacity: Settings.process.planCacheCapacity)
    PendingNodes.evaluator = { nodes in Engine.shared.evaluatePending(nodes) }
  }

  // MARK: Counters

  /// What happened since the process began.
  public var counters: EngineCounters { total.counters }

  /// Plans in the cache.
  public var cachedPlans: Int { cache.count }

  /// Forgets all plans.
  public func clearPlans() { cache.removeAll() }

  public func memory(of device: Device) -> MemoryStatistics {
    backends[device]?.memory ?? MemoryStatistics(liveBytes: 0, peakBytes: 0)
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
  public var fake: FakeBackend? { backends[.fake] as? FakeBackend }

  private func count(_ change: (inout EngineCounters) -> Void) {
    total.count(change)
    EngineMeter.current?.count(change)
    Profile.current?.count(change)
  }

  func backend(of device: Device) throws(TensorError) -> any Backend {
    guard let backend = backends[device] else {
      throw TensorError(
        .device, operation: "run", "there is no device \(device)",
        remedy: "Use one of \(Device.all.map(\.name).joined(separator: ", "))")
    }
    return backend
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

  /// Sets evaluation of `values` going, with every value in their graphs that something still holds.
  ///
  /// - Parameter fallbacks: for a new value the old one that it becomes if the run fails: a failed
  ///   step leaves weights as they were.
  public func start(_ values: [Value], fallbacks: [(new: Value, old: Value)] = []) {
    start(nodes: values.map(\.node), fallbacks: fallbacks, inlineIfReady: false)
  }

  /// A step boundary: starts `values`, and what was recorded in `scope` and is still held, as one
  /// plan; and then whatever else this thread has pending that something holds, so that graphs never
  /// grow from step to step.
  public func step(
    _ values: [Value], fallbacks: [(new: Value, old: Value)] = [], with scope: DifferentiationScope? = nil
  ) {
    let held = heldNodes(PendingNodes.ofThread.takeAlive())
    let members = held.filter { node in scope.map { node.scope?.isInside($0) ?? false } ?? false }
    start(nodes: values.map(\.node) + members, fallbacks: fallbacks, inlineIfReady: false)
    startPending()
  }

  /// Starts what this thread has pending and something holds.
  public func startPending() {
    let alive = PendingNodes.ofThread.takeAlive()
    let held = heldNodes(alive)
    if !held.isEmpty { start(nodes: held, fallbacks: [], inlineIfReady: false) }
  }

  /// Nodes that something besides the other nodes refers to.
  private func heldNodes(_ nodes: [Node]) -> [Node] {
    guard !nodes.isEmpty else { return [] }
    return graphLock.withLock { _ in
      for node in nodes { for operand in node.operands { operand.node.walkReferences = 0 } }
      for node in nodes { node.walkReferences = 0 }
      for node in nodes { for operand in node.operands { operand.node.walkReferences += 1 } }
      return nodes.filter { $0.status == .pending && $0.references.load(ordering: .acquiring) > Int($0.walkReferences) }
    }
  }

  /// Evaluates `values` and waits; throws the first error.
  public func evaluate(_ values: [Value]) throws(TensorError) {
    // Values that ran beside one that failed are pending again, and run once more without it.
    repeat {
      start(nodes: values.map(\.node), fallbacks: [], inlineIfReady: true)
      for value in values { wait(for: value.node) }
    } while values.contains { isStartable($0.node) }
    for value in values { try check(value) }
  }

  /// Evaluates `values` without blocking the thread; throws the first error.
  public func evaluated(_ values: [Value]) async throws(TensorError) {
    repeat {
      start(nodes: values.map(\.node), fallbacks: [], inlineIfReady: false)
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
    switch payload(of: value.node) {
    case .values(let stored):
      guard let stored = stored[value.index] else { break }
      try backend(of: stored.storage.device).download(stored, into: bytes)
      return
    case .scalar(let scalar):
      let bits = scalar.bits(as: value.dtype)
      withUnsafeBytes(of: bits) {
        bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[0..<value.dtype.byteCount]))
      }
      return
    case .none, .run, .failure: break
    }
    throw TensorError(.backend, operation: "read", "the value is not there", remedy: "Evaluate it first")
  }

  private func payload(of node: Node) -> Node.Payload { graphLock.withLock { _ in node.payload } }

  private func claim(of node: Node) -> (any MaterializationInProgress)? {
    graphLock.withLock { _ in
      if node.status == .claimed, case .run(let run) = node.payload { return run }
      return nil
    }
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
  private func evaluatePending(_ nodes: [Node]) {
    if Settings.process.checksNaN {
      NaNCheck.evaluate(nodes, self)
    } else {
      let held = heldNodes(nodes)
      start(nodes: held, fallbacks: [], inlineIfReady: false)
    }
  }

  // MARK: Materialisation

  private func start(nodes: [Node], fallbacks: [(new: Value, old: Value)], inlineIfReady: Bool) {
    PendingNodes.ofThread.prune()
    // Effects that this thread recorded happen now, in their order, whether or not anybody reads them.
    for effect in PendingNodes.ofThread.pendingEffects { materialize([effect], fallbacks: [], inlineIfReady: false) }
    materialize(nodes, fallbacks: fallbacks, inlineIfReady: inlineIfReady)
  }

  private func materialize(_ nodes: [Node], fallbacks: [(new: Value, old: Value)], inlineIfReady: Bool) {
    let unborn = fallbacks.map(\.old).filter { $0.node.status == .pending }
    // Weights that were never evaluated have no value yet to fall back to.
    if !unborn.isEmpty { materialize(unborn.map(\.node), fallbacks: [], inlineIfReady: false) }
    let olds = Dictionary(
      fallbacks.map { (ObjectIdentifier($0.new.node), $0.old) }, uniquingKeysWith: { first, _ in first })
    while true {
      switch Profile.current.time(.finding, { claimGraph(nodes, olds) }) {
      case .nothing: return
      case .transfers(let runs):
        for run in runs { transfer(run) }
      case .graph(let run, let request):
        // What was claimed is the run's now: the thread's list must not keep it alive.
        PendingNodes.ofThread.prune()
        submit(run, request, inlineIfReady)
        return
      }
    }
  }

  private enum Claim {
    case nothing
    case transfers([Run])
    case graph(Run, PlanRequest)
  }

  /// A plan, or what to make one of.
  private struct PlanRequest {
    let key: PlanKey
    let device: Device
    let plan: Plan?
    let graph: Graph?
  }

  /// Walks and claims, in one hold of the lock: nobody computes a node twice.
  private func claimGraph(_ nodes: [Node], _ fallbacks: [ObjectIdentifier: Value]) -> Claim {
    let fallbackDevice = Scope.current.device
    return graphLock.withLock { _ in
      let pending = nodes.filter { $0.status == .pending && $0.trace == nil }
      guard !pending.isEmpty else { return .nothing }
      let walk = Walk(pending, fallback: fallbackDevice)
      if walk.isSymbolic { return .nothing }
      if !walk.transfers.isEmpty { return .transfers(walk.transfers.map { Run(claiming: $0) }) }
      let run = Run(walk, targets: pending, fallbacks: fallbacks)
      // Nodes inside the graph that nothing else refers to are claimed too: they are not pending
      // any more, and nobody can wait for them.
      for node in run.interior { node.set(.claimed, .none) }
      for node in run.outputs { node.set(.claimed, .run(run)) }
      let plan = cache.find(walk.key)
      // The nodes' marks are this walk's only while the lock is held.
      return .graph(
        run,
        PlanRequest(
          key: walk.key, device: walk.device ?? fallbackDevice, plan: plan, graph: plan == nil ? walk.makeGraph() : nil)
      )
    }
  }

  private func submit(_ run: Run, _ request: PlanRequest, _ inlineIfReady: Bool) {
    let plan: Plan
    do {
      plan = try findPlan(request)
    } catch {
      finish(run, .failure(RunFailure(error)), nil)
      return
    }
    count { $0.plansRun += 1 }
    let device = request.device
    if inlineIfReady, device != .fake, run.dependencies.isEmpty {
      execute(run, plan, device)
    } else {
      run.profile.time(.waiting) { executors[device]?.submit { [self] in execute(run, plan, device) } }
    }
  }

  private func findPlan(_ request: PlanRequest) throws(TensorError) -> Plan {
    if let plan = request.plan {
      count { $0.planHits += 1 }
      return plan
    }
    let graph = request.graph ?? Graph()
    let executable = try Profile.current.time(.compiling) { () throws(TensorError) in
      try backend(of: request.device).compile(graph)
    }
    let plan = Plan(graph: graph, executable: executable)
    let evictions = cache.insert(plan, for: request.key)
    count {
      $0.plansCompiled += 1
      $0.planEvictions += evictions
    }
    return plan
  }
}
