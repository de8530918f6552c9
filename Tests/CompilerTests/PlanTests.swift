import CajalBase
import CajalIR
import CajalOperations
import Testing

@testable import CajalCompiler

/// Fusion, order and memory, by the program that comes out.
@Suite struct PlanTests {
  private func check(
    _ graph: Graph, _ expected: String, fuses: Bool = true, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(compiled(graph, fuses: fuses).printed == expected, sourceLocation: sourceLocation)
  }

  private var norm: Graph {
    get throws {
      try makeGraph { g in
        let x = g.input([8, 16])
        let mean = try g.apply(.divide, try g.add(Reduce(.sum, axes: [1]), x), try g.literal(16))
        let centered = try g.apply(.subtract, x, try g.add(Reshape([8, 1]), mean))
        let squares = try g.apply(.multiply, centered, centered)
        let variance = try g.add(Reduce(.sum, axes: [1]), squares)
        let scale = try g.apply(.rsqrt, try g.apply(.add, variance, try g.literal(1e-5)))
        return [try g.apply(.multiply, centered, try g.add(Reshape([8, 1]), scale))]
      }
    }
  }

  @Test func reductionsAndWhatTheyLeaveForEachRowRunTogether() throws {
    check(
      try norm,
      """
      0: group of 8 (in0) -> out0
      outputs out0
      out0 may take over in0
      """)
    check(
      try norm,
      """
      0: sum (in0) -> arena+0
      1: group of 1 (arena+0) -> arena+0
      2: group of 1 (in0, arena+0) -> arena+64
      3: group of 1 (arena+64) -> arena+576
      4: sum (arena+576) -> arena+0
      5: group of 1 (arena+0) -> arena+0
      6: group of 1 (arena+0) -> arena+0
      7: group of 1 (arena+64, arena+0) -> out0
      outputs out0
      arena of 1088 bytes
      """, fuses: false)
  }

  @Test func viewsAreReadByTheGroupsThatWereOpenBeforeThem() throws {
    let graph = try makeGraph { g in
      let product = try g.add(MatMul(), g.input([4, 4]), g.input([4, 4]))
      let early = try g.apply(.exp, product)
      let view = try g.add(Transpose([1, 0]), product)
      return [try g.apply(.add, early, view)]
    }
    check(
      graph,
      """
      0: matmul (in0, in1) -> arena+0
      1: group of 2 (arena+0) -> out0
      outputs out0
      arena of 64 bytes
      """)
  }

  @Test func groupsEndAtTheirLimitAndKeepTheirOrder() throws {
    let graph = try makeGraph { g in
      var x = g.input([4])
      for _ in 0..<300 { x = try g.apply(.sin, x) }
      return [x]
    }
    check(
      graph,
      """
      0: group of 128 (in0) -> arena+0
      1: group of 128 (arena+0) -> arena+0
      2: group of 44 (arena+0) -> out0
      outputs out0
      arena of 64 bytes
      """)
  }

  @Test func groupsNeverWaitForEachOtherInACircle() throws {
    // a → sum → b, with c beside both: c may run with a or with b, not hold up either.
    let graph = try makeGraph { g in
      let x = g.input([4, 4])
      let a = try g.apply(.exp, x)
      let total = try g.add(Broadcast([4, 4]), try g.add(Reduce(.sum, axes: [0, 1]), a))
      let c = try g.apply(.sin, x)
      let b = try g.apply(.divide, a, total)
      return [try g.apply(.add, b, c), try g.apply(.multiply, c, a)]
    }
    check(
      graph,
      """
      0: group of 3 (in0) -> arena+0, arena+64, out0
      1: sum (arena+0) -> arena+128
      2: group of 2 (arena+0, arena+128, arena+64) -> out1
      outputs out1, out0
      out0 may take over in0
      arena of 192 bytes
      """)
  }

  @Test func deadBuffersAreUsedAgainAndSumsWriteInPlace() throws {
    // Products are steps of their own: four buffers live one after the other in the room of two.
    let graph = try makeGraph { g in
      let (x, w) = (g.input([16, 16]), g.input([16, 16]))
      var y = x
      for _ in 0..<4 { y = try g.apply(.tanh, try g.add(MatMul(), y, w)) }
      return [y]
    }
    check(
      graph,
      """
      0: matmul (in0, in1) -> arena+0
      1: group of 1 (arena+0) -> arena+0
      2: matmul (arena+0, in1) -> arena+1024
      3: group of 1 (arena+1024) -> arena+1024
      4: matmul (arena+1024, in1) -> arena+0
      5: group of 1 (arena+0) -> arena+0
      6: matmul (arena+0, in1) -> arena+1024
      7: group of 1 (arena+1024) -> out0
      outputs out0
      arena of 2048 bytes
      """)
  }

