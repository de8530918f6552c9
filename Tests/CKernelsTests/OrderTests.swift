import CajalCKernels
import Testing

extension CKernels {
  @Suite struct Orders {
    /// Outer, along, inner, and how many are wanted.
    static let shapes = [(1, 100_000, 1, 100_000), (40, 33, 7, 33), (3, 5000, 2, 20), (50, 20, 1, 3), (2, 300, 3, 299)]

    private func order(_ x: [Float], _ shape: (Int, Int, Int, Int), isDescending: Bool) -> [Int64] {
      let (outer, n, inner) = (Int64(shape.0), Int64(shape.1), Int64(shape.2))
      var out = [Int64](repeating: -1, count: shape.0 * shape.3 * shape.2)
      withWorkspace(cj_argsort_workspace(outer, n, inner)) { workspace in
        cj_argsort(isDescending, CJ_FLOAT32, outer, n, inner, Int64(shape.3), x, &out, workspace!)
      }
      return out
    }

    @Test func ordersMatchSwifts() {
      var draws = Draws(40)
      for shape in Self.shapes {
        let (outer, n, inner, count) = shape
        // Few values, so that many are equal.
        let x = draws.floats(outer * n * inner).map { ($0 * 50).rounded() }
        for isDescending in [false, true] {
          let found = order(x, shape, isDescending: isDescending)
          var expected = found
          for o in 0..<outer {
            for i in 0..<inner {
              let line = (0..<n).map { x[(o * n + $0) * inner + i] }
              let sorted = line.indices.sorted {
                line[$0] == line[$1] ? $0 < $1 : (line[$0] < line[$1]) != isDescending
              }
              for k in 0..<count { expected[(o * count + k) * inner + i] = Int64(sorted[k]) }
            }
          }
          #expect(found == expected)
        }
      }
    }

    /// NaNs of both signs, infinities and all else that bits may say.
    @Test(arguments: [
      (CJ_BOOL, 1), (CJ_UINT8, 1), (CJ_INT8, 1), (CJ_INT16, 2), (CJ_INT32, 4), (CJ_INT64, 8), (CJ_FLOAT16, 2),
      (CJ_BFLOAT16, 2), (CJ_FLOAT32, 4), (CJ_FLOAT64, 8),
    ]) func theFirstFewAreThoseOfTheWholeOrder(_ dtype: cj_dtype, width: Int) {
      var draws = Draws(42)
      for (outer, n) in [(1, 200_000), (3, 70_000), (40, 1000), (7, 50)] as [(Int64, Int64)] {
        let bytes = Int(outer * n) * width
        var bits = (0..<bytes).map { _ in UInt8(truncatingIfNeeded: draws.bits()) }
        if dtype == CJ_BOOL { bits = bits.map { $0 & 1 } }
        // Every fourth number has an exponent of ones.
        for place in stride(from: 0, to: bytes, by: 4 * width) where width > 1 {
          bits[place + width - 1] |= 0x7F
          bits[place + width - 2] |= 0xFC
        }
        for isDescending in [false, true] {
          func order(_ count: Int64) -> [Int64] {
            var out = [Int64](repeating: -1, count: Int(outer * count))
            withWorkspace(cj_argsort_workspace(outer, n, 1)) { workspace in
              cj_argsort(isDescending, dtype, outer, n, 1, count, bits, &out, workspace!)
            }
            return out
          }
          let whole = order(n)
          for count in [1, 5, 32] as [Int64] {
            let first = (0..<Int(outer)).flatMap { whole[$0 * Int(n)..<$0 * Int(n) + Int(count)] }
            #expect(order(count) == first, "\(outer) lines of \(n), \(count)")
          }
        }
      }
    }

    @Test func cumulativeSumsMatchLoops() {
      var draws = Draws(41)
      for (outer, n, inner, _) in Self.shapes {
        let x = draws.floats(outer * n * inner)
        for isReversed in [false, true] {
          var found = [Float](repeating: 0, count: x.count)
          cj_cumulative_sum(isReversed, CJ_FLOAT32, Int64(outer), Int64(n), Int64(inner), x, &found)
          var expected = found
          for o in 0..<outer {
            for i in 0..<inner {
              var sum = 0.0
              for step in 0..<n {
                let position = (o * n + (isReversed ? n - 1 - step : step)) * inner + i
                sum += Double(x[position])
                expected[position] = Float(sum)
              }
            }
          }
          #expect(found == expected)
        }
      }
    }
  }
}
