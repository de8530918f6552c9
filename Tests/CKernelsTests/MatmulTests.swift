import CajalCKernels
import Testing

extension CKernels {
  @Suite struct MatrixProducts {
    struct Problem: CustomStringConvertible {
      var dtype: cj_dtype
      var transposedA = false, transposedB = false
      var batch = 1, m: Int, n: Int, k: Int
      var sharedA = false, sharedB = false, padding = 0

      var lda: Int { (transposedA ? m : k) + padding }
      var ldb: Int { (transposedB ? k : n) + padding }
      var matrixA: Int { lda * (transposedA ? k : m) }
      var matrixB: Int { ldb * (transposedB ? n : k) }
      var countA: Int { max(1, matrixA * (sharedA ? 1 : batch)) }
      var countB: Int { max(1, matrixB * (sharedB ? 1 : batch)) }
      var description: String {
        "\(dtype) \(m)x\(n)x\(k) batch \(batch) \(transposedA ? "A^T" : "A") \(transposedB ? "B^T" : "B")"
      }

      var product: cj_product {
        cj_product(
          dtype: dtype, a_transposed: transposedA, b_transposed: transposedB, batch: Int64(batch), m: Int64(m),
          n: Int64(n), k: Int64(k), lda: Int64(lda), a_batch: sharedA ? 0 : Int64(matrixA), ldb: Int64(ldb),
          b_batch: sharedB ? 0 : Int64(matrixB), packed_b: nil)
      }

      func run<T: BitwiseCopyable>(_ a: [T], _ b: [T]) -> [UInt8] {
        bytes(batch * m * n * MemoryLayout<T>.stride) { c in
          withUnsafePointer(to: product) { cj_matmul($0, a, b, c, nil, nil) }
        }
      }

      /// Calls body with each position of C and the products that make it.
      func each(_ a: [Double], _ b: [Double], every: Int, _ body: (Int, Double, Double) -> Void) {
        for at in stride(from: 0, to: batch * m * n, by: every) {
          let z = at / (m * n)
          let i = at / n % m
          let j = at % n
          let baseA = sharedA ? 0 : z * matrixA
          let baseB = sharedB ? 0 : z * matrixB
          var sum = 0.0
          var size = 0.0
          for p in 0..<k {
            let product =
              a[baseA + (transposedA ? p * lda + i : i * lda + p)]
              * b[baseB + (transposedB ? j * ldb + p : p * ldb + j)]
            sum += product
            size += abs(product)
          }
          body(at, sum, size)
        }
      }
    }

    static func randomProblem(_ draws: inout Draws) -> Problem {
      let extents = [1, 2, 3, 4, 5, 6, 7, 8, 13, 16, 17, 31, 33, 64, 97, 100, 130, 321]
      let dtype = draws.pick([CJ_FLOAT32, CJ_FLOAT32, CJ_FLOAT64, CJ_FLOAT16, CJ_BFLOAT16, CJ_INT32, CJ_INT64])
      while true {
        let problem = Problem(
          dtype: dtype, transposedA: draws.below(2) == 0, transposedB: draws.below(2) == 0,
          batch: draws.pick([1, 1, 1, 2, 5]), m: draws.pick(extents), n: draws.pick(extents), k: draws.pick(extents),
          sharedA: draws.below(3) == 0, sharedB: draws.below(3) == 0, padding: draws.pick([0, 0, 3]))
        if problem.batch * problem.m * problem.n * problem.k < 1_000_000 { return problem }
      }
    }

    func check(_ problem: Problem, _ draws: inout Draws, _ level: String) {
      let a = (0..<problem.countA).map { _ in Float(draws.uniform()) }
      let b = (0..<problem.countB).map { _ in Float(draws.uniform()) }
      let every = max(1, problem.batch * problem.m * problem.n / 3000)
      func compare(_ c: [Double], _ a: [Double], _ b: [Double], _ relative: Double, _ rounding: Double) {
        problem.each(a, b, every: every) { at, sum, size in
          #expect(
            abs(c[at] - sum) <= relative * size + rounding * abs(sum) + 1e-7 * (rounding > 0 ? 1 : 0),
            "\(level) \(problem)")
        }
      }
      switch problem.dtype {
      case CJ_FLOAT32:
        compare(
          problem.run(a, b).values(Float.self).map { Double($0) }, a.map { Double($0) }, b.map { Double($0) }, 1e-6, 0)
      case CJ_FLOAT64:
        let (wideA, wideB) = (a.map { Double($0) }, b.map { Double($0) })
        compare(problem.run(wideA, wideB).values(Double.self), wideA, wideB, 1e-14, 0)
      case CJ_FLOAT16, CJ_BFLOAT16:
        let half = problem.dtype == CJ_FLOAT16
        func narrow(_ x: Float) -> UInt16 { half ? cj_float_to_half(x) : UInt16(x.bitPattern >> 16) }
        func widen(_ x: UInt16) -> Double {
          Double(half ? cj_half_to_float(x) : Float(bitPattern: UInt32(x) << 16))
        }
        let (narrowA, narrowB) = (a.map(narrow), b.map(narrow))
        let c = problem.run(narrowA, narrowB).values(UInt16.self).map(widen)
        compare(c, narrowA.map(widen), narrowB.map(widen), 1e-6, half ? 0x1p-11 : 0x1p-8)
      case CJ_INT32:
        let (wordsA, wordsB) = (a.map { Int32($0 * 1000) }, b.map { Int32($0 * 1000) })
        compare(
          problem.run(wordsA, wordsB).values(Int32.self).map { Double($0) }, wordsA.map { Double($0) },
          wordsB.map { Double($0) }, 0, 0)
      default:
        let (wordsA, wordsB) = (a.map { Int64($0 * 1000) }, b.map { Int64($0 * 1000) })
        compare(
          problem.run(wordsA, wordsB).values(Int64.self).map { Double($0) }, wordsA.map { Double($0) },
          wordsB.map { Double($0) }, 0, 0)
      }
    }

