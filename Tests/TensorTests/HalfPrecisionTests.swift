import Cajal
import CajalBase
import Testing

/// The value of a small float by the definition of IEEE 754: no bit tricks.
private func value(_ bits: UInt16, exponentBits: Int, fractionBits: Int) -> Double {
  let sign = bits >> 15 == 1 ? -1.0 : 1.0
  let exponent = Int(bits >> fractionBits) & ((1 << exponentBits) - 1)
  let fraction = Double(bits & ((1 << fractionBits) - 1)) / Double(1 << fractionBits)
  let bias = (1 << (exponentBits - 1)) - 1
  if exponent == (1 << exponentBits) - 1 { return fraction == 0 ? sign * .infinity : .nan }
  let power = { (e: Int) in Double(sign: .plus, exponent: e, significand: 1) }
  return exponent == 0 ? sign * fraction * power(1 - bias) : sign * (1 + fraction) * power(exponent - bias)
}

private func isSame(_ found: Float, _ expected: Double) -> Bool {
  expected.isNaN ? found.isNaN : Double(found) == expected && found.sign == expected.sign
}

@Suite struct HalfPrecisionTests {
  @Test func everyHalfHasTheValueOfItsDefinitionAndComesBack() {
    var wrong = 0
    for bits in UInt16.min ... .max {
      let float = Float(halfBits: bits)
      if !isSame(float, value(bits, exponentBits: 5, fractionBits: 10)) { wrong += 1 }
      if float.isNaN ? !Float(halfBits: float.halfBits).isNaN : float.halfBits != bits { wrong += 1 }
    }
    #expect(wrong == 0)
  }

  @Test func everyBFloat16HasTheValueOfItsDefinitionAndComesBack() {
    var wrong = 0
    for bits in UInt16.min ... .max {
      let float = Float(BFloat16(bitPattern: bits))
      if !isSame(float, value(bits, exponentBits: 8, fractionBits: 7)) { wrong += 1 }
      if float.isNaN ? !Float(BFloat16(float)).isNaN : BFloat16(float).bitPattern != bits { wrong += 1 }
    }
    #expect(wrong == 0)
  }

  /// Between each neighbouring pair: the middle goes to the even one, anything off it to the nearer.
  @Test func floatsBetweenNeighboursRoundToTheNearestTiesToEven() {
    var wrong = 0
    for bits in UInt16(0)..<0x7BFF {
      let middle = (Float(halfBits: bits) + Float(halfBits: bits + 1)) / 2
      let even = bits & 1 == 0 ? bits : bits + 1
      if middle.halfBits != even || middle.nextDown.halfBits != bits || middle.nextUp.halfBits != bits + 1 {
        wrong += 1
      }
      if (-middle).halfBits != even | 0x8000 { wrong += 1 }
    }
    for bits in UInt16(0)..<0x7F7F {
      let low = Double(Float(BFloat16(bitPattern: bits)))
      let high = Double(Float(BFloat16(bitPattern: bits + 1)))
      let middle = Float((low + high) / 2)
      let even = bits & 1 == 0 ? bits : bits + 1
      if BFloat16(middle).bitPattern != even { wrong += 1 }
      if BFloat16(middle.nextDown).bitPattern != bits || BFloat16(middle.nextUp).bitPattern != bits + 1 { wrong += 1 }
    }
    #expect(wrong == 0)
  }

  @Test func whatIsTooLargeBecomesInfinite() {
    #expect(Float(65519.99).halfBits == 0x7BFF)
    #expect(Float(65520).halfBits == 0x7C00)
    #expect((-Float.infinity).halfBits == 0xFC00)
    #expect(BFloat16(Float.greatestFiniteMagnitude).bitPattern == 0x7F80)
    #expect(Float(BFloat16(Float.nan)).isNaN)
  }

  @Test(arguments: [DType.float16, .bfloat16]) func tensorsConvertEveryPatternAsTheBaseDoes(_ dtype: DType) throws {
    let patterns = (UInt16.min ... .max).map { $0 }
    let halves = patterns.withUnsafeBytes { Tensor(bytes: $0, shape: [65536], dtype: dtype) }
    let floats = try halves.cast(to: .float32).scalars(Float.self)
    let expected = patterns.map { dtype == .float16 ? Float(halfBits: $0) : Float(BFloat16(bitPattern: $0)) }
    #expect(zip(floats, expected).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) })
    let back = try Tensor(floats).cast(to: dtype).bytes()
    let again = back.withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) }
    #expect(zip(zip(patterns, again), expected).allSatisfy { $0.0 == $0.1 || $1.isNaN })
  }
}
