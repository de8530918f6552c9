import CajalCKernels
import Testing

extension CKernels {
  @Suite struct Reductions {
    static let shapes: [(Int, Int, Int)] = [
      (1, 1, 1), (3, 10, 1), (1, 1000, 1), (2, 1024, 1), (2, 1025, 1), (1, 70_001, 1), (1, 300_000, 1), (500, 10, 1),
      (1, 33, 10), (3, 32, 7), (2, 65, 40), (1, 2000, 3), (1, 20_000, 10), (1, 100, 300), (7, 5, 513), (1, 5000, 64),
      (70, 40, 9),
    ]

    func reduce<T: BitwiseCopyable, R: BitwiseCopyable>(
      _ op: cj_reduction, _ dtype: cj_dtype, _ shape: (Int, Int, Int), _ values: [T], _: R.Type
    ) -> [R] {
      let (outer, n, inner) = shape
      let workspace = cj_reduce_workspace(op, dtype, Int64(outer), Int64(n), Int64(inner))
      return bytes(outer * inner * MemoryLayout<R>.stride) { out in
        withWorkspace(workspace) { cj_reduce(op, dtype, Int64(outer), Int64(n), Int64(inner), values, out, $0) }
      }.values(R.self)
    }

    /// Walks the results with the values that make each of them.
    func each<T>(_ shape: (Int, Int, Int), _ values: [T], _ body: (Int, [T]) -> Void) {
      let (outer, n, inner) = shape
      for o in 0..<outer {
        for i in 0..<inner {
          body(o * inner + i, (0..<n).map { values[(o * n + $0) * inner + i] })
        }
      }
    }

    @Test func floatReductionsMatchDoubles() {
      atEveryLevel { level in
        var draws = Draws(20)
        for shape in Self.shapes {
          let values = draws.floats(shape.0 * shape.1 * shape.2)
          let wide = values.map { Double($0) }
          let sums = reduce(CJ_SUM, CJ_FLOAT32, shape, values, Float.self)
          let wideSums = reduce(CJ_SUM, CJ_FLOAT64, shape, wide, Double.self)
          let greatest = reduce(CJ_MAX, CJ_FLOAT32, shape, values, Float.self)
          let least = reduce(CJ_MIN, CJ_FLOAT64, shape, wide, Double.self)
          each(shape, wide) { at, column in
            let exact = column.reduce(0, +)
            let size = column.reduce(0) { $0 + abs($1) }
            #expect(abs(Double(sums[at]) - exact) <= 1e-6 * size, "\(level) \(shape)")
            #expect(abs(wideSums[at] - exact) <= 1e-14 * size, "\(level) \(shape)")
            #expect(Double(greatest[at]) == column.max() && least[at] == column.min(), "\(level) \(shape)")
          }
          let near = values.map { 1 + $0 / 1000 }
          let products = reduce(CJ_PRODUCT, CJ_FLOAT32, shape, near, Float.self)
          each(shape, near) { at, column in
            let exact = column.reduce(1.0) { $0 * Double($1) }
            #expect(abs(Double(products[at]) - exact) <= 1e-7 * Double(column.count + 1) * exact, "\(level) \(shape)")
          }
        }
      }
    }

    @Test func sumsLoseLittleWhenLong() {
      let values = [Float](repeating: 0.1, count: 4_000_000)
      let sum = reduce(CJ_SUM, CJ_FLOAT32, (1, 4_000_000, 1), values, Float.self)[0]
      #expect(abs(Double(sum) / (4_000_000 * Double(Float(0.1))) - 1) < 3e-7)
      let columns = reduce(CJ_SUM, CJ_FLOAT32, (1, 1_000_000, 4), values, Float.self)
      #expect(columns.allSatisfy { abs(Double($0) / (1_000_000 * Double(Float(0.1))) - 1) < 3e-7 })
    }

