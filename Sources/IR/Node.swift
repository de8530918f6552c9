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

  private let statusByte: Atomic<UInt8>

  // Guarded by graphLock.
  public private(set) var operands: [Value]
  public private(set) var releasedOperands = false
  public private(set) var payload: Payload
  /// The error of a step that this value's history carries, for its first reader.
  public var deferred: DeferredError?

  // Marks of the walk in progress, guarded by graphLock.
  public var walk: UInt64 = 0
  public var walkIndex: Int32 = 0
  public var walkReferences: Int32 = 0

  public enum Status: UInt8 {
    case pending, claimed, ready, failed
  }

  public enum Payload {
    case none
    /// Whoever computes it.
    case run(any MaterializationInProgress)
    /// One for each result; `nil` where the result was not kept.
    case values([StoredValue?])
    /// A number of the host's, uploaded when a plan needs it.
    case scalar(Scalar)
    case failure(TensorError)
  }

  init(
    _ operation: any Operation, _ operands: [Value], types: ResultTypes, device: Device?,
    scope: DifferentiationScope?, trace: Trace?, path: ModulePath?, payload: Payload = .none,
    status: Status = .pending
  ) {
    self.operation = operation
    self.operands = operands
    self.types = types
    self.device = device
    self.scope = scope
    self.trace = trace
    self.path = path
    self.payload = payload
    statusByte = Atomic(status.rawValue)
    serial = Node.serials.wrappingAdd(1, ordering: .relaxed).newValue
    for operand in operands { operand.node.references.wrappingAdd(1, ordering: .relaxed) }
  }

  private static let serials = Atomic<UInt64>(0)

  /// The newest serial given.
  public static var latestSerial: UInt64 { serials.load(ordering: .relaxed) }

  public var status: Status { Status(rawValue: statusByte.load(ordering: .acquiring)) ?? .pending }

  /// The error, once failed.
  public var failure: TensorError? {
    guard status == .failed, case .failure(let error) = payload else { return nil }
    return error
  }

  /// Publishes `payload` and `status`. Under graphLock.
  public func set(_ status: Status, _ payload: Payload) {
    self.payload = payload
    statusByte.store(status.rawValue, ordering: .releasing)
  }

  /// Whether this node's history must stay: a scope around it is open.
  public var isInOpenScope: Bool { scope?.isOpen ?? false }

  /// Takes the operands out, for ``Node/release(_:)`` outside the lock. Under graphLock.
  public func takeOperands() -> [Value] {
    releasedOperands = releasedOperands || !operands.isEmpty
    let taken = operands
    operands = []
    return taken
  }

  /// Lets go of operands without recursion, however long the chain behind them.
  public static func release(_ operands: [Value]) {
    var stack = ContiguousArray<Node>()
    push(operands, onto: &stack)
    drain(&stack)
  }

  deinit {
    guard !operands.isEmpty else { return }
    var stack = ContiguousArray<Node>()
    Node.push(operands, onto: &stack)
    operands = []
    Node.drain(&stack)
  }

  private static func push(_ operands: [Value], onto stack: inout ContiguousArray<Node>) {
    for operand in operands {
      operand.node.references.wrappingSubtract(1, ordering: .releasing)
      stack.append(operand.node)
    }
  }

  private static func drain(_ stack: inout ContiguousArray<Node>) {
    while var node = stack.popLast() {
      guard isKnownUniquelyReferenced(&node) else { continue }
      // The last reference: nobody else can reach its operands any more.
      push(node.operands, onto: &stack)
      node.operands = []
    }
  }
}

/// One result of a node.
public struct Value: Sendable {
  public let node: Node
  public let index: Int

  public init(_ node: Node, _ index: Int = 0) {
    self.node = node
    self.index = index
  }

  @inline(__always)
  public var type: TensorType { index == 0 ? node.types.first : node.types[index] }
  public var shape: Shape { type.shape }
  public var dtype: DType { type.dtype }
  public var rank: Int { type.shape.rank }
  public var failure: TensorError? { node.failure }
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
