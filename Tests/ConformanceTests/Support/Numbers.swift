import CajalBase
import CajalIR
import Foundation

/// Whether the long run is wanted (`CAJAL_FULL=1`).
let isFull = ProcessInfo.processInfo.environment["CAJAL_FULL"] == "1"

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers in every run.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  init(_ seed: UInt64) { state = seed }

  /// Seeded by a text: FNV-1a (Fowler, Noll, Vo), since Swift's own hashes differ from run to run.
  init(_ text: String, _ seed: UInt64 = 0) {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    state = hash &+ seed &* 0x9E37_79B9_7F4A_7C15
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func uniform(_ range: ClosedRange<Double>) -> Double {
    range.lowerBound + Double(next() >> 11) * 0x1p-53 * (range.upperBound - range.lowerBound)
  }

  /// One of `choices`.
  mutating func pick<Choice>(_ choices: [Choice]) -> Choice { choices[Int(next() % UInt64(choices.count))] }

  mutating func integer(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}

/// What an operand is filled with.
enum Fill: Sendable {
  /// Uniform; integers are rounded, `bool` is a coin.
  case uniform(ClosedRange<Double>)
  /// Uniform, and of either sign: keeps away from 0.
  case magnitudes(ClosedRange<Double>)
  /// The whole range of the dtype, its extremes, NaN, infinities and zeros of both signs first.
  case wide
  /// These, over and over.
  case list([Double])

  func tensor(_ type: TensorType, _ generator: inout SplitMix64) -> HostTensor {
    var result = HostTensor(type)
    for index in 0..<result.count { result.store(scalar(type.dtype, index, &generator), at: index) }
    return result
  }

  private func scalar(_ dtype: DType, _ index: Int, _ generator: inout SplitMix64) -> Scalar {
    switch self {
    case .list(let numbers): return .float(numbers[index % numbers.count])
    case .uniform(let range): return number(generator.uniform(range), dtype, &generator)
    case .magnitudes(let range):
      let magnitude = generator.uniform(range)
      return number(generator.next() & 1 == 0 ? magnitude : -magnitude, dtype, &generator)
    case .wide:
      let edges = Fill.edges(dtype)
      return index < edges.count ? edges[index] : Scalar(bits: generator.next(), dtype: dtype)
    }
  }

  private func number(_ value: Double, _ dtype: DType, _ generator: inout SplitMix64) -> Scalar {
    if dtype == .bool { return .bool(generator.next() & 1 == 1) }
    return dtype.isFloat ? .float(value) : .integer(Int64(value.rounded()))
  }

  /// Numbers where conversions, comparisons and wrapping go wrong.
  static func edges(_ dtype: DType) -> [Scalar] {
    if dtype == .bool { return [] }
    if dtype.isInteger {
      let range = dtype.integerRange
      return [0, 1, range.upperBound, range.lowerBound, range.upperBound - 1, range.lowerBound + 1].map { .integer($0) }
    }
    return [
      0, -0.0, .infinity, -.infinity, .nan, 1, -1, 0.5, 2.5, -2.5, 1e-41, -1e-41, 3e38, 65504, 1.7e308,
      .leastNonzeroMagnitude, 127.5,
      255.5,
      2_147_483_648, -2_147_483_649, 9.3e18, -9.3e18,
    ].map { .float($0) }
  }
}