    @Test func halvesAccumulateInFloat() {
      atEveryLevel { level in
        var draws = Draws(21)
        for shape in Self.shapes {
          let halves = draws.floats(shape.0 * shape.1 * shape.2).map { cj_float_to_half($0) }
          let brains = halves.map { UInt16(cj_half_to_float($0).bitPattern >> 16) }
          let sums = reduce(CJ_SUM, CJ_FLOAT16, shape, halves, UInt16.self)
          let greatest = reduce(CJ_MAX, CJ_BFLOAT16, shape, brains, UInt16.self)
          each(shape, halves.map { cj_half_to_float($0) }) { at, column in
            let exact = column.reduce(0.0) { $0 + Double($1) }
            let size = column.reduce(0.0) { $0 + Double(abs($1)) }
            #expect(
              abs(Double(cj_half_to_float(sums[at])) - exact) <= abs(exact) * 0x1p-11 + size * 1e-6 + 1e-7, "\(level)")
          }
          each(shape, brains.map { Float(bitPattern: UInt32($0) << 16) }) { at, column in
            #expect(Float(bitPattern: UInt32(greatest[at]) << 16) == column.max())
          }
        }
      }
    }

    func checkIntegers<I: FixedWidthInteger & BitwiseCopyable>(_ dtype: cj_dtype, _: I.Type) {
      var draws = Draws(22)
      for shape in Self.shapes {
        let values = (0..<shape.0 * shape.1 * shape.2).map { _ in
          dtype == CJ_BOOL ? I(draws.below(2)) : I(truncatingIfNeeded: draws.bits())
        }
        let sums = reduce(CJ_SUM, dtype, shape, values, Int64.self)
        let products = reduce(CJ_PRODUCT, dtype, shape, values, Int64.self)
        let greatest = reduce(CJ_MAX, dtype, shape, values, I.self)
        let least = reduce(CJ_MIN, dtype, shape, values, I.self)
        each(shape, values) { at, column in
          #expect(sums[at] == column.reduce(0) { $0 &+ Int64(truncatingIfNeeded: $1) })
          #expect(products[at] == column.reduce(1) { $0 &* Int64(truncatingIfNeeded: $1) })
          #expect(greatest[at] == column.max() && least[at] == column.min(), "\(dtype) \(shape)")
        }
      }
    }

    @Test func integerReductionsAreExact() {
      checkIntegers(CJ_BOOL, UInt8.self)
      checkIntegers(CJ_UINT8, UInt8.self)
      checkIntegers(CJ_INT8, Int8.self)
      checkIntegers(CJ_INT16, Int16.self)
      checkIntegers(CJ_INT32, Int32.self)
      checkIntegers(CJ_INT64, Int64.self)
    }

    @Test func emptyReductionsGiveTheIdentity() {
      let none = [Float]()
      let wide = [Double]()
      let words = [Int32]()
      let flags = [UInt8]()
      #expect(reduce(CJ_SUM, CJ_FLOAT32, (2, 0, 2), none, Float.self) == [0, 0, 0, 0])
      #expect(reduce(CJ_PRODUCT, CJ_FLOAT32, (1, 0, 1), none, Float.self) == [1])
      #expect(reduce(CJ_MAX, CJ_FLOAT32, (1, 0, 1), none, Float.self) == [-.infinity])
      #expect(reduce(CJ_MIN, CJ_FLOAT64, (1, 0, 1), wide, Double.self) == [.infinity])
      #expect(reduce(CJ_PRODUCT, CJ_INT32, (1, 0, 1), words, Int64.self) == [1])
      #expect(reduce(CJ_MAX, CJ_INT32, (1, 0, 1), words, Int32.self) == [.min])
      #expect(reduce(CJ_MIN, CJ_INT32, (1, 0, 1), words, Int32.self) == [.max])
      #expect(reduce(CJ_MIN, CJ_BOOL, (1, 0, 1), flags, UInt8.self) == [1])
      #expect(reduce(CJ_MAX, CJ_BOOL, (1, 0, 1), flags, UInt8.self) == [0])
      #expect(reduce(CJ_PRODUCT, CJ_FLOAT16, (1, 0, 1), [UInt16](), UInt16.self) == [0x3c00])
      #expect(reduce(CJ_SUM, CJ_FLOAT32, (0, 5, 1), none, Float.self) == [])
    }

