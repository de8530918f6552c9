import CajalBase
import CajalCompiler
import CajalIR
import CajalOperations
import Testing

/// Compiling takes work in proportion to the graph: counted, not timed.
@Suite struct LinearityTests {
  private static let sizes = [10_000, 30_000, 100_000]
  /// Where the shape of the graph matters more than its size.
  private static let smallSizes = [2_500, 7_500, 25_000]

  private func checkLinear(
    _ sizes: [Int] = sizes, _ make: (Int) throws -> Graph, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    var perNode: [Double] = []
    for size in sizes {
      var work = WorkCount()
      let graph = try make(size)
      _ = compile(graph, LoweringOptions(fuses: true) { _ in false }, &work)
      #expect(work.visits >= size, sourceLocation: sourceLocation)
      perNode.append(Double(work.visits) / Double(graph.instructions.count))
    }
    let (least, most) = (perNode.min() ?? 0, perNode.max() ?? 0)
    #expect(most <= 1.1 * least, "visits a node: \(perNode)", sourceLocation: sourceLocation)
    #expect(most < 40, "visits a node: \(perNode)", sourceLocation: sourceLocation)
  }

  @Test func aChainCompilesInLinearWork() throws {
    try checkLinear { count in
      try makeGraph { g in
        let start = g.input([4])
        var x = start
        for index in 0..<count { x = try g.apply(index % 3 == 0 ? .multiply : .add, x, start) }
        return [x]
      }
    }
  }

  @Test func aWideGraphCompilesInLinearWork() throws {
    try checkLinear { count in
      try makeGraph { g in
        let x = g.input([4])
        var outputs: [Graph.Reference] = []
        for index in 0..<count / 2 {
          let row = try g.add(Reduce(.sum, axes: [0]), x)
          outputs.append(try g.apply(.add, row, try g.literal(Double(index))))
        }
        return outputs
      }
    }
  }

  @Test func aLadderOfViewsAndStepsCompilesInLinearWork() throws {
    try checkLinear(LinearityTests.smallSizes) { count in
      try makeGraph { g in
        var x = g.input([2, 2])
        for index in 0..<count / 4 {
          let turned = try g.add(Transpose([1, 0]), x)
          let sum = try g.add(Reduce(.sum, axes: [index % 2]), turned)
          x = try g.apply(.add, try g.add(Broadcast([2, 2]), sum), x)
        }
        return [x]
      }
    }
  }

  @Test func manyInputsAndOutputsCompileInLinearWork() throws {
    try checkLinear(LinearityTests.smallSizes) { count in
      try makeGraph { g in
        let inputs = (0..<count).map { _ in g.input([4]) }
        return try inputs.map { try g.apply(.exp, $0) }
      }
    }
  }
}
