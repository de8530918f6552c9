// Philox4x32-10, a counter-based random number generator: Salmon, Moraes, Dror and
// Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

/// Four random words for each (key, stream, block).
public enum Philox {
  /// The words of one block: counter (`block`, `stream`), key `key`, ten rounds.
  public static func block(key: UInt64, stream: UInt64, block: UInt64) -> (UInt32, UInt32, UInt32, UInt32) {
    var c0 = UInt32(truncatingIfNeeded: block)
    var c1 = UInt32(truncatingIfNeeded: block >> 32)
    var c2 = UInt32(truncatingIfNeeded: stream)
    var c3 = UInt32(truncatingIfNeeded: stream >> 32)
    var k0 = UInt32(truncatingIfNeeded: key)
    var k1 = UInt32(truncatingIfNeeded: key >> 32)
    for _ in 0..<10 {
      // Multipliers and Weyl increments (golden ratio, √3 − 1) from the paper.
      let p0 = UInt64(c0) * 0xD251_1F53
      let p1 = UInt64(c2) * 0xCD9E_8D57
      c0 = UInt32(truncatingIfNeeded: p1 >> 32) ^ c1 ^ k0
      c1 = UInt32(truncatingIfNeeded: p1)
      c2 = UInt32(truncatingIfNeeded: p0 >> 32) ^ c3 ^ k1
      c3 = UInt32(truncatingIfNeeded: p0)
      k0 &+= 0x9E37_79B9
      k1 &+= 0xBB67_AE85
    }
    return (c0, c1, c2, c3)
  }

  /// Word `index` of a stream: word `index % 4` of block `index / 4`.
  public static func word(key: UInt64, stream: UInt64, index: UInt64) -> UInt32 {
    let words = block(key: key, stream: stream, block: index / 4)
    switch index % 4 {
    case 0: return words.0
    case 1: return words.1
    case 2: return words.2
    default: return words.3
    }
  }

  /// The key of child `index` of `key`: streams that never meet.
  public static func derive(_ key: UInt64, _ index: UInt64) -> UInt64 {
    // A stream number that no generator counts up to marks the derivation.
    let words = block(key: key, stream: .max, block: index)
    return UInt64(words.1) << 32 | UInt64(words.0)
  }
}
