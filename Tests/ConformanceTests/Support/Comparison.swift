import CajalBase
import CajalIR

// What "the same" means, for each class of tolerance.

/// The first element in which `found` is too far from `expected`, in words.
///
/// - Parameter magnitude: the same computation over magnitudes, which bounds rounding errors.
func difference(
  _ found: HostTensor, _ expected: HostTensor, _ tolerance: Tolerance, magnitude: HostTensor? = nil
) -> String? {
  if found.type != expected.type { return "type \(found.type) instead of \(expected.type)" }
  for index in 0..<expected.count {
    let bound = magnitude.map { $0.floats.isEmpty ? 0 : $0.floats[index] } ?? 0
    if !isClose(found[index], expected[index], tolerance, found.dtype, bound: bound) {
      return "element \(index) of \(found.type) is \(found[index]) instead of \(expected[index])"
    }
  }
  return nil
}

/// The first element in which two tensors differ by a bit, NaNs aside.
func bitDifference(_ found: HostTensor, _ expected: HostTensor) -> String? { difference(found, expected, .exact) }

private func isClose(_ a: Scalar, _ b: Scalar, _ tolerance: Tolerance, _ dtype: DType, bound: Double) -> Bool {
  guard dtype.isFloat else { return a == b }
  let (x, y) = (a.double, b.double)
  // NaNs carry no promise about their bits.
  if x.isNaN || y.isNaN { return x.isNaN && y.isNaN }
  if x.bitPattern == y.bitPattern { return true }
  let isHalf = dtype == .float16 || dtype == .bfloat16
  switch tolerance {
  case .exact: return false
  case .ulps(let count): return ulps(a, b, dtype) <= (isHalf ? 1 : count)
  case .scaled(let count, let scale):
    if ulps(a, b, dtype) <= (isHalf ? 1 : count) { return true }
    return Swift.abs(x - y) <= Double(isHalf ? 1 : count) * dtype.epsilon * Swift.max(scale, Swift.abs(y))
  case .accumulated(let terms):
    let compute: DType = dtype == .float64 ? .float64 : .float32
    return Swift.abs(x - y) <= Double(terms) * compute.epsilon * bound + Swift.max(Swift.abs(y), dtype.smallest)
      * dtype.epsilon
  }
}

/// Numbers of `dtype` from one to the other.
private func ulps(_ a: Scalar, _ b: Scalar, _ dtype: DType) -> Int {
  let (x, y) = (ordinal(a.bits(as: dtype), dtype), ordinal(b.bits(as: dtype), dtype))
  let (distance, overflow) = x.subtractingReportingOverflow(y)
  return overflow ? Int.max : Int(distance.magnitude)
}

/// Where the number with these bits stands in the order of all.
private func ordinal(_ bits: UInt64, _ dtype: DType) -> Int {
  let sign = UInt64(1) << UInt64(dtype.byteCount * 8 - 1)
  return bits & sign == 0 ? Int(bits) : -Int(bits & (sign - 1))
}

extension DType {
  /// The distance from 1 to the next number.
  var epsilon: Double {
    switch self {
    case .float16: 0x1p-10
    case .bfloat16: 0x1p-7
    case .float32: 0x1p-23
    default: 0x1p-52
    }
  }

  /// The least normal number.
  var smallest: Double {
    switch self {
    case .float16: 0x1p-14
    case .bfloat16, .float32: 0x1p-126
    default: 0x1p-1022
    }
  }
}
