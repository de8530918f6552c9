import CajalBase
import CajalCompiler
import CajalIR
import CajalOperations
import Testing

/// Values that are made anew where they are read.
@Suite struct RecomputeTests {
  @Test func aDifferenceOfWhatMemoryHoldsIsMadeForEachReader() throws {
    let graph = try makeGraph { g in
      let (x, mean) = (g.input([1024, 64]), g.input([64]))
      let centred = try g.apply(.subtract, x, mean)
      let variance = try g.add(Reduce(.sum, axes: [0]), try g.apply(.multiply, centred, centred))
      return [try g.apply(.multiply, centred, variance)]
    }
    try expect(
      "recompute", turns: graph,
      printedAs: """
        in0: float32[1024, 64]
        in1: float32[64]
        %0: float32[1024, 64] = subtract(in0, in1)
        %1: float32[1024, 64] = multiply(%0, %0)
        %2: float32[64] = sum(%1) {axes: [0]}
        %3: float32[1024, 64] = multiply(%0, %2)
        return %3
        """,
      into: """
        in0: float32[1024, 64]
        in1: float32[64]
        %0: float32[1024, 64] = subtract(in0, in1)
        %1: float32[1024, 64] = multiply(%0, %0)
        %2: float32[64] = sum(%1) {axes: [0]}
        %3: float32[1024, 64] = subtract(in0, in1)
        %4: float32[1024, 64] = multiply(%3, %2)
        return %4
        """)
    // Two passes over x, and nothing else of its size but the result.
    let program = compiled(graph)
    #expect(program.steps.count == 2 && program.buffers.filter { $0.byteCount == 4 << 16 }.count == 2)
  }

  /// What memory holds for others, what is small, what two large values make, and functions stay as they are.
  @Test func otherValuesAreMadeOnce() throws {
    let graph = try makeGraph { g in
      let (x, y, small) = (g.input([1024, 64]), g.input([1024, 64]), g.input([64, 64]))
      func readTwice(_ value: Graph.Reference) throws -> [Graph.Reference] {
        let sum = try g.add(Reduce(.sum, axes: [0]), value)
        return [try g.apply(.multiply, value, sum)]
      }
      let held = try g.apply(.negate, x)
      let product = try g.add(MatMul(), held, small)
      return try readTwice(held) + readTwice(g.apply(.add, small, small)) + readTwice(g.apply(.add, x, y))
        + readTwice(g.apply(.tanh, x)) + [product]
    }
    var work = WorkCount()
    let pass = try #require(Pipeline.passes.first { $0.name == "recompute" })
    #expect(pass.run(graph, &work).description == graph.description)
  }
}
