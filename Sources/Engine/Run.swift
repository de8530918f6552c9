import CajalBackends
import CajalBase
import CajalIR
import Foundation
import Synchronization

/// One materialisation: nodes claimed, a plan, and whoever waits.
final class Run: MaterializationInProgress, @unchecked Sendable {
  /// Claimed nodes, in the order of the plan's outputs.
  let outputs: [Node]
  /// Which outputs were asked for, not merely alive.
  let isTarget: [Bool]
  /// For an update's new value the old one, which it falls back to.
  let fallbacks: [ObjectIdentifier: Value]
  let leaves: [Value]
  let leafReferences: [Int32]
  let mayDonate: Bool
  /// Nodes inside the graph: they hold operands until the run is done.
  var interior: ContiguousArray<Node>

  /// Who asked for times, if somebody did.
  let profile = Profile.current

  private let condition = NSCondition()
  private var isDone = false
  private var continuations: [CheckedContinuation<Void, Never>] = []

  init(_ walk: Walk, targets: [Node], fallbacks: [ObjectIdentifier: Value]) {
    let asked = Set(targets.map { ObjectIdentifier($0) })
    outputs = Array(walk.kept)
    isTarget = walk.kept.map { asked.contains(ObjectIdentifier($0)) }
    self.fallbacks = fallbacks
    leaves = Array(walk.leaves)
    leafReferences = walk.leafReferences
    mayDonate = !walk.hasOpenScope
    interior = walk.order
  }

  /// A run without a graph: claims a transfer. Under graphLock.
  init(claiming node: Node) {
    outputs = [node]
    isTarget = [true]
    fallbacks = [:]
    leaves = []
    leafReferences = []
    mayDonate = false
    interior = []
    node.set(.claimed, .run(self))
  }

  /// Runs whose results this one reads and that are not done yet.
  var dependencies: [any MaterializationInProgress] {
    graphLock.withLock { _ in
      leaves.compactMap { leaf in
        if leaf.node.status == .claimed, case .run(let run) = leaf.node.payload { return run }
        return nil
      }
    }
  }

  var isFinished: Bool {
    condition.lock()
    defer { condition.unlock() }
    return isDone
  }

  func wait() {
    condition.lock()
    while !isDone { condition.wait() }
    condition.unlock()
  }

  func finished() async {
    await withCheckedContinuation { continuation in
      condition.lock()
      if isDone {
        condition.unlock()
        continuation.resume()
      } else {
        continuations.append(continuation)
        condition.unlock()
      }
    }
  }

  func markDone() {
    condition.lock()
    isDone = true
    let waiting = continuations
    continuations = []
    condition.broadcast()
    condition.unlock()
    for continuation in waiting { continuation.resume() }
  }
}

/// The thread that starts one device's runs, in order. A bounded queue: whoever records faster
/// than the device runs waits.
final class Executor: @unchecked Sendable {
  private let condition = NSCondition()
  private var jobs: [@Sendable () -> Void] = []
  private var thread: Thread?
  private let name: String

  /// Runs that may wait: one ahead of the one that runs keeps the device busy.
  private static let depth = 2

  init(_ name: String) { self.name = name }

  func submit(_ job: @escaping @Sendable () -> Void) {
    condition.lock()
    if thread == nil { startThread() }
    while jobs.count >= Executor.depth, Thread.current !== thread { condition.wait() }
    jobs.append(job)
    condition.broadcast()
    condition.unlock()
  }

  private func startThread() {
    let worker = Thread { [self] in work() }
    worker.name = name
    // Kernels keep little on the stack; fallback loops may recurse a little.
    worker.stackSize = 4 << 20
    thread = worker
    worker.start()
  }

  private func work() {
    while true {
      condition.lock()
      while jobs.isEmpty { condition.wait() }
      let job = jobs.removeFirst()
      condition.broadcast()
      condition.unlock()
      job()
    }
  }
}
