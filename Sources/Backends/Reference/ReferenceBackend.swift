import CajalBase
import CajalCKernels
import CajalCompiler
import CajalIR
import CajalOperations

/// The judge: runs each instruction of the graph as it was recorded by its definition, in plain
/// Swift. Nothing is fused, planned or in place.
public final class ReferenceBackend: HostBackend {
  public let device = Device.reference
  let meter = MemoryMeter()

  public init() {}

  public func compile(_ graph: Graph) throws(TensorError) -> any Executable { ReferenceExecutable(graph, self) }
}

final class ReferenceExecutable: Executable {
  private let graph: Graph
  private let backend: ReferenceBackend

  init(_ graph: Graph, _ backend: ReferenceBackend) {
    self.graph = graph
    self.backend = backend
  }

  /// Plain loops, all one step.
  var steps: [StepSummary] {
    [StepSummary(name: "graph of \(graph.instructions.count)", dtype: .float32, cost: Cost(flops: 0, bytes: 0))]
  }

  func run(_ arguments: RunArguments, completion: @escaping @Sendable (RunResult) -> Void) {
    completion(Result { () throws(RunFailure) in try self.run(arguments) })
  }

  private func run(_ arguments: RunArguments) throws(RunFailure) -> [StoredValue] {
    arguments.times?.mark()
    var inputs: [HostTensor] = []
    for (input, type) in zip(arguments.inputs, graph.inputs) { inputs.append(try read(input, type)) }
    let outputs: [HostTensor]
    arguments.times?.mark()
    do {
      outputs = try graph.evaluate(inputs)
    } catch {
      throw RunFailure(error.error, failedOutputs: graph.outputsDepending(on: error.position))
    }
    arguments.times?.mark()
    var stored: [StoredValue] = []
    for output in outputs { stored.append(try write(output)) }
    return stored
  }

  private func read(_ input: RunArguments.Input, _ type: TensorType) throws(RunFailure) -> HostTensor {
    guard let storage = input.storage else {
      var tensor = HostTensor(type)
      tensor[0] = Scalar(bits: input.scalar, dtype: type.dtype)
      return tensor
    }
    do {
      let pointer = try backend.hostPointer(storage) + input.offset
      return HostTensor(type, bytes: UnsafeRawBufferPointer(start: pointer, count: type.byteCount))
    } catch {
      throw RunFailure(error)
    }
  }

  private func write(_ tensor: HostTensor) throws(RunFailure) -> StoredValue {
    do {
      let storage = try backend.allocateHost(tensor.type.byteCount)
      tensor.copyBytes(to: UnsafeMutableRawBufferPointer(start: storage.pointer, count: tensor.type.byteCount))
      return StoredValue(storage)
    } catch {
      throw RunFailure(error)
    }
  }
}