  @Test func workspacesLiveInTheArenaWhileTheirStepRuns() throws {
    let graph = try makeGraph { g in
      let (x, w) = (g.input([16, 16]), g.input([16, 16]))
      var y = x
      for _ in 0..<3 { y = try g.add(MatMul(), y, w) }
      return [y]
    }
    let options = LoweringOptions(
      fuses: true, acceptsStrided: { _ in false },
      workspace: { operation, operands in operation is MatMul ? 300 + operands.count : 0 })
    var work = WorkCount()
    let program = compile(graph, options, &work)
    // The products' own results are out of the way of the scratch, which is one place for all.
    #expect(
      program.printed == """
        0: matmul (in0, in1) -> arena+0, arena+1024
        1: matmul (arena+0, in1) -> arena+1344, arena+1024
        2: matmul (arena+1344, in1) -> out0, arena+1024
        outputs out0
        arena of 2368 bytes
        """)
    for step in program.steps {
      guard case .operation(_, _, _, _, let workspace?) = step.kind else {
        Issue.record("a product without its workspace")
        continue
      }
      #expect(program.buffers[workspace].byteCount == 302)
    }
  }

  @Test func anOutputTakesOverAnInputThatItAloneReadsElementByElement() throws {
    let graph = try makeGraph { g in
      let (weights, gradient, rate) = (g.input([8, 4]), g.input([8, 4]), g.input([]))
      return [try g.apply(.subtract, weights, try g.apply(.multiply, gradient, rate))]
    }
    check(
      graph,
      """
      0: group of 2 (in1, in2, in0) -> out0
      outputs out0
      out0 may take over in1
      """)
  }

  @Test func noInputIsTakenOverThatIsReadLaterOtherwiseOrShown() throws {
    let later = try makeGraph { g in
      let x = g.input([4, 4])
      let y = try g.apply(.exp, x)
      return [y, try g.add(MatMul(), x, y)]
    }
    check(
      later,
      """
      0: group of 1 (in0) -> out0
      1: matmul (in0, out0) -> out1
      outputs out0, out1
      """)
    let turned = try makeGraph { g in
      let x = g.input([4, 4])
      return [try g.apply(.add, x, try g.add(Transpose([1, 0]), x))]
    }
    check(
      turned,
      """
      0: group of 1 (in0) -> out0
      outputs out0
      """)
    let shown = try makeGraph { g in
      let x = g.input([4, 4])
      return [try g.apply(.exp, x), x]
    }
    check(
      shown,
      """
      0: group of 1 (in0) -> out0
      outputs out0, in0
      """)
    let narrowed = try makeGraph { g in [try g.add(Cast(to: .int16), g.input([4, 4]))] }
    check(
      narrowed,
      """
      0: group of 1 (in0) -> out0
      outputs out0
      """)
  }

  @Test func whatCanFailComesBeforeWhatWritesIntoDonatedMemory() throws {
    let graph = try makeGraph { g in
      let (weights, table, labels) = (g.input([4]), g.input([5, 4]), g.input([2], .int64))
      let update = try g.apply(.multiply, weights, weights)
      let doubled = try g.apply(.add, labels, labels)
      let checked = try g.add(CheckIndices(extent: 5, allowsNegative: false, noun: "label"), doubled)
      let rows = try g.add(Gather(axis: 0), table, checked)
      return [update, rows]
    }
    check(
      graph,
      """
      0: group of 1 (in2) -> arena+0
      1: checkIndices (arena+0) -> arena+0
      2: group of 1 (in0) -> out0
      3: gather (in1, arena+0) -> out1
      outputs out0, out1
      out0 may take over in0
      arena of 64 bytes
      """)
  }

  @Test func aWriteBeforeTheLastStepThatCanFailTakesNothingOver() throws {
    // The group is needed by the slice, so it comes first, and must not write over its input.
    let graph = try makeGraph { g in
      let (x, start) = (g.input([4]), g.input([], .int64))
      let y = try g.apply(.exp, x)
      return [y, try g.add(Slice(Part(axes: [0], extents: [2], steps: [1])), y, start)]
    }
    check(
      graph,
      """
      0: group of 1 (in0) -> out0
      1: slice (out0, in1) -> out1
      outputs out0, out1
      """)
  }

  @Test func anOutputThatIsNotRowMajorIsCopiedOut() throws {
    let graph = try makeGraph { g in
      let y = try g.apply(.exp, g.input([64, 4]))
      let part = try g.add(Reshape([4, 64]), y)
      return [try g.add(Flip([1]), part)]
    }
    check(
      graph,
      """
      0: group of 1 (in0) -> arena+0
      1: copy (arena+0) -> out0
      outputs out0
      arena of 1024 bytes
      """)
  }

  @Test func outputsThatAreTheSameElementsShareTheirMemory() throws {
    let graph = try makeGraph { g in
      let x = g.input([6, 4])
      let y = try g.apply(.exp, x)
      return [y, try g.add(Reshape([24]), y), try g.add(Reshape([4, 6]), x), try g.literal(3)]
    }
    check(
      graph,
      """
      0: group of 1 (in0) -> out0
      1: group of 1 () -> out1
      outputs out0, out0, in0, out1
      """)
  }
}
