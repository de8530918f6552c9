import CajalBase
import CajalCompiler
import CajalIR
import Foundation

/// An accelerator that is not there: memory of its own, runs in order on a thread of its own after
/// random delays, and failures on demand. What an accelerator needs of the engine is tested with
/// this one.
///
/// Fresh memory is filled with garbage, so that whoever reads a value before its run is done, or
/// memory of another device, does not get away with it.
public final class FakeBackend: HostBackend {
  public let device = Device.fake
  let meter = MemoryMeter()
  private let queue = DispatchQueue(label: "cajal.fake")
  private let state: Locked<State>

  private struct State {
    var faults = Faults()
    var generator: UInt64 = 1
    var longestDelay: UInt64 = 50
  }

  /// Failures to come. Each counts down to the event that fails, 0 being the next.
  public struct Faults: Sendable {
    /// Allocations that succeed before one finds no memory.
    public var allocation: Int?
    /// Runs that succeed before one fails at the device.
    public var run: Int?
    /// The most bytes that the device has.
    public var capacity: Int?

    public init(allocation: Int? = nil, run: Int? = nil, capacity: Int? = nil) {
      self.allocation = allocation
      self.run = run
      self.capacity = capacity
    }
  }

  public init() { state = Locked(State()) }

  /// Sets what is to fail.
  public func inject(_ faults: Faults) { state.withLock { $0.faults = faults } }

  /// Microseconds that a run waits at the most before it begins.
  public func setLongestDelay(_ microseconds: Int) { state.withLock { $0.longestDelay = UInt64(max(0, microseconds)) } }

  public func compile(_ graph: Graph) throws(TensorError) -> any Executable {
    FakeExecutable(CPUBackend.lower(graph, fuses: Settings.process.fusion), self)
  }

  public func allocate(_ byteCount: Int) throws(TensorError) -> any DeviceStorage { try allocateFaulty(byteCount) }

  func allocateFaulty(_ byteCount: Int) throws(TensorError) -> HostStorage {
    let live = memory.liveBytes
    let fails = state.withLock { state in
      if let capacity = state.faults.capacity, live + byteCount > capacity { return true }
      return FakeBackend.countDown(&state.faults.allocation)
    }
    if fails { throw .outOfMemory(byteCount, on: device) }
    let storage = try allocateHost(byteCount)
    // 0xCD: large negative numbers and NaN-free floats that no test expects.
    storage.pointer.initializeMemory(as: UInt8.self, repeating: 0xCD, count: byteCount)
    return storage
  }

  /// Runs `body` on the device's thread, after a delay.
  func enqueue(_ body: @escaping @Sendable () -> Void) {
    let delay = state.withLock { state -> UInt32 in
      // Knuth's linear congruential generator: any sequence will do.
      state.generator = state.generator &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state.longestDelay == 0 ? 0 : UInt32((state.generator >> 33) % state.longestDelay)
    }
    queue.async {
      if delay > 0 { usleep(delay) }
      body()
    }
  }

  /// Whether the run that begins now is to fail.
  func runFails() -> Bool { state.withLock { FakeBackend.countDown(&$0.faults.run) } }

  private static func countDown(_ counter: inout Int?) -> Bool {
    guard let left = counter else { return false }
    counter = left == 0 ? nil : left - 1
    return left == 0
  }
}

final class FakeExecutable: Executable {
  private let program: HostProgram
  private let backend: FakeBackend

  init(_ program: HostProgram, _ backend: FakeBackend) {
    self.program = program
    self.backend = backend
  }

  var steps: [StepSummary] { program.steps }

  func run(_ arguments: RunArguments, completion: @escaping @Sendable (RunResult) -> Void) {
    backend.enqueue { [program, backend] in
      if backend.runFails() {
        let error = TensorError(.backend, operation: "run", "the device failed", remedy: "Run the step again")
        completion(.failure(RunFailure(error)))
        return
      }
      completion(
        Result { () throws(RunFailure) in
          try program.run(arguments) { (bytes: Int) throws(TensorError) in try backend.allocateFaulty(bytes) }
        })
    }
  }
}
