import CajalCKernels
import Testing

extension CKernels {
  @Suite struct Gathers {
    static let shapes = [
      (1, 10, 1, 7), (3, 5, 4, 9), (2, 100, 33, 50), (1, 1000, 64, 3000), (4, 7, 600, 300), (1, 3, 1, 100_000),
    ]

    @Test func firstBadIndexIsFound() {
      var indices = [Int32](repeating: 3, count: 5000)
      #expect(cj_first_bad_index(CJ_INT32, 5000, indices, 4, false) == -1)
      indices[4000] = 4
      indices[4500] = -1
      #expect(cj_first_bad_index(CJ_INT32, 5000, indices, 4, false) == 4000)
      #expect(cj_first_bad_index(CJ_INT32, 5000, indices, 5, false) == 4500)
      #expect(cj_first_bad_index(CJ_INT32, 5000, indices, 5, true) == -1)
      #expect(cj_first_bad_index(CJ_INT64, 3, [-4, -5, 9] as [Int64], 4, true) == 1)
      #expect(cj_first_bad_index(CJ_INT64, 0, [0] as [Int64], 0, true) == -1)
      #expect(cj_first_bad_index(CJ_INT64, 1, [Int64.max], 4, true) == 0)
    }

    @Test func gathersMatchLoops() {
      var draws = Draws(30)
      for (outer, extent, inner, count) in Self.shapes {
        let x = (0..<outer * extent * inner).map { UInt32($0) }
        let indices = (0..<count).map { _ in Int64(draws.below(2 * extent) - extent) }
        var out = [UInt32](repeating: 0, count: outer * count * inner)
        cj_gather(4, Int64(outer), Int64(extent), Int64(inner), Int64(count), CJ_INT64, indices, x, &out)
        var expected: [UInt32] = []
        for o in 0..<outer {
          for index in indices {
            let row = Int(index < 0 ? index + Int64(extent) : index)
            expected += x[(o * extent + row) * inner..<(o * extent + row + 1) * inner]
          }
        }
        #expect(out == expected)
        let narrow = x.map { UInt16(truncatingIfNeeded: $0) }
        var half = [UInt16](repeating: 0, count: out.count)
        cj_gather(
          2, Int64(outer), Int64(extent), Int64(inner), Int64(count), CJ_INT32, indices.map { Int32($0) }, narrow, &half
        )
        #expect(half == expected.map { UInt16(truncatingIfNeeded: $0) })
      }
    }

    @Test func scattersAddInOrder() {
      var draws = Draws(31)
      for (outer, extent, inner, count) in Self.shapes {
        let updates = draws.floats(outer * count * inner)
        let start = draws.floats(outer * extent * inner)
        let indices = (0..<count).map { _ in Int32(draws.below(2 * extent) - extent) }
        var expected = start
        for o in 0..<outer {
          for (i, index) in indices.enumerated() {
            let row = Int(index) < 0 ? Int(index) + extent : Int(index)
            for j in 0..<inner { expected[(o * extent + row) * inner + j] += updates[(o * count + i) * inner + j] }
          }
        }
        expectSameBitsForAnyThreadCount("scatter") {
          var x = start
          cj_scatter_add(
            CJ_FLOAT32, Int64(outer), Int64(extent), Int64(inner), Int64(count), CJ_INT32, indices, updates, &x)
          #expect(x == expected)
          return x.bytes()
        }
      }
    }

    @Test func scattersKnowEveryDtype() {
      let indices: [Int64] = [1, 1, -1, 0]
      func check<T: Equatable & BitwiseCopyable>(_ dtype: cj_dtype, _ x: [T], _ updates: [T], _ expected: [T]) {
        var values = x
        cj_scatter_add(dtype, 1, 3, 1, 4, CJ_INT64, indices, updates, &values)
        #expect(values == expected, "\(dtype)")
      }
      check(CJ_INT8, [1, 2, 127] as [Int8], [1, 2, 3, 4], [5, 5, -126])
      check(CJ_UINT8, [1, 2, 255] as [UInt8], [1, 2, 3, 4], [5, 5, 2])
      check(CJ_INT16, [1, 2, .max] as [Int16], [1, 2, 1, 4], [5, 5, .min])
      check(CJ_INT32, [1, 2, .max] as [Int32], [1, 2, 1, 4], [5, 5, .min])
      check(CJ_INT64, [1, 2, .max] as [Int64], [1, 2, 1, 4], [5, 5, .min])
      check(CJ_FLOAT64, [1, 2, 3] as [Double], [0.5, 2, 3, 4], [5, 4.5, 6])
      check(CJ_BOOL, [0, 0, 0] as [UInt8], [0, 1, 0, 0], [0, 1, 0])
      check(
        CJ_FLOAT16, [1, 2, 3].map { cj_float_to_half($0) }, [0.5, 2, 3, 4].map { cj_float_to_half($0) },
        [5, 4.5, 6].map { cj_float_to_half($0) })
      func brain(_ x: Float) -> UInt16 { UInt16(x.bitPattern >> 16) }
      check(CJ_BFLOAT16, [1, 2, 3].map(brain), [0.5, 2, 3, 4].map(brain), [5, 4.5, 6].map(brain))
    }

    @Test func gathersAndScattersAlongMatchLoops() {
      var draws = Draws(32)
      for (outer, extent, inner, count) in Self.shapes {
        let x = draws.floats(outer * extent * inner)
        let updates = draws.floats(outer * count * inner)
        let indices = (0..<outer * count * inner).map { _ in Int64(draws.below(2 * extent) - extent) }
        var gathered = [Float](repeating: 0, count: updates.count)
        var expected = gathered
        var sums = x
        for o in 0..<outer {
          for j in 0..<count {
            for i in 0..<inner {
              let at = (o * count + j) * inner + i
              let row = Int(indices[at]) < 0 ? Int(indices[at]) + extent : Int(indices[at])
              expected[at] = x[(o * extent + row) * inner + i]
              sums[(o * extent + row) * inner + i] += updates[at]
            }
          }
        }
        cj_gather_along(4, Int64(outer), Int64(extent), Int64(inner), Int64(count), CJ_INT64, indices, x, &gathered)
        #expect(gathered == expected)
        var got = x
        cj_scatter_add_along(
          CJ_FLOAT32, Int64(outer), Int64(extent), Int64(inner), Int64(count), CJ_INT32, indices.map { Int32($0) },
          updates,
          &got)
        #expect(got == sums)
      }
    }
  }
}
