import CajalBase
import CajalEngine
import CajalIR
import CajalOperations

/// An array of numbers of one dtype, in memory of one device.
///
/// A tensor is a value: nothing changes it. Operations on it record what is to be computed and
/// return at once; reading (`item()`, `scalars(_:)`, `eval`) computes. Shapes and dtypes are
/// known without reading. A mistake does not stop the program: it gives an error tensor, everything made
/// from that is one too, and reading any of them throws the ``TensorError`` that names the mistake
/// and the line it was made in.
public struct Tensor: Sendable {
  let handle: Handle

  /// What counts as holding a value: it is kept by every evaluation while this lives.
  final class Handle: Sendable {
    let value: Value

    init(_ value: Value) {
      self.value = value
      value.node.references.wrappingAdd(1, ordering: .relaxed)
    }

    deinit { value.node.references.wrappingSubtract(1, ordering: .releasing) }
  }

  /// The result of an operation that is complete.
  package init(_ value: Value) {
    self.init(holding: value)
    Recording.ofThread._withUnsafeGuaranteedRef { $0.settle() }
  }

  private init(holding value: Value) {
    _ = Engine.shared
    handle = Handle(value)
  }

  /// The results of one operation: all are held before anything is evaluated.
  package static func results(_ values: [Value]) -> [Tensor] {
    let tensors = values.map { Tensor(holding: $0) }
    Recording.ofThread._withUnsafeGuaranteedRef { $0.settle() }
    return tensors
  }

  package var value: Value { handle.value }

  /// The value, and what makes it count as held.
  package var held: (value: Value, holder: AnyObject) { (handle.value, handle) }

  /// Records an operation on this tensor, which is held until that is done.
  package func map(_ body: (Value) -> Value) -> Tensor {
    withExtendedLifetime(handle) { Tensor(body(handle.value)) }
  }

  package func map(_ other: Tensor, _ body: (Value, Value) -> Value) -> Tensor {
    withExtendedLifetime((handle, other.handle)) { Tensor(body(handle.value, other.handle.value)) }
  }

  package func map(_ second: Tensor, _ third: Tensor, _ body: (Value, Value, Value) -> Value) -> Tensor {
    withExtendedLifetime((handle, second.handle, third.handle)) {
      Tensor(body(handle.value, second.handle.value, third.handle.value))
    }
  }

  package static func map(_ tensors: [Tensor], _ body: ([Value]) -> Value) -> Tensor {
    withExtendedLifetime(tensors) { Tensor(body(tensors.map(\.value))) }
  }

  // MARK: What it is

  /// The extents, outermost first. An error tensor answers 1 on any axis.
  public var shape: Shape { value.shape }
  public var dtype: DType { value.dtype }
  /// The number of axes.
  public var rank: Int { value.rank }
  /// The number of elements.
  public var count: Int { value.shape.count }
  /// Where it lives, or would be computed.
  public var device: Device { value.node.device ?? Scope.current.device }

  /// What went wrong, if that is known already: a failed evaluation shows when it is read.
  public var error: TensorError? { value.failure }

  /// A tensor that throws `error` when read, and so does everything made from it.
  public init(error: TensorError) { self.init(errorValue(error)) }
}

/// The framework's engine: counters of plans compiled, hit and evicted, and bytes in use.
public enum Runtime {
  /// What happened since the process began.
  public static var counters: EngineCounters { Engine.shared.counters }

  public static func memory(of device: Device) -> (liveBytes: Int, peakBytes: Int) {
    let statistics = Engine.shared.memory(of: device)
    return (statistics.liveBytes, statistics.peakBytes)
  }

  /// Threads that the CPU's kernels run on. Results do not depend on it.
  public static var threads: Int {
    get { Engine.shared.threads }
    set { Engine.shared.threads = newValue }
  }

  /// The CPU's SIMD level and threads.
  public static var cpuDescription: String { Engine.shared.cpuDescription }

  /// Whether training mode is on here: inside `valueAndGradient(of:)`, or as ``withTraining(_:_:)`` said.
  public static var isTraining: Bool { Scope.current.isTraining }

  /// Sets going whatever this thread recorded and something still holds.
  public static func startPending() { Engine.shared.startPending() }
}
