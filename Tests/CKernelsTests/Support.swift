import CajalCKernels
import Testing

/// The root of all kernel tests. Serialised: the thread count and the SIMD level
/// are settings of the process.
@Suite(.serialized) struct CKernels {}

/// A small generator, so that failures repeat.
struct Draws {
  var state: UInt64
  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

  // SplitMix64 (Steele, Lea, Flood 2014).
  mutating func bits() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
  mutating func below(_ bound: Int) -> Int { Int(bits() % UInt64(bound)) }
  mutating func uniform() -> Double { Double(bits() >> 11) * 0x1p-53 * 2 - 1 }
  mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }
  mutating func floats(_ count: Int) -> [Float] { (0..<count).map { _ in Float(uniform()) } }
}

/// The bytes that `body` writes into `count` zeroed ones.
func bytes(_ count: Int, _ body: (UnsafeMutableRawPointer) -> Void) -> [UInt8] {
  var result = [UInt8](repeating: 0, count: max(count, 1))
  result.withUnsafeMutableBytes { body($0.baseAddress!) }
  return Array(result.prefix(count))
}

/// Calls `body` with a workspace of `count` bytes (none for 0), and expects that nothing behind it was written.
func withWorkspace(_ count: Int64, _ body: (UnsafeMutableRawPointer?) -> Void) {
  guard count > 0 else { return body(nil) }
  let guardBytes = 64
  let block = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(count) + guardBytes, alignment: 64)
  defer { block.deallocate() }
  // Whoever reads before writing meets not-a-numbers.
  block.initializeMemory(as: UInt8.self, repeating: 0xff)
  body(block.baseAddress)
  #expect(block.suffix(guardBytes).allSatisfy { $0 == 0xff })
}

/// Runs `body` with each thread count and expects the same bytes.
func expectSameBitsForAnyThreadCount(
  _ label: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () -> [UInt8]
) {
  defer { cj_threads_set(cj_threads_available()) }
  cj_threads_set(1)
  let expected = body()
  for threads in [2, 3, 5] as [Int32] {
    cj_threads_set(threads)
    #expect(body() == expected, "\(label) with \(threads) threads", sourceLocation: sourceLocation)
  }
}

/// Runs `body` at every SIMD level this machine has. On this thread alone: other tests compare bits.
func atEveryLevel(_ body: (String) throws -> Void) rethrows {
  defer { cj_simd_override(-1) }
  for level in 0...cj_simd_best().rawValue {
    cj_simd_override(Int32(level))
    try body(String(cString: cj_simd_name(cj_simd(rawValue: level))))
  }
}

/// Distance from `value` to the exact result, in units of the last place of float32.
func unitsInLastPlace(_ value: Float, exact: Double) -> Double {
  if exact.isNaN || value.isNaN { return exact.isNaN && value.isNaN ? 0 : .infinity }
  let rounded = Float(exact)
  if rounded.isInfinite || value.isInfinite { return value == rounded ? 0 : .infinity }
  if value == rounded { return abs(Double(value) - exact) / Double(rounded.ulp) }
  return abs(Double(value) - exact) / Double(max(rounded.ulp, Float.leastNonzeroMagnitude))
}

extension Array {
  func bytes() -> [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}
