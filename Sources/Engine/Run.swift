import CajalBackends
import CajalBase
import CajalIR
import Foundation
import Synchronization

/// For an update's new value the old one, which it falls back to if the run fails: a failed step leaves
/// weights as they were.
public struct Fallback: Sendable {
  public let new: Value
  public let old: Value

  public init(new: Value, old: Value) {
    self.new = new
    self.old = old
  }
}

/// One materialisation: nodes claimed, a plan, and whoever waits.
final class Run: MaterializationInProgress, @unchecked Sendable {
  /// Claimed nodes, in the order of the plan's outputs. While they have their operands, they hold the graph.
  let outputs: [Node]
  /// Nodes that were asked for, among them.
  let targets: [Node]
  let fallbacks: [Fallback]
  /// Nodes from outside, in the order of the plan's inputs, and how often nodes of the graph that let go of
  /// their operands refer to each.
  let leaves: [(node: Unmanaged<Node>, references: Int32)]
  /// Nodes inside the graph.
  let interior: ContiguousArray<Unmanaged<Node>>
  let mayDonate: Bool

  /// Who asked for times, if somebody did.
  let profile = Profile.current

  /// Whether it runs, or stands in its device's queue.
  private let submitted = Atomic<Bool>(false)
  private let state = Atomic<UInt8>(State.running)

  private enum State {
    static let running: UInt8 = 0
    static let awaited: UInt8 = 1
    static let done: UInt8 = 2
  }

  /// Rung when a run that somebody waits for is done. One for all: few wait, and most runs are waited for by nobody.
  private static let bell = NSCondition()
  /// Under the bell's lock.
  private var continuations: [CheckedContinuation<Void, Never>] = []

  /// Under graphLock.
  init(_ walk: Walk, targets: [Node], fallbacks: [Fallback]) {
    outputs = walk.kept.map { $0.takeUnretainedValue() }
    self.targets = targets
    self.fallbacks = fallbacks
    leaves = walk.leaves.map { ($0.node, $0.node._withUnsafeGuaranteedRef { $0.walkReferences }) }
    mayDonate = !walk.hasOpenScope
    interior = walk.order
  }

  /// A run without a graph: claims a transfer. Under graphLock.
  init(claiming node: Node) {
    outputs = [node]
    targets = [node]
    fallbacks = []
    leaves = []
    mayDonate = false
    interior = []
    node.set(.claimed, .run(self))
  }

  /// Claims the graph: nodes inside it that nothing else refers to as well, which are not pending any more and
  /// which nobody can wait for. Under graphLock.
  func claim() {
    for node in interior { node._withUnsafeGuaranteedRef { $0.set(.claimed, .none) } }
    for node in outputs { node.set(.claimed, .run(self)) }
  }

  /// A run whose results this one reads and that is not done yet.
  var dependency: Run? { dependency { _ in true } }

  private func dependency(where isIncluded: (Run) -> Bool) -> Run? {
    graphLock.withLock { _ in
      for (leaf, _) in leaves {
        if let run = leaf._withUnsafeGuaranteedRef({ $0.claimant }) as? Run, isIncluded(run) { return run }
      }
      return nil
    }
  }

  func markSubmitted() { submitted.store(true, ordering: .releasing) }

  /// Returns when all that this run reads is done, runs, or stands in a queue. Whoever claimed it may be
  /// compiling its plan still, and a queue's thread that waits for a run behind it would wait for ever.
  func awaitSubmissionOfDependencies() {
    while dependency(where: { !$0.submitted.load(ordering: .acquiring) }) != nil {
      Thread.sleep(forTimeInterval: 20e-6)
    }
  }

  func wait() {
    if state.load(ordering: .acquiring) == State.done { return }
    Run.bell.lock()
    while isAwaited() { Run.bell.wait() }
    Run.bell.unlock()
  }

  func finished() async {
    if state.load(ordering: .acquiring) == State.done { return }
    await withCheckedContinuation { continuation in
      Run.bell.lock()
      let isAwaited = isAwaited()
      if isAwaited { continuations.append(continuation) }
      Run.bell.unlock()
      if !isAwaited { continuation.resume() }
    }
  }

  /// Says that somebody waits; false if the run is done. Under the bell's lock.
  private func isAwaited() -> Bool {
    let (_, old) = state.compareExchange(
      expected: State.running, desired: State.awaited, ordering: .acquiringAndReleasing)
    return old != State.done
  }

  func markDone() {
    guard state.exchange(State.done, ordering: .acquiringAndReleasing) == State.awaited else { return }
    Run.bell.lock()
    let waiting = continuations
    continuations = []
    Run.bell.broadcast()
    Run.bell.unlock()
    for continuation in waiting { continuation.resume() }
  }
}
