/// The checksum of FIPS 180-4, 32 bytes.
public struct SHA256 {
  private var state: [UInt32] = Self.roots(of: 2, count: 8)
  private var pending: [UInt8] = []
  private var length: UInt64 = 0

  public init() {}

  /// Takes more bytes.
  public mutating func update(_ bytes: some Collection<UInt8>) {
    length += UInt64(bytes.count)
    pending += bytes
    let whole = pending.count / 64 * 64
    pending.withUnsafeBufferPointer { buffer in
      for start in stride(from: 0, to: whole, by: 64) {
        block(UnsafeBufferPointer(rebasing: buffer[start..<start + 64]))
      }
    }
    pending.removeFirst(whole)
  }

  /// The checksum in hexadecimal digits.
  public mutating func hexadecimal() -> String {
    let bits = length * 8
    update([0x80] + [UInt8](repeating: 0, count: (119 - Int(length % 64)) % 64))
    update((0..<8).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * UInt64($0))) })
    return state.map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }

  /// The checksum of a file.
  public static func of(file path: String) throws -> String {
    let file = try FileReader(path)
    var checksum = SHA256()
    var position = 0
    while position < file.size {
      let chunk = try file.bytes(at: position, count: min(1 << 20, file.size - position))
      checksum.update(chunk)
      position += chunk.count
    }
    return checksum.hexadecimal()
  }

  private mutating func block(_ bytes: UnsafeBufferPointer<UInt8>) {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { w in
      for i in 0..<16 { w[i] = (0..<4).reduce(0) { $0 << 8 | UInt32(bytes[4 * i + $1]) } }
      for i in 16..<64 {
        let s0 = rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ w[i - 15] >> 3
        let s1 = rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ w[i - 2] >> 10
        w[i] = w[i - 16] &+ s0 &+ w[i - 7] &+ s1
      }
      var (a, b, c, d) = (state[0], state[1], state[2], state[3])
      var (e, f, g, h) = (state[4], state[5], state[6], state[7])
      Self.constants.withUnsafeBufferPointer { constants in
        for i in 0..<64 {
          let s1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
          let first = h &+ s1 &+ (e & f ^ ~e & g) &+ constants[i] &+ w[i]
          let s0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
          let second = s0 &+ (a & b ^ a & c ^ b & c)
          (h, g, f, e, d, c, b, a) = (g, f, e, d &+ first, c, b, a, first &+ second)
        }
      }
      for (i, word) in [a, b, c, d, e, f, g, h].enumerated() { state[i] = state[i] &+ word }
    }
  }

  private func rotated(_ word: UInt32, _ bits: UInt32) -> UInt32 { word >> bits | word << (32 - bits) }

  private static let constants = roots(of: 3, count: 64)

  /// The first 32 bits of the fractions of the square or cube roots of the first primes.
  private static func roots(of degree: Int, count: Int) -> [UInt32] {
    let primes = (2...311).filter { number in !(2..<number).contains { number % $0 == 0 } }
    return primes.prefix(count).map { prime in
      // ⌊prime^(1/degree) · 2³²⌋ by bisection, with integers of 128 bits.
      var (low, high) = (UInt128(0), UInt128(1) << 37)
      while high - low > 1 {
        let middle = (low + high) / 2
        let power = (1..<degree).reduce(middle) { product, _ in product * middle }
        if power <= UInt128(prime) << UInt128(32 * degree) { low = middle } else { high = middle }
      }
      return UInt32(truncatingIfNeeded: low)
    }
  }
}
