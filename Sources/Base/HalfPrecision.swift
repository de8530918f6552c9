/// bfloat16: the upper half of a float32 (8 bits of exponent, 7 of fraction).
public struct BFloat16: Hashable, Sendable {
  public var bitPattern: UInt16

  public init(bitPattern: UInt16) { self.bitPattern = bitPattern }

  /// Rounds to nearest, ties to even; NaN stays NaN.
  public init(_ value: Float) {
    let bits = value.bitPattern
    if value.isNaN {
      bitPattern = UInt16(truncatingIfNeeded: bits >> 16) | 0x0040
    } else {
      let roundingBias = 0x7FFF + ((bits >> 16) & 1)
      bitPattern = UInt16(truncatingIfNeeded: (bits &+ roundingBias) >> 16)
    }
  }
}

extension BFloat16: ExpressibleByFloatLiteral, CustomStringConvertible {
  public init(floatLiteral value: Float) { self.init(value) }
  public var description: String { "\(Float(self))" }
}

extension Float {
  public init(_ value: BFloat16) { self.init(bitPattern: UInt32(value.bitPattern) << 16) }

  // IEEE 754 binary16 by its bits: Swift's Float16 does not exist on every platform.

  /// The value of a binary16 with these bits.
  public init(halfBits: UInt16) {
    let sign = UInt32(halfBits & 0x8000) << 16
    let exponent = UInt32(halfBits >> 10) & 0x1F
    let fraction = UInt32(halfBits & 0x03FF)
    switch exponent {
    case 0:
      // Zero and subnormals: fraction × 2⁻²⁴, exact in float32.
      let magnitude = Float(fraction) * 0x1p-24
      self.init(bitPattern: magnitude.bitPattern | sign)
    case 0x1F:
      self.init(bitPattern: sign | 0x7F80_0000 | fraction << 13)
    default:
      // 112 = 127 − 15, the difference of the exponents' biases.
      self.init(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }

  /// The bits of this value as binary16: nearest, ties to even, overflow to infinity.
  public var halfBits: UInt16 {
    let bits = bitPattern
    let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
    let magnitude = bits & 0x7FFF_FFFF
    if magnitude > 0x7F80_0000 { return sign | 0x7E00 }  // NaN
    // 65520 is the middle between the largest binary16 and the next power of two.
    if magnitude >= Float(65520).bitPattern { return sign | 0x7C00 }
    if magnitude < 0x3880_0000 {
      // Below 2⁻¹⁴: a multiple of 2⁻²⁴, rounded to even by the addition of 2⁻¹ (ulp 2⁻²⁴).
      let sum = Float(bitPattern: magnitude) + 0.5
      return sign | UInt16(truncatingIfNeeded: sum.bitPattern &- Float(0.5).bitPattern)
    }
    let rounded = magnitude &+ 0x0FFF &+ ((magnitude >> 13) & 1)
    return sign | UInt16(truncatingIfNeeded: (rounded &- 0x3800_0000) >> 13)
  }
}
