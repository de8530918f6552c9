import CajalBase
import CajalCKernels

/// What one thread is recording: its nodes that have no value yet, and where it stands.
///
/// Step boundaries evaluate nodes that are still alive, so graphs never grow from step to step
/// whatever is read when; past a limit recording itself does.
public final class Recording {
  // One thread's alone: no access to it meets another.

  /// Nodes in the order of recording, each held.
  @exclusivity(unchecked) private var nodes = UnsafeMutableBufferPointer<Unmanaged<Node>>.allocate(capacity: 1024)
  @exclusivity(unchecked) private var count = 0
  /// Effects among them: they run whether or not anybody reads them, in the order of recording.
  @exclusivity(unchecked) private var effects = ContiguousArray<Node>()
  @exclusivity(unchecked) private var nextPrune = Recording.firstPrune(Settings.process.checksNaN)

  /// The scope of the innermost synchronous ``Scope/run(_:)`` on this thread, which holds it: quicker to find
  /// than the task's.
  @exclusivity(unchecked) var scope: Unmanaged<Scope>?
  /// The module whose forward pass is recording.
  @exclusivity(unchecked) var path: ModulePath?
  /// The function being captured.
  @exclusivity(unchecked) var capture: Capture?
  /// Whether each operation is evaluated at once, and the first that makes a NaN becomes an error.
  @exclusivity(unchecked) public private(set) var checksNaN = Settings.process.checksNaN

  /// Nodes after which dead ones are first looked for; doubles with what is found alive. Where each operation
  /// is evaluated at once, none.
  private static func firstPrune(_ checksNaN: Bool) -> Int { checksNaN ? 0 : 4096 }

  /// What evaluates nodes; the engine's.
  nonisolated(unsafe) public static var evaluator: (@Sendable (Recording) -> Void)?

  /// That of the calling thread, which holds it until it ends.
  public static var ofThread: Unmanaged<Recording> {
    if let slot = cj_thread_slot_get() { return Unmanaged<Recording>.fromOpaque(slot) }
    let recording = Unmanaged.passRetained(Recording())
    cj_thread_slot_set(recording.toOpaque()) { Unmanaged<Recording>.fromOpaque($0).release() }
    return recording
  }

  /// The module whose forward pass this thread records.
  public static var path: ModulePath? { ofThread._withUnsafeGuaranteedRef { $0.path } }

  /// Runs `body` with each operation that this thread records evaluated at once.
  public func checkingNaN<Result>(_ body: () throws -> Result) rethrows -> Result {
    let outer = (checksNaN, nextPrune)
    (checksNaN, nextPrune) = (true, 0)
    defer { (checksNaN, nextPrune) = outer }
    return try body()
  }

  /// The innermost open differentiation.
  var differentiation: DifferentiationScope? {
    if let scope { return scope._withUnsafeGuaranteedRef { $0.differentiation } }
    return Scope.current.differentiation
  }

  deinit {
    for node in nodes[..<count] { node.release() }
    nodes.deallocate()
  }

  @usableFromInline
  func append(_ node: Node) {
    if count == nodes.count { grow() }
    nodes.initializeElement(at: count, to: .passRetained(node))
    count += 1
    if node.traits.contains(.effect) { effects.append(node) }
  }

  private func grow() {
    let larger = UnsafeMutableBufferPointer<Unmanaged<Node>>.allocate(capacity: 2 * nodes.count)
    _ = larger.initialize(from: nodes[..<count])
    nodes.deallocate()
    nodes = larger
  }

  /// Evaluates what is pending where that is due. Called where a user's operation is complete, never
  /// inside one: values that only its rules know are not counted yet, and would not be kept.
  @inlinable
  public func settle() {
    if isDue { evaluate() }
  }

  @usableFromInline var isDue: Bool { count >= nextPrune }

  @usableFromInline
  func evaluate() {
    let settings = Settings.process
    prune()
    if count >= settings.pendingNodeLimit || checksNaN, count > 0 {
      Recording.evaluator?(self)
      prune()
    }
    // Never beyond the limit, unless what is left cannot be evaluated.
    let first = Recording.firstPrune(checksNaN)
    let limit = settings.pendingNodeLimit
    nextPrune = count < limit ? max(first, min(2 * count, limit)) : count + first
  }

  /// Drops nodes that have a value or that nobody can reach, the newest first, so that
  /// whole dead chains go at once.
  public func prune() {
    var firstKept = count
    for index in (0..<count).reversed() {
      var node = nodes[index].takeRetainedValue()
      if node.status == .pending, !isKnownUniquelyReferenced(&node) {
        firstKept -= 1
        nodes[firstKept] = .passRetained(node)
      }
    }
    count -= firstKept
    if firstKept > 0 { nodes.baseAddress?.update(from: nodes.baseAddress! + firstKept, count: count) }
    if !effects.isEmpty { effects.removeAll { $0.status != .pending } }
  }

  /// Effects that have not happened yet, in the order of recording.
  public var pendingEffects: [Node] { effects.isEmpty ? [] : effects.filter { $0.status == .pending } }

  /// Calls `body` with each pending node, oldest first.
  public func forEachPending(_ body: (Node) -> Void) {
    for reference in nodes[..<count] {
      reference._withUnsafeGuaranteedRef { if $0.status == .pending { body($0) } }
    }
  }
}
