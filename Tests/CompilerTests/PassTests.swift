import CajalBase
import CajalCompiler
import CajalIR
import CajalOperations
import Testing

/// Each pass by the graph before and the graph after.
@Suite struct PassTests {
  @Test func canonicalizeDropsWhatChangesNothing() throws {
    let graph = try makeGraph { g in
      let x = g.input([2, 3])
      let one = try g.literal(1)
      let zero = try g.literal(0)
      let a = try g.apply(.multiply, x, one)
      let b = try g.apply(.subtract, a, zero)
      let c = try g.apply(.divide, b, one)
      let d = try g.apply(.negate, try g.apply(.negate, c))
      let e = try g.add(StopGradient(), try g.add(Reshape([2, 3]), try g.add(Cast(to: .float32), d)))
      let f = try g.add(Transpose([0, 1]), try g.add(Flip([]), try g.add(Broadcast([2, 3]), e)))
      return [try g.apply(.exp, try g.add(Concatenate(axis: 0), try g.add(Alias(), f)))]
    }
    try expect(
      "canonicalize", turns: graph,
      printedAs: """
        in0: float32[2, 3]
        %0: float32[] = constant() {scalar: 1.0, dtype: float32, isWeak: false}
        %1: float32[] = constant() {scalar: 0.0, dtype: float32, isWeak: false}
        %2: float32[2, 3] = multiply(in0, %0)
        %3: float32[2, 3] = subtract(%2, %1)
        %4: float32[2, 3] = divide(%3, %0)
        %5: float32[2, 3] = negate(%4)
        %6: float32[2, 3] = negate(%5)
        %7: float32[2, 3] = cast(%6) {dtype: float32}
        %8: float32[2, 3] = reshape(%7) {shape: [2, 3]}
        %9: float32[2, 3] = stopGradient(%8)
        %10: float32[2, 3] = broadcast(%9) {shape: [2, 3]}
        %11: float32[2, 3] = flip(%10) {axes: []}
        %12: float32[2, 3] = transpose(%11) {permutation: [0, 1]}
        %13: float32[2, 3] = alias(%12)
        %14: float32[2, 3] = concatenate(%13) {axis: 0}
        %15: float32[2, 3] = exp(%14)
        return %15
        """,
      into: """
        in0: float32[2, 3]
        %0: float32[] = constant() {scalar: 1.0, dtype: float32, isWeak: false}
        %1: float32[] = constant() {scalar: 0.0, dtype: float32, isWeak: false}
        %2: float32[2, 3] = negate(in0)
        %3: float32[2, 3] = exp(in0)
        return %3
        """)
  }

  @Test func canonicalizeKeepsWhatChangesABit() throws {
    // −0 + 0 is +0, −0 − (−0) is +0, and x · 1 of another shape is a broadcast.
    let graph = try makeGraph { g in
      let x = g.input([3])
      let wide = g.input([2, 3])
      let sum = try g.apply(.add, x, try g.literal(0))
      let difference = try g.apply(.subtract, x, try g.literal(-0.0))
      let ones = try g.add(Broadcast([2, 3]), try g.literal(1))
      return [sum, difference, try g.apply(.multiply, x, ones), try g.apply(.divide, try g.literal(1), wide)]
    }
    try expect(
      "canonicalize", turns: graph,
      printedAs: """
        in0: float32[3]
        in1: float32[2, 3]
        %0: float32[] = constant() {scalar: 0.0, dtype: float32, isWeak: false}
        %1: float32[3] = add(in0, %0)
        %2: float32[] = constant() {scalar: -0.0, dtype: float32, isWeak: false}
        %3: float32[3] = subtract(in0, %2)
        %4: float32[] = constant() {scalar: 1.0, dtype: float32, isWeak: false}
        %5: float32[2, 3] = broadcast(%4) {shape: [2, 3]}
        %6: float32[2, 3] = multiply(in0, %5)
        %7: float32[] = constant() {scalar: 1.0, dtype: float32, isWeak: false}
        %8: float32[2, 3] = divide(%7, in1)
        return %1, %3, %6, %8
        """,
      into: """
        in0: float32[3]
        in1: float32[2, 3]
        %0: float32[] = constant() {scalar: 0.0, dtype: float32, isWeak: false}
        %1: float32[3] = add(in0, %0)
        %2: float32[] = constant() {scalar: -0.0, dtype: float32, isWeak: false}
        %3: float32[3] = subtract(in0, %2)
        %4: float32[] = constant() {scalar: 1.0, dtype: float32, isWeak: false}
        %5: float32[2, 3] = broadcast(%4) {shape: [2, 3]}
        %6: float32[2, 3] = multiply(in0, %5)
        %7: float32[] = constant() {scalar: 1.0, dtype: float32, isWeak: false}
        %8: float32[2, 3] = divide(%7, in1)
        return %1, %3, %6, %8
        """)
  }

