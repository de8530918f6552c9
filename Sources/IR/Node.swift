import CajalBase
import Synchronization

/// One recorded application of an operation.
///
/// What is said at creation never changes. `operands` and the payload behind
/// `status` are written under ``graphLock``; a status of `ready` or `failed` is
/// published after its payload, so whoever sees it may read that without the lock.
public final class Node: @unchecked Sendable {
  public let operation: any Operation
  public let types: ResultTypes
  /// Where it runs; `nil` for what is made of literals and host scalars alone, which any device takes.
  public let device: Device?
  /// What walks ask of the operation.
  public let traits: Traits
  /// The innermost differentiation scope that was open when this was recorded.
  public let scope: DifferentiationScope?
  /// The trace whose placeholders this depends on.
  public let trace: Trace?
  /// The module that recorded it.
  public let path: ModulePath?
  /// Grows along every chain of operands.
  public let serial: UInt64

  /// Handles, pending consumers and gradients that refer to this node. A materialisation
  /// keeps the value of every node that something outside it refers to.
  public let references = Atomic<Int>(0)

  @usableFromInline let statusByte: Atomic<UInt8>

  // Guarded by graphLock, which is why no access to them is checked again.
  @exclusivity(unchecked) @usableFromInline var owned: Operands
  @exclusivity(unchecked) @usableFromInline var content: Payload
  @exclusivity(unchecked) public private(set) var releasedOperands = false
  @exclusivity(unchecked) @usableFromInline var error: DeferredError?
  @exclusivity(unchecked) @usableFromInline var marks = Marks()

  /// The next of the nodes that die together.
  @exclusivity(unchecked) @usableFromInline var nextDying: Node?

  public enum Status: UInt8 {
    case pending, claimed, ready, failed
  }

  public struct Traits: OptionSet, Sendable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Its value comes from outside the graph.
    @inlinable public static var leaf: Traits { Traits(rawValue: 1) }
    /// The engine carries it out, between graphs.
    @inlinable public static var transfer: Traits { Traits(rawValue: 2) }
    @inlinable public static var effect: Traits { Traits(rawValue: 4) }

    @inlinable public init(_ operation: some Operation) {
      self.init(rawValue: (operation.target == nil ? 0 : 2) | (operation.hasEffect ? 4 : 0))
    }
  }

  public enum Payload {
    case none
    /// Whoever computes it.
    case run(any MaterializationInProgress)
    /// The only result.
    case value(StoredValue)
    /// One for each of several results; `nil` where the result was not kept.
    case values([StoredValue?])
    /// A number of the host's, uploaded when a plan needs it.
    case scalar(Scalar)
    indirect case failure(TensorError)
  }

  /// Owns `operands`, which it retains. Inlined, for the operation to be put where it stays.
  @inlinable
  init<Recorded: Operation>(
    _ operation: Recorded, _ operands: Operands, types: ResultTypes, _ origin: Origin, traits: Traits,
    payload: Payload = .none, status: Status = .pending
  ) {
    self.operation = operation
    owned = operands.owned()
    self.types = types
    device = origin.device
    self.traits = traits
    scope = origin.scope
    trace = origin.trace
    path = origin.path
    serial = origin.serial
    content = payload
    statusByte = Atomic(status.rawValue)
  }

  /// Where a node was recorded, and what that and its operands make of it.
  @usableFromInline
  struct Origin {
    @usableFromInline var device: Device?
    @usableFromInline var scope: DifferentiationScope?
    @usableFromInline var trace: Trace?
    @usableFromInline var path: ModulePath?
    @usableFromInline let serial = Node.serials.wrappingAdd(1, ordering: .relaxed).newValue

    @usableFromInline
    init(device: Device? = nil, scope: DifferentiationScope? = nil, trace: Trace? = nil) {
      self.device = device
      self.scope = scope
      self.trace = trace
    }
  }

  deinit { if operands.count > 0 { Node.release(takeOperands()) } }

  fileprivate static let serials = Atomic<UInt64>(0)

  nonisolated(unsafe) private static var latestEpoch: UInt64 = 0

  /// The epoch of a walk that begins. Under graphLock.
  public static func nextEpoch() -> UInt64 {
    latestEpoch += 1
    return latestEpoch
  }

  @inlinable public var operands: Operands { owned }
  @inlinable public var payload: Payload { content }

  /// The error of a step that this value's history carries, for its first reader.
  @inlinable public var deferred: DeferredError? {
    get { error }
    set { error = newValue }
  }

  /// Marks of the walk in progress. They are good for it alone: a walk begins with an epoch of its own, and a node
  /// with another one was not passed yet.
  public struct Marks {
    @usableFromInline var epoch: UInt64 = 0
    @usableFromInline var index: Int32 = 0
    @usableFromInline var references: Int32 = 0
    @usableFromInline init() {}
  }

  /// The latest walk that passed this node.
  @inlinable public var walk: UInt64 {
    get { marks.epoch }
    set { marks.epoch = newValue }
  }

  /// Its place in that walk.
  @inlinable public var walkIndex: Int32 {
    get { marks.index }
    set { marks.index = newValue }
  }

  /// How often that walk's nodes refer to it.
  @inlinable public var walkReferences: Int32 {
    get { marks.references }
    set { marks.references = newValue }
  }

  @inlinable
  public var status: Status { Status(rawValue: statusByte.load(ordering: .acquiring)).unsafelyUnwrapped }

  /// The error, once failed.
  public var failure: TensorError? {
    guard status == .failed, case .failure(let error) = payload else { return nil }
    return error
  }

  /// Publishes `payload` and `status`. Under graphLock.
  public func set(_ status: Status, _ payload: Payload) {
    content = payload
    statusByte.store(status.rawValue, ordering: .releasing)
  }

  /// A result in memory, once ready; `nil` where it was not kept or is a number of the host's.
  public func stored(_ index: Int) -> StoredValue? {
    switch payload {
    case .value(let stored): stored
    case .values(let values): values[index]
    case .none, .run, .scalar, .failure: nil
    }
  }

  /// Whoever computes this node, while somebody does. Under graphLock.
  public var claimant: (any MaterializationInProgress)? {
    if status == .claimed, case .run(let run) = payload { return run }
    return nil
  }

  /// Whether this node's history must stay: a scope around it is open.
  public var isInOpenScope: Bool { scope?.isOpen ?? false }
}

