import CajalBase
import CajalCompiler
import CajalIR
import CajalOperations
import Testing

/// Products and sums that become one instruction, and those that do not.
@Suite struct MultiplyAddTests {
  @Test func aProductAndTheSumThatAloneReadsItBecomeOne() throws {
    let graph = try makeGraph { g in
      let (a, b, c) = (g.input([4]), g.input([4]), g.input([4]))
      let alone = try g.apply(.add, try g.apply(.multiply, a, b), c)
      let right = try g.apply(.add, c, try g.apply(.multiply, b, c))
      let shared = try g.apply(.multiply, a, c)
      let twice = try g.apply(.add, shared, shared)
      let kept = try g.apply(.multiply, a, a)
      return [alone, right, twice, try g.apply(.add, kept, b), kept]
    }
    try expect(
      "multiply-add", turns: graph,
      printedAs: """
        in0: float32[4]
        in1: float32[4]
        in2: float32[4]
        %0: float32[4] = multiply(in0, in1)
        %1: float32[4] = add(%0, in2)
        %2: float32[4] = multiply(in1, in2)
        %3: float32[4] = add(in2, %2)
        %4: float32[4] = multiply(in0, in2)
        %5: float32[4] = add(%4, %4)
        %6: float32[4] = multiply(in0, in0)
        %7: float32[4] = add(%6, in1)
        return %1, %3, %5, %7, %6
        """,
      into: """
        in0: float32[4]
        in1: float32[4]
        in2: float32[4]
        %0: float32[4] = multiply(in0, in1)
        %1: float32[4] = multiplyAdd(in0, in1, in2)
        %2: float32[4] = multiply(in1, in2)
        %3: float32[4] = multiplyAdd(in1, in2, in2)
        %4: float32[4] = multiply(in0, in2)
        %5: float32[4] = add(%4, %4)
        %6: float32[4] = multiply(in0, in0)
        %7: float32[4] = add(%6, in1)
        return %1, %3, %5, %7, %6
        """)
  }

  @Test func aProductThatIsStretchedOrNarrowStaysAlone() throws {
    let graph = try makeGraph { g in
      let (row, matrix, half) = (g.input([3]), g.input([2, 3]), g.input([3], .bfloat16))
      let stretched = try g.apply(.add, try g.apply(.multiply, row, row), matrix)
      return [stretched, try g.apply(.add, try g.apply(.multiply, half, half), half)]
    }
    try expect(
      "multiply-add", turns: graph,
      printedAs: """
        in0: float32[3]
        in1: float32[2, 3]
        in2: bfloat16[3]
        %0: float32[3] = multiply(in0, in0)
        %1: float32[2, 3] = add(%0, in1)
        %2: bfloat16[3] = multiply(in2, in2)
        %3: bfloat16[3] = add(%2, in2)
        return %1, %3
        """,
      into: """
        in0: float32[3]
        in1: float32[2, 3]
        in2: bfloat16[3]
        %0: float32[3] = multiply(in0, in0)
        %1: float32[2, 3] = add(%0, in1)
        %2: bfloat16[3] = multiply(in2, in2)
        %3: bfloat16[3] = add(%2, in2)
        return %1, %3
        """)
  }
}
