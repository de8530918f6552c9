import CajalCKernels
import Testing

extension CKernels {
  @Suite struct Conversions {
    // Float16 is not available in Swift on every platform: the definition instead.
    func value(_ bits: UInt16) -> Double {
      let exponent = Int(bits >> 10 & 31)
      let fraction = Double(bits & 1023)
      let sign = bits >> 15 == 1 ? -1.0 : 1.0
      if exponent == 31 { return fraction == 0 ? sign * .infinity : .nan }
      if exponent == 0 { return sign * fraction * 0x1p-24 }
      return sign * (1 + fraction / 1024) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
    }

    @Test func everyHalfConvertsToItsValueAndBack() {
      for bits in 0...UInt16.max {
        let exact = value(bits)
        let got = cj_half_to_float(bits)
        if exact.isNaN {
          #expect(got.isNaN)
          #expect(cj_half_to_float(cj_float_to_half(got)).isNaN)
        } else {
          #expect(Double(got) == exact)
          #expect(cj_float_to_half(got) == bits)
        }
      }
    }

    @Test func floatsRoundToTheNearestHalf() {
      var draws = Draws(1)
      for _ in 0..<20_000 {
        let bits = UInt16(draws.below(0x7bff))
        let low = value(bits)
        let high = value(bits + 1)
        let middle = (low + high) / 2
        #expect(cj_float_to_half(Float(middle)) == (bits % 2 == 0 ? bits : bits + 1))
        #expect(cj_float_to_half(Float(middle).nextDown) == bits)
        #expect(cj_float_to_half(Float(middle).nextUp) == bits + 1)
        #expect(cj_float_to_half(-Float(middle).nextUp) == bits + 1 | 0x8000)
      }
      #expect(cj_float_to_half(65519.996) == 0x7bff)
      #expect(cj_float_to_half(65520) == 0x7c00)
      #expect(cj_float_to_half(.greatestFiniteMagnitude) == 0x7c00)
      #expect(cj_float_to_half(-.infinity) == 0xfc00)
      #expect(cj_float_to_half(1e-30) == 0)
    }

    @Test func nonfiniteValuesAreFoundWhereverTheyStand() {
      atEveryLevel { level in
        for count in [1, 3, 8, 31, 1000, 300_000] {
          for bad in [Float.nan, .infinity, -.infinity] {
            var values = [Float](repeating: 3e38, count: count)
            #expect(!cj_any_nonfinite(CJ_FLOAT32, Int64(count), values))
            values[count * 2 / 3] = bad
            #expect(cj_any_nonfinite(CJ_FLOAT32, Int64(count), values), "\(level)")
            var doubles = [Double](repeating: 1e300, count: count)
            #expect(!cj_any_nonfinite(CJ_FLOAT64, Int64(count), doubles))
            doubles[count - 1] = Double(bad)
            #expect(cj_any_nonfinite(CJ_FLOAT64, Int64(count), doubles))
            var halves = [UInt16](repeating: 0x7bff, count: count)
            #expect(!cj_any_nonfinite(CJ_FLOAT16, Int64(count), halves))
            halves[count / 2] = cj_float_to_half(bad)
            #expect(cj_any_nonfinite(CJ_FLOAT16, Int64(count), halves))
            var brains = [UInt16](repeating: 0x7f7f, count: count)
            #expect(!cj_any_nonfinite(CJ_BFLOAT16, Int64(count), brains))
            brains[0] = UInt16(bad.bitPattern >> 16)
            #expect(cj_any_nonfinite(CJ_BFLOAT16, Int64(count), brains))
          }
        }
        #expect(!cj_any_nonfinite(CJ_FLOAT32, 0, [0] as [Float]))
        #expect(!cj_any_nonfinite(CJ_INT32, 2, [-1, 0x7f80_0000] as [Int32]))
      }
    }
  }
}
