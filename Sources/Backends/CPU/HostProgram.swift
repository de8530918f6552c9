import CajalBase
import CajalCKernels
import CajalCompiler
import CajalIR

/// A program with its kernels bound: what runs on memory of the host.
final class HostProgram: Sendable {
  typealias Allocate = (Int) throws(TensorError) -> HostStorage
  /// Base addresses, by buffer.
  typealias Pointers = UnsafeMutablePointer<UnsafeMutableRawPointer?>
  /// One step's work. Sendable: it holds nothing that a run changes.
  typealias Kernel = @Sendable (Pointers) throws(Mismatch) -> Void

  private let program: Program
  private let kernels: [Kernel]
  private let packedOperands: PackedOperands
  /// Inputs that outputs show as they are.
  private let shownInputs: Set<Int>

  var steps: [StepSummary] { program.steps.map { $0.summary(way: HostKernels.way) } }

  init(_ program: Program) {
    self.program = program
    var packedOperands = PackedOperands(program)
    kernels = program.steps.map { HostKernels.make($0, program, &packedOperands) }
    self.packedOperands = packedOperands
    shownInputs = Set(
      program.outputs.compactMap { output in
        if case .input(let number) = program.buffers[output.buffer].home { return number }
        return nil
      })
  }

  /// Runs on `arguments`. Everything is allocated before the first kernel, and kernels that can
  /// fail come before the first that writes into donated memory: a failed run changed nothing.
  func run(_ arguments: RunArguments, _ allocate: Allocate) throws(RunFailure) -> [StoredValue] {
    arguments.times?.mark()
    var blocks: [HostStorage] = []
    // Numbers of the host that are outputs as they are need memory of the device.
    var numbers: [Int: HostStorage] = [:]
    let arena: HostStorage?
    do {
      for number in shownInputs where arguments.inputs[number].storage == nil {
        let storage = try allocate(program.inputs[number].byteCount)
        withUnsafeBytes(of: arguments.inputs[number].scalar) {
          storage.pointer.copyMemory(from: $0.baseAddress!, byteCount: storage.byteCount)
        }
        numbers[number] = storage
      }
      arena = program.arenaByteCount > 0 ? try allocate(program.arenaByteCount) : nil
      for (block, byteCount) in program.outputBlocks.enumerated() {
        let donated = program.donations[block].flatMap { arguments.takeUnshared($0, byteCount: byteCount) }
        if let donated { blocks.append(donated) } else { blocks.append(try allocate(byteCount)) }
      }
    } catch {
      throw RunFailure(error)
    }
    // Scalars of the host are read from memory as everything else is.
    var scalars = arguments.inputs.map(\.scalar)
    try scalars.withUnsafeMutableBufferPointer { (scalars) throws(RunFailure) in
      try execute(arguments, scalars, arena, blocks, allocate)
    }
    withExtendedLifetime((arguments, arena)) {}
    return program.outputs.map { output in
      let (storage, offset) = home(output.buffer, arguments, blocks, numbers)
      return StoredValue(storage, offset: offset + output.offset)
    }
  }

  private func execute(
    _ arguments: RunArguments, _ scalars: UnsafeMutableBufferPointer<UInt64>, _ arena: HostStorage?,
    _ blocks: [HostStorage], _ allocate: Allocate
  ) throws(RunFailure) {
    var pointers = [UnsafeMutableRawPointer?](repeating: nil, count: program.buffers.count + packedOperands.count)
    for (index, buffer) in program.buffers.enumerated() {
      switch buffer.home {
      case .input(let number):
        let input = arguments.inputs[number]
        if let storage = input.storage as? HostStorage {
          pointers[index] = storage.pointer + input.offset
        } else {
          pointers[index] = scalars.baseAddress.map { UnsafeMutableRawPointer($0 + number) }
        }
      case .arena(let offset): pointers[index] = arena.map { $0.pointer + offset }
      case .output(let block): pointers[index] = blocks[block].pointer
      }
    }
    packedOperands.find(arguments, &pointers, allocate)
    arguments.times?.mark()
    for (index, kernel) in kernels.enumerated() {
      do {
        try pointers.withUnsafeMutableBufferPointer { (pointers) throws(Mismatch) in
          if let base = pointers.baseAddress { try kernel(base) }
        }
      } catch {
        throw failure(error, at: index)
      }
      arguments.times?.mark()
    }
  }

  private func failure(_ mismatch: Mismatch, at index: Int) -> RunFailure {
    let step = program.steps[index]
    var operands: [TensorType] = []
    if case .operation(_, let placements, _, _, _) = step.kind {
      operands = placements.map { TensorType($0.view.shape, $0.dtype) }
    }
    return RunFailure(
      mismatch.found(running: step.name, operands: operands, module: step.path),
      failedOutputs: program.outputsDepending(onStep: index))
  }

  private func home(
    _ buffer: Int, _ arguments: RunArguments, _ blocks: [HostStorage], _ numbers: [Int: HostStorage]
  ) -> (any DeviceStorage, Int) {
    switch program.buffers[buffer].home {
    case .output(let block): return (blocks[block], 0)
    case .input(let number):
      if let storage = arguments.inputs[number].storage { return (storage, arguments.inputs[number].offset) }
      if let storage = numbers[number] { return (storage, 0) }
    case .arena: break
    }
    preconditionFailure("an output lies in the arena")
  }
}
