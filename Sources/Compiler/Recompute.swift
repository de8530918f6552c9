import CajalBase
import CajalIR
import CajalOperations

/// Gives each reader its own copy of a value that is cheaply made from one of its size that memory holds anyway:
/// x − μ is read by the variance, by the normalized value and by their gradients, in groups apart from one another,
/// and each may as well read x. Nobody writes the value then. Copies that meet in a group are one again.
///
/// The same instruction on the same operands: no bit changes.
@Sendable func recomputeCheapValues(_ graph: Graph, _ work: inout WorkCount) -> Graph {
  let isHeld = heldInMemory(graph, &work)
  let uses = graph.useCounts
  var rewriter = Rewriter(graph)
  var isTaken = [Bool](repeating: false, count: graph.instructions.count)
  for instruction in graph.instructions {
    work.visit(instruction)
    var copy = instruction
    var own: [Graph.Reference: Graph.Reference] = [:]
    for operand in instruction.operands where operand.position >= 0 && own[operand] == nil {
      let position = operand.instruction
      guard uses[position] > 1, !isHeld[position], isCheap(graph.instructions[position], graph, isHeld) else {
        continue
      }
      let mapped = rewriter.mapped(operand)
      // The first reader has the value itself.
      let definition = isTaken[position] ? rewriter.definition(mapped) : nil
      own[operand] = definition.map { rewriter.add($0) } ?? mapped
      isTaken[position] = true
    }
    copy.operands = instruction.operands.map { own[$0] ?? rewriter.mapped($0) }
    rewriter.emit(copy)
  }
  return rewriter.finish()
}

/// What is smaller stays in the second-level cache from one group to the next.
private let leastBytes = 256 << 10

/// Whether an instruction is little arithmetic on one large value of memory, and small ones.
private func isCheap(_ instruction: Graph.Instruction, _ graph: Graph, _ isHeld: [Bool]) -> Bool {
  guard let elementwise = instruction.operation as? Elementwise, elementwise.function.flops <= 1,
    instruction.types.first.byteCount >= leastBytes
  else { return false }
  let type = instruction.types.first
  let large = instruction.operands.filter { operand in
    let isSpread = operand.position >= 0 && graph.instructions[operand.instruction].operation is Broadcast
    let source = isSpread ? graph.instructions[operand.instruction].operands[0] : operand
    return 16 * graph.type(of: source).byteCount > type.byteCount
  }
  guard large.count == 1, graph.type(of: large[0]) == type else { return false }
  return large[0].position < 0 || isHeld[large[0].instruction]
}

/// Which instructions' results stand in memory however groups are made: those of steps, and what is read by steps or
/// from outside.
private func heldInMemory(_ graph: Graph, _ work: inout WorkCount) -> [Bool] {
  var isHeld = [Bool](repeating: false, count: graph.instructions.count)
  for output in graph.outputs where output.position >= 0 { isHeld[output.instruction] = true }
  for position in graph.instructions.indices.reversed() {
    let instruction = graph.instructions[position]
    work.visit(instruction)
    switch instruction.operation.semantics {
    case .elementwise, .affine: continue
    // A view shows what is behind it, to whoever reads the view.
    case .view, .identity: break
    case .loops, .decomposition, .loop, .transfer, .leaf:
      if let reduce = instruction.operation as? Reduce, joinsGroups(reduce, graph.type(of: instruction.operands[0])) {
        continue
      }
      isHeld[position] = true
    }
    for operand in instruction.operands where operand.position >= 0 { isHeld[operand.instruction] = true }
  }
  return isHeld
}

/// Along the columns, or along all rows.
private func joinsGroups(_ reduce: Reduce, _ type: TensorType) -> Bool {
  reduce.axes == [type.shape.rank - 1] || reduce.axes == Array(0..<max(0, type.shape.rank - 1))
}
