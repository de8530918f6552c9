import Cajal

// Numbers that every framework's side makes alike; peers/data.py says the same in Python.

/// What a stream of numbers is for.
enum Purpose: UInt32 {
  case input = 1
  case other, label, noise, weight, gain, shift
}

/// 32 bits an element: the finalizer lowbias32 (Chris Wellons, "Prospecting for hash functions", 2018).
private func bits(_ purpose: Purpose, _ index: Int, _ element: Int) -> UInt32 {
  var x = UInt32(truncatingIfNeeded: element) &+ (purpose.rawValue &* 256 &+ UInt32(index)) &* 0x9E37_79B9
  x ^= x >> 16
  x &*= 0x7FEB_352D
  x ^= x >> 15
  x &*= 0x846C_A68B
  x ^= x >> 16
  return x
}

/// In [0, 1), multiples of 2⁻²⁴.
func unit(_ purpose: Purpose, _ index: Int, _ shape: Shape) -> Tensor {
  tensor(shape) { Float(bits(purpose, index, $0) >> 8) * 0x1p-24 }
}

/// In ±scale, a power of two.
func signed(_ purpose: Purpose, _ index: Int, _ shape: Shape, scale: Float = 1) -> Tensor {
  tensor(shape) { (Float(bits(purpose, index, $0) >> 8) * 0x1p-24 * 2 - 1) * scale }
}

func labels(_ index: Int, _ count: Int, classes: Int) -> Tensor {
  let numbers = (0..<count).map { Int64(bits(.label, index, $0) % UInt32(classes)) }
  return numbers.withUnsafeBytes { Tensor(bytes: $0, shape: [count], dtype: .int64) }
}

/// Bytes.
func pictures(_ count: Int, _ width: Int) -> Tensor {
  let numbers = (0..<count * width).map { UInt8(bits(.input, 0, $0) >> 24) }
  return numbers.withUnsafeBytes { Tensor(bytes: $0, shape: [count, width], dtype: .uint8) }
}

/// [inputs, units], uniform in ±2^−⌊log₂ √inputs⌋.
func kernel(_ layer: Int, _ inputs: Int, _ units: Int) -> Tensor {
  let exponent = (Int.bitWidth - inputs.leadingZeroBitCount - 1) / 2
  return signed(.weight, layer, [inputs, units], scale: 1 / Float(1 << exponent))
}

private func tensor(_ shape: Shape, _ number: (Int) -> Float) -> Tensor {
  (0..<shape.count).map(number).withUnsafeBytes { Tensor(bytes: $0, shape: shape, dtype: .float32) }
}

/// A number that must agree with everybody's, and what a difference is measured by.
typealias Check = [Double]

/// What is compared of results: of each tensor the mean absolute value and seven elements.
func digest(_ tensors: [Tensor]) throws -> [Check] {
  try tensors.flatMap { tensor in
    let numbers = try tensor.cast(to: .float32).scalars(Float.self).map(Double.init)
    let mean = numbers.reduce(0) { $0 + abs($1) } / Double(numbers.count)
    return [[mean, mean]] + (1...7).map { [numbers[($0 * 2_654_435_761 + 12345) % numbers.count], mean] }
  }
}
