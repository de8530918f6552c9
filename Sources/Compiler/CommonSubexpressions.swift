import CajalBase
import CajalIR

/// Computes once what stands in the graph more than once. Effects are never merged.
@Sendable func mergeCommonSubexpressions(_ graph: Graph, _ work: inout WorkCount) -> Graph {
  var rewriter = Rewriter(graph)
  var seen: [PlanKey: Graph.Reference] = [:]
  for instruction in graph.instructions {
    work.visit(instruction)
    guard !instruction.operation.hasEffect, instruction.types.count == 1 else {
      rewriter.keep(instruction)
      continue
    }
    var key = PlanKey()
    key.write(instruction.operation)
    for operand in instruction.operands { key.write(rewriter.mapped(operand).word) }
    if let same = seen[key] {
      rewriter.replace(with: same)
    } else {
      rewriter.keep(instruction)
      seen[key] = Graph.Reference(instruction: rewriter.result.instructions.count - 1)
    }
  }
  return rewriter.finish()
}