    @Test func oddShapesMatchDoubles() {
      atEveryLevel { level in
        var draws = Draws(40)
        for _ in 0..<250 {
          check(Self.randomProblem(&draws), &draws, level)
        }
      }
    }

    @Test func largeShapesMatchDoubles() {
      var draws = Draws(41)
      for (m, n, k) in [
        (200, 300, 1000), (128, 512, 784), (1, 1000, 3000), (3000, 1, 700), (5000, 20, 30), (20, 5000, 30),
      ] {
        check(Problem(dtype: CJ_FLOAT32, m: m, n: n, k: k), &draws, "best")
        check(Problem(dtype: CJ_FLOAT32, transposedA: true, transposedB: true, m: m, n: n, k: k), &draws, "best")
      }
    }

    @Test func noDepthGivesZeros() {
      #expect(
        Problem(dtype: CJ_FLOAT32, m: 3, n: 4, k: 0).run([0] as [Float], [0]).values(Float.self)
          == [Float](repeating: 0, count: 12))
      #expect(Problem(dtype: CJ_FLOAT32, m: 0, n: 4, k: 2).run([0] as [Float], [0]).isEmpty)
    }

    @Test func integersWrap() {
      let c = Problem(dtype: CJ_INT32, m: 1, n: 1, k: 2).run([Int32.max, 1], [2, 3] as [Int32]).values(Int32.self)
      #expect(c == [Int32.max &* 2 &+ 3])
    }

    @Test func productsAllocateNothing() {
      var draws = Draws(43)
      for problem in [
        Problem(dtype: CJ_FLOAT32, m: 200, n: 300, k: 400), Problem(dtype: CJ_FLOAT32, batch: 40, m: 50, n: 60, k: 70),
      ] {
        let (a, b) = (draws.floats(problem.countA), draws.floats(problem.countB))
        cj_memory_reset_peak()
        let before = cj_memory().peak_bytes
        _ = problem.run(a, b)
        #expect(cj_memory().peak_bytes == before)
      }
    }

    @Test func productsGiveTheSameBitsForAnyThreadCount() {
      var draws = Draws(42)
      let problems = [
        Problem(dtype: CJ_FLOAT32, m: 128, n: 512, k: 784),
        Problem(dtype: CJ_FLOAT32, transposedB: true, m: 333, n: 100, k: 500),
        Problem(dtype: CJ_FLOAT32, m: 1, n: 3000, k: 500),
        Problem(dtype: CJ_FLOAT32, transposedB: true, m: 1, n: 3000, k: 500),
        Problem(dtype: CJ_FLOAT32, batch: 40, m: 50, n: 60, k: 70),
        Problem(dtype: CJ_FLOAT32, batch: 3, m: 300, n: 200, k: 100),
        // More tasks than lanes; too much scratch for lanes.
        Problem(dtype: CJ_FLOAT32, batch: 70, m: 100, n: 110, k: 120),
        Problem(dtype: CJ_FLOAT32, batch: 17, m: 600, n: 500, k: 310),
      ]
      for problem in problems {
        let a = draws.floats(problem.countA)
        let b = draws.floats(problem.countB)
        expectSameBitsForAnyThreadCount("\(problem)") { problem.run(a, b) }
      }
      for half in [
        Problem(dtype: CJ_BFLOAT16, transposedA: true, m: 200, n: 300, k: 400),
        Problem(dtype: CJ_BFLOAT16, transposedB: true, m: 1, n: 3000, k: 500),
        Problem(dtype: CJ_BFLOAT16, batch: 20, m: 90, n: 80, k: 400),
      ] {
        let a = draws.floats(half.countA).map { UInt16($0.bitPattern >> 16) }
        let b = draws.floats(half.countB).map { UInt16($0.bitPattern >> 16) }
        expectSameBitsForAnyThreadCount("\(half)") { half.run(a, b) }
      }
    }
  }
}
