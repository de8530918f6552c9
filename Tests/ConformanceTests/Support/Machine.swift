import CajalBase
import CajalIR
import CajalOperations
import Foundation
import Synchronization

@testable import CajalBackends

/// A way to run a graph.
enum Machine: String, CaseIterable, Sendable {
  case reference, cpu, cpuUnfused, cpuDonated, fake
  /// Groups run over the parts of results wherever they can.
  case cpuFollowing

  static let others: [Machine] = [.cpu, .cpuUnfused, .cpuDonated, .fake]

  private static let referenceBackend = ReferenceBackend()
  private static let cpuBackend = CPUBackend()
  private static let fakeBackend = FakeBackend()

  private var backend: any Backend {
    switch self {
    case .reference: Machine.referenceBackend
    case .cpu, .cpuUnfused, .cpuDonated, .cpuFollowing: Machine.cpuBackend
    case .fake: Machine.fakeBackend
    }
  }

  /// The outputs of `recorded` for `inputs`.
  func run(_ recorded: Recorded, _ inputs: [HostTensor]) throws(TensorError) -> [HostTensor] {
    try compiled(recorded)(inputs)
  }

  /// `recorded`, compiled once to be run often.
  func compiled(_ recorded: Recorded) throws(TensorError) -> (_ inputs: [HostTensor]) throws(TensorError) ->
    [HostTensor]
  {
    let types = recorded.graph.outputs.map { recorded.graph.type(of: $0) }
    let executable = try compile(recorded.graph)
    return { (inputs) throws(TensorError) in
      let arguments = RunArguments(capacity: inputs.count + recorded.scalars.count)
      for input in inputs { arguments.append(try upload(input), isDonated: self == .cpuDonated) }
      for scalar in recorded.scalars { arguments.append(scalar: scalar) }
      return try zip(try wait(executable, arguments), types).map { (stored, type) throws(TensorError) in
        try download(stored, type)
      }
    }
  }

  private func compile(_ graph: Graph) throws(TensorError) -> any Executable {
    switch self {
    case .reference, .cpu, .cpuDonated, .fake: return try backend.compile(graph)
    case .cpuUnfused: return CPUExecutable(CPUBackend.lower(graph, fuses: false), Machine.cpuBackend)
    case .cpuFollowing: return CPUExecutable(Machine.lowerFollowing(graph), Machine.cpuBackend)
    }
  }

  static func lowerFollowing(_ graph: Graph) -> HostProgram {
    CPUBackend.lower(graph, fuses: true) { _, operation, _ in
      operation is MatMul || operation is Convolution || operation is ConvolutionInputGradient
    }
  }

  private func wait(_ executable: any Executable, _ arguments: RunArguments) throws(TensorError) -> [StoredValue] {
    let done = DispatchSemaphore(value: 0)
    let result = Mutex<RunResult?>(nil)
    executable.run(arguments) { value in
      result.withLock { $0 = value }
      done.signal()
    }
    done.wait()
    switch result.withLock({ $0 }) {
    case .success(let stored): return stored
    case .failure(let failure): throw failure.error
    case nil: preconditionFailure("a run ended without a result")
    }
  }

  private func upload(_ tensor: HostTensor) throws(TensorError) -> StoredValue {
    let count = tensor.type.byteCount
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, count), alignment: 64)
    defer { bytes.deallocate() }
    let used = UnsafeMutableRawBufferPointer(rebasing: bytes[0..<count])
    tensor.copyBytes(to: used)
    let storage = try backend.allocate(count)
    try backend.upload(UnsafeRawBufferPointer(used), to: storage)
    return StoredValue(storage)
  }

  private func download(_ stored: StoredValue, _ type: TensorType) throws(TensorError) -> HostTensor {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, type.byteCount), alignment: 64)
    defer { bytes.deallocate() }
    let used = UnsafeMutableRawBufferPointer(rebasing: bytes[0..<type.byteCount])
    try backend.download(stored, into: used)
    return HostTensor(type, bytes: UnsafeRawBufferPointer(used))
  }
}