  @Test func canonicalizeMergesViewsAndPutsAxesSideBySide() throws {
    let graph = try makeGraph { g in
      let x = g.input([2, 3, 4])
      let a = try g.add(Transpose([1, 2, 0]), try g.add(Transpose([2, 0, 1]), x))
      let b = try g.add(Reshape([6, 4]), try g.add(Reshape([24]), x))
      let c = try g.add(Broadcast([2, 3, 4]), try g.add(Broadcast([3, 4]), g.input([4])))
      let back = try g.add(Transpose([2, 0, 1]), try g.add(Transpose([1, 2, 0]), x))
      return [
        try g.apply(.add, try g.add(Transpose([0, 1, 2]), a), c), b, try g.add(Reduce(.sum, axes: [0, 2]), x), back,
      ]
    }
    try expect(
      "canonicalize", turns: graph,
      printedAs: """
        in0: float32[2, 3, 4]
        in1: float32[4]
        %0: float32[4, 2, 3] = transpose(in0) {permutation: [2, 0, 1]}
        %1: float32[2, 3, 4] = transpose(%0) {permutation: [1, 2, 0]}
        %2: float32[24] = reshape(in0) {shape: [24]}
        %3: float32[6, 4] = reshape(%2) {shape: [6, 4]}
        %4: float32[3, 4] = broadcast(in1) {shape: [3, 4]}
        %5: float32[2, 3, 4] = broadcast(%4) {shape: [2, 3, 4]}
        %6: float32[3, 4, 2] = transpose(in0) {permutation: [1, 2, 0]}
        %7: float32[2, 3, 4] = transpose(%6) {permutation: [2, 0, 1]}
        %8: float32[2, 3, 4] = transpose(%1) {permutation: [0, 1, 2]}
        %9: float32[2, 3, 4] = add(%8, %5)
        %10: float32[3] = sum(in0) {axes: [0, 2]}
        return %9, %3, %10, %7
        """,
      into: """
        in0: float32[2, 3, 4]
        in1: float32[4]
        %0: float32[4, 2, 3] = transpose(in0) {permutation: [2, 0, 1]}
        %1: float32[24] = reshape(in0) {shape: [24]}
        %2: float32[6, 4] = reshape(in0) {shape: [6, 4]}
        %3: float32[3, 4] = broadcast(in1) {shape: [3, 4]}
        %4: float32[2, 3, 4] = broadcast(in1) {shape: [2, 3, 4]}
        %5: float32[3, 4, 2] = transpose(in0) {permutation: [1, 2, 0]}
        %6: float32[2, 3, 4] = add(in0, %4)
        %7: float32[3, 2, 4] = transpose(in0) {permutation: [1, 0, 2]}
        %8: float32[3] = sum(%7) {axes: [1, 2]}
        return %6, %2, %8, in0
        """)
  }

