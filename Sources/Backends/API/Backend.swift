import CajalBase
import CajalCompiler
import CajalIR

/// What the engine needs of a device. Small on purpose: a backend is these calls and its kernels.
public protocol Backend: AnyObject, Sendable {
  var device: Device { get }

  /// Memory of the device, undefined.
  func allocate(_ byteCount: Int) throws(TensorError) -> any DeviceStorage

  /// Copies host bytes into device memory; returns when `bytes` may be reused.
  func upload(_ bytes: UnsafeRawBufferPointer, to storage: any DeviceStorage) throws(TensorError)

  /// Copies device memory to the host; returns when `bytes` are there.
  func download(_ stored: StoredValue, into bytes: UnsafeMutableRawBufferPointer) throws(TensorError)

  /// Compiles a graph. Slow, and called once for each plan.
  func compile(_ graph: Graph) throws(TensorError) -> any Executable

  /// Bytes in use now, and the most there were.
  var memory: MemoryStatistics { get }
}

public struct MemoryStatistics: Sendable, Hashable {
  public var liveBytes: Int
  public var peakBytes: Int

  public init(liveBytes: Int, peakBytes: Int) {
    self.liveBytes = liveBytes
    self.peakBytes = peakBytes
  }
}

/// A compiled plan. Immutable: any number of runs may be in progress.
public protocol Executable: AnyObject, Sendable {
  /// Starts a run. Calls `completion` once, on this thread or another, when the outputs are there
  /// or the run failed.
  ///
  /// A failed run has not written into donated memory: every step that can fail comes first.
  func run(_ arguments: RunArguments, completion: @escaping @Sendable (RunResult) -> Void)

  /// What a run does, in this order: for profiles.
  var steps: [StepSummary] { get }
}

/// What a run reads. The run owns it, and takes out of it what it may write over.
public final class RunArguments: @unchecked Sendable {
  /// A region of device memory, or a number of the host's as bits of its dtype.
  public struct Input: Sendable {
    public var storage: (any DeviceStorage)?
    public var offset: Int
    public var scalar: UInt64
  }

  // One run's at a time.
  @exclusivity(unchecked) public private(set) var inputs: [Input] = []
  /// Whether nothing but this run can reach the input any more.
  @exclusivity(unchecked) public private(set) var isDonated: [Bool] = []
  /// Where the run says when its steps ended, if somebody asks.
  public var times: StepTimes?

  public init(capacity: Int) {
    inputs.reserveCapacity(capacity)
    isDonated.reserveCapacity(capacity)
  }

  public func append(_ stored: StoredValue, isDonated donated: Bool) {
    inputs.append(Input(storage: stored.storage, offset: stored.offset, scalar: 0))
    isDonated.append(donated)
  }

  public func append(scalar bits: UInt64) {
    inputs.append(Input(storage: nil, offset: 0, scalar: bits))
    isDonated.append(false)
  }

  /// Another place for input `index`, which is not donated.
  public func replace(_ index: Int, with stored: StoredValue) {
    inputs[index] = Input(storage: stored.storage, offset: stored.offset, scalar: 0)
    isDonated[index] = false
  }

  /// Lets go of everything, for another run.
  public func removeAll() {
    inputs.removeAll(keepingCapacity: true)
    isDonated.removeAll(keepingCapacity: true)
  }

  /// The whole storage of a donated input, if this run is the only one that holds it; the input
  /// itself stays readable through it.
  func takeUnshared(_ index: Int, byteCount: Int) -> HostStorage? {
    guard isDonated[index], inputs[index].offset == 0 else { return nil }
    var storage = inputs[index].storage
    inputs[index].storage = nil
    guard var host = storage as? HostStorage else {
      inputs[index].storage = storage
      return nil
    }
    storage = nil
    let isUnshared = host.byteCount == byteCount && isKnownUniquelyReferenced(&host)
    inputs[index].storage = host
    guard isUnshared else { return nil }
    host.forgetCopies()
    return host
  }
}

public typealias RunResult = Result<[StoredValue], RunFailure>

/// Why a run gave nothing.
public struct RunFailure: Error, Sendable {
  public var error: TensorError
  /// The outputs that depend on what failed; `nil` where no operation is to blame (memory).
  public var failedOutputs: [Bool]?

  public init(_ error: TensorError, failedOutputs: [Bool]? = nil) {
    self.error = error
    self.failedOutputs = failedOutputs
  }
}

extension Mismatch {
  /// This mismatch, found while `operation` ran.
  public func found(running operation: String, operands: [TensorType] = [], module: ModulePath?) -> TensorError {
    TensorError(kind, operation: operation, operands: operands, problem, remedy: remedy, module: module?.description)
  }
}

extension TensorError {
  /// No memory for `byteCount` more bytes.
  public static func outOfMemory(_ byteCount: Int, on device: Device) -> TensorError {
    TensorError(
      .memory, operation: "allocate", "\(device) has no \(byteCount) bytes left",
      remedy: "Use smaller batches, or let go of tensors")
  }
}
