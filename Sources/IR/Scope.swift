import CajalBase
import Synchronization

/// What recording depends on besides its operands: one task-local value, read once a node.
public final class Scope: Sendable {
  /// Where new tensors are made.
  public let device: Device
  /// Whether dropout drops and batch norm takes its statistics from the batch.
  public let isTraining: Bool
  /// Where random draws come from.
  public let generator: Generator
  /// The innermost open differentiation.
  public let differentiation: DifferentiationScope?
  /// The module whose forward pass is recording.
  public let path: ModulePath?
  /// The dtype that mixed precision computes products in.
  public let autocast: DType?
  /// The position of the scan being traced, which random draws in its body count by.
  public let position: Value?

  public init(
    device: Device = .cpu, isTraining: Bool = false, generator: Generator = Generator(seed: 0),
    differentiation: DifferentiationScope? = nil, path: ModulePath? = nil, autocast: DType? = nil,
    position: Value? = nil
  ) {
    self.device = device
    self.isTraining = isTraining
    self.generator = generator
    self.differentiation = differentiation
    self.path = path
    self.autocast = autocast
    self.position = position
  }

  @TaskLocal public static var current = Scope(
    device: Device(named: Settings.process.device) ?? .cpu)

  /// This scope with some of its parts replaced.
  public func with(
    device: Device? = nil, isTraining: Bool? = nil, generator: Generator? = nil,
    differentiation: DifferentiationScope?? = nil, path: ModulePath?? = nil, autocast: DType?? = nil,
    position: Value?? = nil
  ) -> Scope {
    Scope(
      device: device ?? self.device, isTraining: isTraining ?? self.isTraining,
      generator: generator ?? self.generator, differentiation: differentiation ?? self.differentiation,
      path: path ?? self.path, autocast: autocast ?? self.autocast, position: position ?? self.position)
  }

  /// Runs `body` with this scope as the current one.
  public func run<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Scope.$current.withValue(self, operation: body)
  }
}

/// The path of a module, from the root: `layers.0`.
public final class ModulePath: Sendable, CustomStringConvertible {
  public let parent: ModulePath?
  public let name: String

  public init(_ name: String, in parent: ModulePath? = nil) {
    self.name = name
    self.parent = parent
  }

  public var description: String { parent.map { "\($0).\(name)" } ?? name }
}

/// A source of random streams: a key, and a count of the streams drawn from it.
///
/// A draw is Philox of (key, stream, element), so it depends on nothing but the seed
/// and how many draws came before on this generator.
public final class Generator: Sendable {
  public let key: UInt64
  private let next: Atomic<UInt64>

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
  public func split() -> Generator { Generator(key: Philox.derive(key, draw())) }
}

/// A closure being differentiated. Nodes recorded inside keep their operands while it,
/// or a scope around it, is open.
public final class DifferentiationScope: Sendable {
  public let parent: DifferentiationScope?
  private let state = Locked(State())

  private struct State {
    var isOpen = true
    /// Nodes that were materialised while open and still hold their operands.
    var kept: [Node] = []
  }

  public init(in parent: DifferentiationScope?) { self.parent = parent }

  public var isOpen: Bool {
    if state.withLock({ $0.isOpen }) { return true }
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
    var chain: [DifferentiationScope] = []
    var scope: DifferentiationScope? = self
    while let current = scope {
      chain.append(current)
      scope = current.parent
    }
    // The outermost closes last. Asked and remembered in one hold of its lock: a scope that closes
    // meanwhile lets go of the node or has not got it.
    return chain.reversed().contains { scope in
      scope.state.withLock { state in
        if state.isOpen { state.kept.append(node) }
        return state.isOpen
      }
    }
  }

  /// Ends the scope: history that only it kept is let go.
  public func close() {
    let kept = state.withLock { state in
      state.isOpen = false
      defer { state.kept = [] }
      return state.kept
    }
    guard !kept.isEmpty else { return }
    let released = graphLock.withLock { _ in
      kept.flatMap { node in node.isInOpenScope ? [] : node.takeOperands() }
    }
    Node.release(released)
  }
}

/// The recording of a sub-graph's body: nodes that depend on its placeholders belong to it.
public final class Trace: Sendable {
  public let depth: Int

  public init(depth: Int) { self.depth = depth }
}