  @Test func foldComputesWhatIsExactAndDependsOnLiteralsAlone() throws {
    let graph = try makeGraph { g in
      let x = g.input([2])
      let five = try g.apply(.add, try g.literal(2), try g.literal(3))
      let half = try g.add(Cast(to: .float16), try g.apply(.divide, five, try g.literal(10)))
      let wrapped = try g.apply(.multiply, try g.literal(100, .int8), try g.literal(3, .int8))
      // May round otherwise in a kernel.
      let exponential = try g.apply(.exp, five)
      return [try g.apply(.multiply, x, five), half, wrapped, try g.apply(.add, x, exponential)]
    }
    try expect(
      "fold", turns: graph,
      printedAs: """
        in0: float32[2]
        %0: float32[] = constant() {scalar: 2.0, dtype: float32, isWeak: false}
        %1: float32[] = constant() {scalar: 3.0, dtype: float32, isWeak: false}
        %2: float32[] = add(%0, %1)
        %3: float32[] = constant() {scalar: 10.0, dtype: float32, isWeak: false}
        %4: float32[] = divide(%2, %3)
        %5: float16[] = cast(%4) {dtype: float16}
        %6: int8[] = constant() {scalar: 100.0, dtype: int8, isWeak: false}
        %7: int8[] = constant() {scalar: 3.0, dtype: int8, isWeak: false}
        %8: int8[] = multiply(%6, %7)
        %9: float32[] = exp(%2)
        %10: float32[2] = multiply(in0, %2)
        %11: float32[2] = add(in0, %9)
        return %10, %5, %8, %11
        """,
      into: """
        in0: float32[2]
        %0: float32[] = constant() {scalar: 2.0, dtype: float32, isWeak: false}
        %1: float32[] = constant() {scalar: 3.0, dtype: float32, isWeak: false}
        %2: float32[] = constant() {scalar: 5.0, dtype: float32, isWeak: false}
        %3: float32[] = constant() {scalar: 10.0, dtype: float32, isWeak: false}
        %4: float32[] = constant() {scalar: 0.5, dtype: float32, isWeak: false}
        %5: float16[] = constant() {scalar: 0.5, dtype: float16, isWeak: false}
        %6: int8[] = constant() {scalar: 100.0, dtype: int8, isWeak: false}
        %7: int8[] = constant() {scalar: 3.0, dtype: int8, isWeak: false}
        %8: int8[] = constant() {scalar: 44, dtype: int8, isWeak: false}
        %9: float32[] = exp(%2)
        %10: float32[2] = multiply(in0, %2)
        %11: float32[2] = add(in0, %9)
        return %10, %5, %8, %11
        """)
  }

  @Test func commonSubexpressionsAreComputedOnce() throws {
    let graph = try makeGraph { g in
      let x = g.input([4])
      let y = g.input([4])
      let a = try g.apply(.multiply, x, y)
      let b = try g.apply(.multiply, x, y)
      let swapped = try g.apply(.multiply, y, x)
      let c = try g.add(Reduce(.sum, axes: [0]), a)
      let d = try g.add(Reduce(.sum, axes: [0]), b)
      let e = try g.add(Reduce(.maximum, axes: [0]), b)
      return [try g.apply(.add, c, d), e, swapped]
    }
    try expect(
      "common-subexpressions", turns: graph,
      printedAs: """
        in0: float32[4]
        in1: float32[4]
        %0: float32[4] = multiply(in0, in1)
        %1: float32[4] = multiply(in0, in1)
        %2: float32[4] = multiply(in1, in0)
        %3: float32[] = sum(%0) {axes: [0]}
        %4: float32[] = sum(%1) {axes: [0]}
        %5: float32[] = max(%1) {axes: [0]}
        %6: float32[] = add(%3, %4)
        return %6, %5, %2
        """,
      into: """
        in0: float32[4]
        in1: float32[4]
        %0: float32[4] = multiply(in0, in1)
        %1: float32[4] = multiply(in1, in0)
        %2: float32[] = sum(%0) {axes: [0]}
        %3: float32[] = max(%0) {axes: [0]}
        %4: float32[] = add(%2, %2)
        return %4, %3, %1
        """)
  }

  @Test func deadCodeIsLeftOut() throws {
    let graph = try makeGraph { g in
      let x = g.input([4])
      let a = try g.apply(.exp, x)
      let dead = try g.apply(.log, a)
      _ = try g.apply(.sin, dead)
      return [try g.apply(.cos, a)]
    }
    try expect(
      "dead-code", turns: graph,
      printedAs: """
        in0: float32[4]
        %0: float32[4] = exp(in0)
        %1: float32[4] = log(%0)
        %2: float32[4] = sin(%1)
        %3: float32[4] = cos(%0)
        return %3
        """,
      into: """
        in0: float32[4]
        %0: float32[4] = exp(in0)
        %1: float32[4] = cos(%0)
        return %1
        """)
  }
}
