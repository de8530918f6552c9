import CajalBase
import CajalIR
import CajalOperations

/// Makes a product and the sum that alone reads it one instruction: one pass over registers
/// instead of two. It rounds after the product as well as after the sum, so it is the same bits
/// whether or not a product was held or read (decision 0002).
@Sendable func formMultiplyAdds(_ graph: Graph, _ work: inout WorkCount) -> Graph {
  let uses = graph.useCounts
  var rewriter = Rewriter(graph)
  for instruction in graph.instructions {
    work.visit(instruction)
    guard let product = soleProduct(of: instruction, graph, uses) else {
      rewriter.keep(instruction)
      continue
    }
    let factors = graph.instructions[instruction.operands[product].instruction].operands
    let addend = instruction.operands[1 - product]
    rewriter.emit(
      Graph.Instruction(
        Elementwise(.multiplyAdd), (factors + [addend]).map(rewriter.mapped), types: instruction.types,
        path: instruction.path))
  }
  return rewriter.finish()
}

/// The operand of a sum that is a product nobody else reads.
private func soleProduct(of sum: Graph.Instruction, _ graph: Graph, _ uses: [Int]) -> Int? {
  guard let add = sum.operation as? Elementwise, add.function === ElementwiseFunction.add,
    !sum.types.first.dtype.narrowsComputeType
  else { return nil }
  return sum.operands.indices.first { index in
    let operand = sum.operands[index]
    guard operand.position >= 0, uses[operand.instruction] == 1 else { return false }
    let definition = graph.instructions[operand.instruction]
    return (definition.operation as? Elementwise)?.function === ElementwiseFunction.multiply
      && definition.types.first.shape == sum.types.first.shape
  }
}
