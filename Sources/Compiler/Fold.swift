import CajalBase
import CajalIR
import CajalOperations

/// Computes what depends on literals alone, where the result is exact: an exponential may round
/// differently here and in a kernel, and then holding a tensor would change bits.
@Sendable func foldConstants(_ graph: Graph, _ work: inout WorkCount) -> Graph {
  var rewriter = Rewriter(graph)
  for instruction in graph.instructions {
    work.visit(instruction)
    guard let constant = folded(instruction, rewriter) else {
      rewriter.keep(instruction)
      continue
    }
    let type = instruction.types.first
    let literal = Graph.Instruction(constant, [], types: ResultTypes(.scalar, type.dtype), path: instruction.path)
    if type.shape.rank == 0 {
      rewriter.emit(literal)
    } else {
      let scalar = rewriter.add(literal)
      rewriter.emit(
        Graph.Instruction(Broadcast(type.shape), [scalar], types: instruction.types, path: instruction.path))
    }
  }
  return rewriter.finish()
}

private func folded(_ instruction: Graph.Instruction, _ rewriter: Rewriter) -> Constant? {
  guard !instruction.operands.isEmpty, instruction.types.count == 1 else { return nil }
  var literals: [Constant] = []
  for operand in instruction.operands {
    guard let constant = rewriter.literal(rewriter.mapped(operand)) else { return nil }
    literals.append(constant)
  }
  let dtype = instruction.types.first.dtype
  guard let program = instruction.operation.scalarProgram(operands: literals.map(\.dtype), result: dtype),
    program.isExact
  else {
    return nil
  }
  let value = program.evaluate(literals.map { $0.scalar.rounded(to: $0.dtype) })
  return Constant(value, dtype)
}

extension Operation {
  /// The scalar program of an elementwise operation on operands of these dtypes.
  public func scalarProgram(operands: [DType], result: DType) -> ScalarProgram? {
    guard case .elementwise(let expression) = semantics else { return nil }
    let builder = ScalarProgramBuilder(arguments: operands.map(\.computeType))
    return builder.program(expression(builder, operands.indices.map(builder.argument), result))
  }
}
