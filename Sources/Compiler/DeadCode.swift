import CajalBase
import CajalIR

/// Leaves out what no output and no effect depends on.
@Sendable func removeDeadCode(_ graph: Graph, _ work: inout WorkCount) -> Graph {
  var isLive = [Bool](repeating: false, count: graph.instructions.count)
  for output in graph.outputs where output.position >= 0 { isLive[output.instruction] = true }
  for position in graph.instructions.indices.reversed() {
    let instruction = graph.instructions[position]
    work.visit(instruction)
    if instruction.operation.hasEffect { isLive[position] = true }
    guard isLive[position] else { continue }
    for operand in instruction.operands where operand.position >= 0 { isLive[operand.instruction] = true }
  }
  var rewriter = Rewriter(graph)
  for (position, instruction) in graph.instructions.enumerated() {
    if isLive[position] { rewriter.keep(instruction) } else { rewriter.drop() }
  }
  return rewriter.finish()
}
