import CajalBase
import Foundation

/// Random numbers for one picture: words of Philox, one after the other.
public struct RandomDraws: RandomNumberGenerator, Sendable {
  private let key: UInt64
  private var block: UInt64 = 0
  private var spare: UInt64?

  public init(key: UInt64) { self.key = key }

  public mutating func next() -> UInt64 {
    if let word = spare {
      spare = nil
      return word
    }
    let words = Philox.block(key: key, stream: 0, block: block)
    block += 1
    spare = UInt64(words.3) << 32 | UInt64(words.2)
    return UInt64(words.1) << 32 | UInt64(words.0)
  }

  /// From 0 up to, but without, 1.
  public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Within the range.
  public mutating func uniform(_ range: ClosedRange<Double>) -> Double {
    range.lowerBound + uniform() * (range.upperBound - range.lowerBound)
  }

  /// Up to so much either way.
  public mutating func either(_ width: Double) -> Double { uniform() * (2 * abs(width)) - abs(width) }

  /// From 0 up to, but without, `count`.
  public mutating func index(_ count: Int) -> Int { max(0, min(count - 1, Int(uniform() * Double(count)))) }

  public mutating func chance(_ probability: Double) -> Bool { uniform() < probability }

  /// From the beta distribution with both parameters `alpha`: 0 or 1 where that is not above 0, nearly 1/2 from a
  /// million on.
  public mutating func beta(_ alpha: Double) -> Double {
    let alpha = alpha > 0 ? min(alpha, 1e6) : 0
    let (x, y) = (gamma(alpha), gamma(alpha))
    return x + y > 0 ? x / (x + y) : (chance(0.5) ? 1 : 0)
  }

  /// From the normal distribution (Box and Muller 1958).
  private mutating func normal() -> Double {
    (-2 * log(1 - uniform())).squareRoot() * cos(2 * .pi * uniform())
  }

  /// From the gamma distribution (Marsaglia and Tsang 2000).
  private mutating func gamma(_ shape: Double) -> Double {
    guard shape >= 1 else { return gamma(shape + 1) * pow(1 - uniform(), 1 / shape) }
    let d = shape - 1 / 3.0
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = normal()
      let v = (1 + c * x) * (1 + c * x) * (1 + c * x)
      if v > 0, log(1 - uniform()) < 0.5 * x * x + d - d * v + d * log(v) { return d * v }
    }
  }
}
