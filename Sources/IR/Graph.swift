import CajalBase

/// A graph as the compiler sees it: a list of instructions in an order that works.
///
/// Values are immutable and passes return new graphs. Also the body of sub-graphs.
public struct Graph: Sendable {
  /// A result of an instruction, or an input.
  public struct Reference: Hashable, Sendable {
    /// The instruction's position, or −1 − i for input i.
    public var position: Int32
    public var result: Int32

    public init(instruction: Int, result: Int = 0) {
      position = Int32(instruction)
      self.result = Int32(result)
    }

    public init(input: Int) {
      position = Int32(-1 - input)
      result = 0
    }

    /// The input's number, if this is one.
    public var input: Int? { position < 0 ? Int(-1 - position) : nil }
    public var instruction: Int { Int(position) }
    public var word: UInt64 { UInt64(UInt32(bitPattern: position)) << 32 | UInt64(UInt32(bitPattern: result)) }
  }

  public struct Instruction: Sendable {
    public var operation: any Operation
    public var operands: [Reference]
    public var types: ResultTypes
    public var path: ModulePath?

    public init(_ operation: any Operation, _ operands: [Reference], types: ResultTypes, path: ModulePath? = nil) {
      self.operation = operation
      self.operands = operands
      self.types = types
      self.path = path
    }
  }

  public var inputs: [TensorType]
  public var instructions: [Instruction]
  public var outputs: [Reference]

  public init(inputs: [TensorType] = [], instructions: [Instruction] = [], outputs: [Reference] = []) {
    self.inputs = inputs
    self.instructions = instructions
    self.outputs = outputs
  }

  public func type(of reference: Reference) -> TensorType {
    if let input = reference.input { return inputs[input] }
    return instructions[reference.instruction].types[Int(reference.result)]
  }

  /// Appends an instruction whose types follow from its operation.
  @discardableResult
  public mutating func append(_ operation: any Operation, _ operands: [Reference], path: ModulePath? = nil)
    throws(Mismatch) -> Reference
  {
    let types = try operation.resultTypes(OperandTypes(operands.map { type(of: $0) }))
    instructions.append(Instruction(operation, operands, types: types, path: path))
    return Reference(instruction: instructions.count - 1)
  }

  /// How often each instruction's results are read, outputs included.
  public var useCounts: [Int] {
    var counts = [Int](repeating: 0, count: instructions.count)
    for instruction in instructions {
      for operand in instruction.operands where operand.position >= 0 { counts[operand.instruction] += 1 }
    }
    for output in outputs where output.position >= 0 { counts[output.instruction] += 1 }
    return counts
  }
}