// MARK: Letting go

extension Node {
  /// Takes the operands out, for ``release(_:)`` outside the lock. Under graphLock.
  public func takeOperands() -> Operands {
    let taken = owned
    owned = Operands()
    releasedOperands = releasedOperands || taken.count > 0
    return taken
  }

  /// Lets go of operands that were taken, without recursion, however long the chain behind them.
  public static func release(_ operands: Operands) {
    var dying: Node?
    unlink(operands, &dying)
    while let node = dying {
      dying = node.nextDying.take()
      unlink(node.takeOperands(), &dying)
    }
  }

  /// Drops references to operands. Nodes that nobody else can reach join the list of the dying.
  private static func unlink(_ operands: Operands, _ dying: inout Node?) {
    for index in 0..<operands.count {
      var node = operands.at(index).node.takeRetainedValue()
      node.references.wrappingSubtract(1, ordering: .releasing)
      if isKnownUniquelyReferenced(&node), node.operands.count > 0 {
        node.nextDying = dying
        dying = node
      }
    }
    operands.all?.deallocate()
  }
}

/// One result of a node.
public struct Value: Sendable {
  public let node: Node
  public let index: Int

  @inlinable
  public init(_ node: Node, _ index: Int = 0) {
    self.node = node
    self.index = index
  }

  @inlinable public var type: TensorType { node.types[index] }
  @inlinable public var shape: Shape { node.types[index].shape }
  @inlinable public var dtype: DType { index == 0 ? node.types.first.dtype : node.types[index].dtype }
  @inlinable public var rank: Int { index == 0 ? node.types.first.shape.rank : node.types[index].shape.rank }
  public var failure: TensorError? { node.failure }
  /// Whether this is an error already.
  @inlinable public var isFailed: Bool { node.status == .failed }
}

extension Value: Hashable {
  public static func == (left: Value, right: Value) -> Bool { left.node === right.node && left.index == right.index }
  public func hash(into hasher: inout Hasher) {
    hasher.combine(ObjectIdentifier(node))
    hasher.combine(index)
  }
}

/// A result in a device's memory: a contiguous, row-major region.
public struct StoredValue: Sendable {
  public var storage: any DeviceStorage
  /// Bytes from the start of the storage.
  public var offset: Int

  public init(_ storage: any DeviceStorage, offset: Int = 0) {
    self.storage = storage
    self.offset = offset
  }
}

/// Memory of a device; it goes back to the device's allocator when the last reference does.
public protocol DeviceStorage: AnyObject, Sendable {
  var device: Device { get }
  var byteCount: Int { get }
}

/// A run that will give claimed nodes their values.
public protocol MaterializationInProgress: AnyObject, Sendable {
  /// Blocks until the run's nodes are ready or failed.
  func wait()
}

/// Guards operands, payloads and walks of all graphs. Held for walks and publications,
/// never while a plan is compiled or run. The byte is not used: an access to nothing would have the
/// address of something else, and the thread sanitizer would take one for the other.
package let graphLock = Locked(UInt8(0))
