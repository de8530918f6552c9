import CajalBase

/// The words that say what a graph is: two graphs with the same words run as the
/// same plan. Only structure goes in; what changes from step to step does not.
public struct PlanKey: Hashable, Sendable {
  public private(set) var words: ContiguousArray<UInt64> = []

  public init() {}

  public mutating func reserve(_ count: Int) { words.reserveCapacity(count) }

  @inline(__always)
  public mutating func write(_ word: UInt64) { words.append(word) }

  @inline(__always)
  public mutating func write(_ number: Int) { words.append(UInt64(bitPattern: Int64(number))) }

  public mutating func write(_ flag: Bool) { words.append(flag ? 1 : 0) }

  public mutating func write(_ numbers: [Int]) {
    write(numbers.count)
    for number in numbers { write(number) }
  }

  public mutating func write(_ flags: [Bool]) {
    write(flags.count)
    for flag in flags { write(flag) }
  }

  public mutating func write(_ dtype: DType) { words.append(UInt64(dtype.rawValue)) }

  public mutating func write(_ shape: Shape) {
    write(shape.rank)
    for axis in 0..<shape.rank { write(shape[axis]) }
  }

  public mutating func write(_ type: TensorType) {
    // The dtype and the rank share a word.
    write(UInt64(type.dtype.rawValue) << 8 | UInt64(type.shape.rank))
    for axis in 0..<type.shape.rank { write(type.shape[axis]) }
  }

  /// What kind of operation follows: its Swift type, unique in this process.
  public mutating func write(_ operation: any Operation) {
    write(UInt64(UInt(bitPattern: ObjectIdentifier(Swift.type(of: operation)))))
    operation.encode(into: &self)
  }

  public mutating func write(_ graph: Graph) {
    write(graph.inputs.count)
    for input in graph.inputs { write(input) }
    write(graph.instructions.count)
    for instruction in graph.instructions {
      write(instruction.operation)
      write(instruction.operands.count)
      for operand in instruction.operands { write(operand.word) }
    }
    write(graph.outputs.count)
    for output in graph.outputs { write(output.word) }
  }
}
