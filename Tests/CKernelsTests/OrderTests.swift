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
