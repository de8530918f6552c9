import CajalBase
import CajalCKernels

/// The nodes that one thread recorded and that have no value yet.
///
/// Step boundaries evaluate those still alive, so graphs never grow from step to step
/// whatever is read when; past a limit recording itself does.
public final class PendingNodes {
  private var nodes = ContiguousArray<Node>()
  /// Effects among them: they run whether or not anybody reads them, in the order of recording.
  private var effects = ContiguousArray<Node>()
  private var nextPrune = PendingNodes.firstPrune

  /// Nodes after which dead ones are first looked for; doubles with what is found alive.
  private static let firstPrune = 4096

  /// What evaluates nodes; the engine's.
  nonisolated(unsafe) public static var evaluator: (@Sendable ([Node]) -> Void)?

  /// The list of the calling thread.
  public static var ofThread: PendingNodes {
    if let slot = cj_thread_slot_get() { return Unmanaged<PendingNodes>.fromOpaque(slot).takeUnretainedValue() }
    let list = PendingNodes()
    cj_thread_slot_set(Unmanaged.passRetained(list).toOpaque()) { Unmanaged<PendingNodes>.fromOpaque($0).release() }
    return list
  }

  func append(_ node: Node) {
    nodes.append(node)
    if node.operation.hasEffect { effects.append(node) }
  }

  /// Evaluates what is pending where that is due. Called where a user's operation is complete, never
  /// inside one: values that only its rules know are not counted yet, and would not be kept.
  public func settle() {
    if nodes.count >= nextPrune || Settings.process.checksNaN { evaluateIfDue() }
  }

  private func evaluateIfDue() {
    prune()
    if nodes.count >= Settings.process.pendingNodeLimit || Settings.process.checksNaN, !nodes.isEmpty {
      PendingNodes.evaluator?(Array(nodes))
      prune()
    }
    // Never beyond the limit, unless what is left cannot be evaluated.
    let limit = Settings.process.pendingNodeLimit
    let next = nodes.count < limit ? min(2 * nodes.count, limit) : nodes.count + PendingNodes.firstPrune
    nextPrune = max(PendingNodes.firstPrune, next)
  }

  /// Drops nodes that have a value or that nobody can reach, the newest first, so that
  /// whole dead chains go at once.
  public func prune() {
    var kept = ContiguousArray<Node>()
    while var node = nodes.popLast() {
      if node.status == .pending, !isKnownUniquelyReferenced(&node) { kept.append(node) }
    }
    kept.reverse()
    nodes = kept
    if !effects.isEmpty { effects.removeAll { $0.status != .pending } }
  }

  /// Effects that have not happened yet, in the order of recording.
  public var pendingEffects: [Node] { effects.isEmpty ? [] : effects.filter { $0.status == .pending } }

  /// The pending nodes that something refers to, oldest first.
  public func takeAlive() -> [Node] {
    prune()
    return Array(nodes)
  }
}
