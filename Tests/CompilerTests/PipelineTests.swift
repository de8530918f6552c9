import CajalBase
import CajalCompiler
import CajalIR
import CajalOperations
import Testing

/// The passes' order, and the verifier that stands between them.
@Suite struct PipelineTests {
  @Test func thePipelineRunsThePassesInTheirOrder() {
    #expect(
      Pipeline.passes.map(\.name) == [
        "canonicalize", "fold", "common-subexpressions", "dead-code", "multiply-add", "dead-code",
        "recompute",
      ])
  }

  @Test func aGraphThatIsBrokenDoesNotVerify() throws {
    var graph = try makeGraph { g in [try g.apply(.exp, g.input([2]))] }
    graph.instructions[0].operands = [Graph.Reference(instruction: 0)]
    #expect(graph.verify() == "%0 exp: reads %0, which comes later")
    graph.instructions[0].operands = [Graph.Reference(input: 1)]
    #expect(graph.verify() == "%0 exp: reads input 1 of 1")
    graph.instructions[0].operands = [Graph.Reference(input: 0)]
    graph.instructions[0].types = ResultTypes([3], .float32)
    #expect(graph.verify() == "%0 exp: types [float32[3]], expected [float32[2]]")
    graph.instructions[0].types = ResultTypes([2], .float32)
    graph.outputs = [Graph.Reference(instruction: 0, result: 1)]
    #expect(graph.verify() == "output: reads result 1 of 1")
  }
}
