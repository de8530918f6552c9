import CajalBase
import Synchronization

/// What recording depends on besides its operands: one task-local value.
public final class Scope: Sendable {
  /// Where new tensors are made.
  public let device: Device
  /// Whether dropout drops and batch norm takes its statistics from the batch.
  public let isTraining: Bool
  /// Where random draws come from.
  public let generator: Generator
  /// The innermost open differentiation.
  public let differentiation: DifferentiationScope?
  /// The dtype that mixed precision computes products in.
  public let autocast: DType?
  /// The position of the scan being traced, which random draws in its body count by.
  public let position: Value?

  public init(
    device: Device = .cpu, isTraining: Bool = false, generator: Generator = Generator(seed: 0),
    differentiation: DifferentiationScope? = nil, autocast: DType? = nil, position: Value? = nil
  ) {
    self.device = device
    self.isTraining = isTraining
    self.generator = generator
    self.differentiation = differentiation
    self.autocast = autocast
    self.position = position
  }

  @TaskLocal private static var ofTask = Scope(device: Device(named: Settings.process.device) ?? .cpu)

  /// The innermost.
  public static var current: Scope {
    Recording.ofThread._withUnsafeGuaranteedRef { $0.scope }?.takeUnretainedValue() ?? ofTask
  }

  /// This scope with some of its parts replaced.
  public func with(
    device: Device? = nil, isTraining: Bool? = nil, generator: Generator? = nil,
    differentiation: DifferentiationScope?? = nil, autocast: DType?? = nil, position: Value?? = nil
  ) -> Scope {
    Scope(
      device: device ?? self.device, isTraining: isTraining ?? self.isTraining,
      generator: generator ?? self.generator, differentiation: differentiation ?? self.differentiation,
      autocast: autocast ?? self.autocast, position: position ?? self.position)
  }

  /// Runs `body` with this scope as the current one.
  public func run<Result>(_ body: () throws -> Result) rethrows -> Result {
    // The body is synchronous: until it returns, its thread works for nobody else. The task has the scope
    // too, for tasks that the body starts.
    let recording = Recording.ofThread.takeUnretainedValue()
    let outer = recording.scope
    recording.scope = .passUnretained(self)
    defer { recording.scope = outer }
    return try Scope.$ofTask.withValue(self, operation: body)
  }

  /// As ``run(_:)``, around asynchronous work.
  package func run<Result>(
    isolation: isolated (any Actor)?, _ body: () async throws -> Result
  ) async rethrows -> Result {
    try await Scope.$ofTask.withValue(self, operation: body, isolation: isolation)
  }
}

/// A source of random streams: a key, and a count of the streams drawn from it.
///
/// A draw is Philox of (key, stream, element), so it depends on nothing but the seed
/// and how many draws came before on this generator.
public final class Generator: Sendable {
  public let key: UInt64
  private let next: Atomic<UInt64>
  /// As a node's.
  let serial = Node.Origin().serial

  public init(key: UInt64, stream: UInt64 = 0) {
    self.key = key
    next = Atomic(stream)
  }

  public convenience init(seed: UInt64) { self.init(key: seed) }

  /// How many streams were drawn.
  public var stream: UInt64 { next.load(ordering: .relaxed) }

  /// The next stream of this generator.
  public func draw() -> UInt64 { next.wrappingAdd(1, ordering: .relaxed).oldValue }

  /// A generator whose streams never meet this one's: for a task, a worker, a parameter.
  public func split() -> Generator {
    Capture.current?.refuse()
    return Generator(key: splitKey())
  }

  /// The key of the next generator to be split off.
  public func splitKey() -> UInt64 { Philox.derive(key, draw()) }
}

/// A closure being differentiated. Nodes recorded inside keep their operands while it,
/// or a scope around it, is open.
public final class DifferentiationScope: Sendable {
  public let parent: DifferentiationScope?
  /// Nodes that were materialised while open and still hold their operands; `nil` once closed.
  private let kept = Locked<[Node]?>([])
  private let closed = Atomic<Bool>(false)

  public init(in parent: DifferentiationScope?) { self.parent = parent }

  /// Whether this or a scope around it is open.
  public var isOpen: Bool {
    if !closed.load(ordering: .acquiring) { return true }
    return parent?.isOpen ?? false
  }

  /// Whether this is `other` or lies inside it.
  public func isInside(_ other: DifferentiationScope) -> Bool {
    var scope: DifferentiationScope? = self
    while let current = scope {
      if current === other { return true }
      scope = current.parent
    }
    return false
  }

  /// Remembers a node that was materialised and keeps its operands; false where no scope around
  /// it is open any more, and they may go.
  public func keep(_ node: Node) -> Bool {
    guard isOpen else { return false }
    // The outermost closes last. Asked and remembered in one hold of its lock: a scope that closes
    // meanwhile lets go of the node or has not got it.
    if let parent, parent.keep(node) { return true }
    return kept.withLock { kept in
      kept?.append(node)
      return kept != nil
    }
  }

  /// Ends the scope: history that only it kept is let go.
  public func close() {
    let nodes = kept.withLock { kept in
      closed.store(true, ordering: .releasing)
      return kept.take() ?? []
    }
    guard !nodes.isEmpty else { return }
    let released = graphLock.withLock { _ in
      nodes.filter { !$0.isInOpenScope }.map { $0.takeOperands() }
    }
    for operands in released { Node.release(operands) }
  }
}