    @Test func notANumberWins() {
      atEveryLevel { level in
        for shape in [(1, 9, 1), (1, 3000, 1), (1, 40, 5), (1, 100, 70)] {
          for position in [0, shape.1 / 2, shape.1 - 1] {
            var values = [Float](repeating: 1, count: shape.1 * shape.2)
            values[position * shape.2] = .nan
            for op in [CJ_SUM, CJ_PRODUCT, CJ_MAX, CJ_MIN] {
              let got = reduce(op, CJ_FLOAT32, shape, values, Float.self)
              #expect(got[0].isNaN && got.dropFirst().allSatisfy { !$0.isNaN }, "\(level) \(op) \(shape)")
            }
          }
        }
      }
    }

    @Test func withoutAWorkspaceSumsAreTheSameBits() {
      var draws = Draws(25)
      for shape in Self.shapes + [(1, 2_000_000, 1), (2, 30_000, 40)] {
        let values = draws.floats(shape.0 * shape.1 * shape.2)
        let sums = reduce(CJ_SUM, CJ_FLOAT32, shape, values, Float.self).bytes()
        let serial = bytes(shape.0 * shape.2 * 4) {
          cj_reduce(CJ_SUM, CJ_FLOAT32, Int64(shape.0), Int64(shape.1), Int64(shape.2), values, $0, nil)
        }
        #expect(sums == serial, "\(shape)")
      }
      #expect(cj_reduce_workspace(CJ_SUM, CJ_FLOAT32, 1, 2_000_000, 1) > 0)
      #expect(cj_reduce_workspace(CJ_SUM, CJ_FLOAT32, 500, 10, 1) == 0)
      #expect(cj_reduce_workspace(CJ_SUM, CJ_FLOAT32, 0, 5, 1) == 0)
      #expect(cj_reduce_workspace(CJ_SUM, CJ_FLOAT32, 2, 0, 2) == 0)
    }

    @Test func reductionsGiveTheSameBitsForAnyThreadCount() {
      var draws = Draws(23)
      for shape in Self.shapes + [(1, 2_000_000, 1), (2, 30_000, 40)] {
        let values = draws.floats(shape.0 * shape.1 * shape.2)
        expectSameBitsForAnyThreadCount("\(shape)") {
          reduce(CJ_SUM, CJ_FLOAT32, shape, values, Float.self).bytes()
        }
      }
    }

    func arg<T: BitwiseCopyable>(_ maximum: Bool, _ dtype: cj_dtype, _ shape: (Int, Int, Int), _ values: [T]) -> [Int64]
    {
      bytes(shape.0 * shape.2 * 8) {
        cj_arg_reduce(
          maximum, dtype, Int64(shape.0), Int64(shape.1), Int64(shape.2), values, $0.assumingMemoryBound(to: Int64.self)
        )
      }.values(Int64.self)
    }

    @Test func argReductionsFindTheFirst() {
      var draws = Draws(24)
      for shape in Self.shapes {
        let count = shape.0 * shape.1 * shape.2
        let integers = (0..<count).map { _ in Int32(draws.below(50)) }
        let floats = integers.map { $0 == 49 && shape.1 > 20 ? Float.nan : Float($0) }
        let greatest = arg(true, CJ_INT32, shape, integers)
        let least = arg(false, CJ_INT64, shape, integers.map { Int64($0) })
        let floatGreatest = arg(true, CJ_FLOAT32, shape, floats)
        let floatLeast = arg(false, CJ_FLOAT64, shape, floats.map { Double($0) })
        let halfGreatest = arg(true, CJ_FLOAT16, shape, floats.map { cj_float_to_half($0) })
        each(shape, integers) { at, column in
          #expect(Int(greatest[at]) == column.firstIndex(of: column.max()!))
          #expect(Int(least[at]) == column.firstIndex(of: column.min()!))
        }
        each(shape, floats) { at, column in
          let nan = column.firstIndex { $0.isNaN }
          #expect(Int(floatGreatest[at]) == nan ?? column.firstIndex(of: column.max()!))
          #expect(Int(floatLeast[at]) == nan ?? column.firstIndex(of: column.min()!))
          #expect(halfGreatest[at] == floatGreatest[at])
        }
      }
    }
  }
}
