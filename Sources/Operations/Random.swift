import CajalBase
import CajalIR
import Foundation

/// Random numbers: Philox of (key, stream, element), the same on every device.
///
/// Operands are the key and the stream, int64 scalars: inputs of a plan, so that every step draws
/// afresh with the same plan. Uniforms in [0, 1) and bits are equal bit for bit on every backend;
/// normals (Box and Muller 1958) within 4 ULP.
public struct Random: CajalIR.Operation {
  public enum Distribution: UInt8, Sendable, CaseIterable {
    // The raw values are the kernels' cj_distribution.
    case uniform, normal, bits
  }

  public let distribution: Distribution
  public let shape: Shape
  public let dtype: DType

  public init(_ distribution: Distribution, _ shape: Shape, _ dtype: DType) {
    self.distribution = distribution
    self.shape = shape
    self.dtype = dtype
  }

  public var name: String {
    switch distribution {
    case .uniform: "randomUniform"
    case .normal: "randomNormal"
    case .bits: "randomBits"
    }
  }
  public func encode(into key: inout PlanKey) {
    key.write(UInt64(distribution.rawValue))
    key.write(TensorType(shape, dtype))
  }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    guard shape.checkedCount != nil else {
      throw .shape("\(shape) is no shape", remedy: "Extents must not be negative")
    }
    guard distribution == .bits ? dtype == .int64 : dtype.isFloat else {
      throw .dtype(
        "cannot draw \(dtype)", remedy: distribution == .bits ? "Bits are int64" : "Draw a float dtype and cast")
    }
    for index in 0..<2 where operands[index] != TensorType(.scalar, .int64) {
      throw .dtype("key and stream must be int64 scalars", remedy: "Pass them as such")
    }
    return ResultTypes(shape, dtype)
  }
  public var semantics: Semantics {
    .loops { operands, results in
      let key = UInt64(bitPattern: operands[0][0].int64)
      let stream = UInt64(bitPattern: operands[1][0].int64)
      var result = HostTensor(results[0])
      for index in 0..<result.count { result.store(draw(key, stream, UInt64(index)), at: index) }
      return [result]
    }
  }

  private func draw(_ key: UInt64, _ stream: UInt64, _ index: UInt64) -> Scalar {
    func word(_ position: UInt64) -> UInt32 { Philox.word(key: key, stream: stream, index: position) }
    switch distribution {
    case .bits: return .integer(Int64(word(index)))
    case .uniform:
      if dtype == .float64 {
        let high = Double(word(2 * index) >> 5)
        let low = Double(word(2 * index + 1) >> 6)
        return .float((high * 0x1p26 + low) * 0x1p-53)
      }
      // As many of the top bits as the dtype's significand holds, so that no value rounds up to 1.
      let bits: UInt32 = dtype == .float32 ? 24 : (dtype == .float16 ? 11 : 8)
      return .float(Double(word(index) >> (32 - bits)) * pow(2, -Double(bits)))
    case .normal:
      let first = (Double(word(2 * index)) + 1) * 0x1p-32
      let second = Double(word(2 * index + 1)) * 0x1p-32
      return .float((-2 * log(first)).squareRoot() * cos(2 * .pi * second))
    }
  }

  public var gradient: GradientRule { .none("a draw does not depend on floats") }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { unrolledBatch(self, operands, isBatched) }
}

extension Value {
  /// A draw from the scope's generator: each call takes its next stream.
  public static func random(
    _ distribution: Random.Distribution, _ shape: Shape, _ dtype: DType, from generator: Generator? = nil
  )
    -> Value
  {
    guard let position = Scope.current.position else {
      let key = hostNumber(from: generator) { $0.key }
      let stream = hostNumber(from: generator) { $0.draw() }
      return record(Random(distribution, shape, dtype), key, stream)
    }
    // In the body of a scan each position draws from a stream of its own: the call's key is
    // derived once, the position is the stream.
    let derived = hostNumber(from: generator) { $0.splitKey() }
    return record(Random(distribution, shape, dtype), derived, position)
  }

  /// True with probability `probability`, which is data.
  public static func bernoulli(_ probability: Value, _ shape: Shape, from generator: Generator? = nil) -> Value {
    let dtype = probability.dtype.isFloat ? probability.dtype : .float32
    return random(.uniform, shape, dtype, from: generator) < probability.cast(to: dtype)
  }
  /// Normal of mean 0 and variance 1, drawn again beyond ±2: by the inverse of the distribution function, so that
  /// every element takes one word.
  public static func truncatedNormal(_ shape: Shape, _ dtype: DType, from generator: Generator? = nil) -> Value {
    // erf(√2) of the probability lies within ±2.
    let covered = 0.954_499_736_103_641_6
    let x = (2 * random(.uniform, shape, dtype.byteCount < 4 ? .float32 : dtype, from: generator) - 1) * covered
    return (x.centralInverseErf() * 2.0.squareRoot()).clamped(x.literal(-2), x.literal(2)).cast(to: dtype)
  }

  /// The inverse of erf where its square is at most 0.99: Giles 2010, whose polynomial in −ln(1 − x²) is within
  /// 3e-7 of it, relatively.
  private func centralInverseErf() -> Value {
    let coefficients = [
      2.810_226_36e-08, 3.432_739_39e-07, -3.523_387_7e-06, -4.391_506_54e-06, 0.000_218_580_87, -0.001_253_725_03,
      -0.004_177_681_64, 0.246_640_727, 1.501_409_41,
    ]
    let w = -((1 - self) * (1 + self)).log() - 2.5
    return self * coefficients.dropFirst().reduce(w.literal(coefficients[0])) { $0 * w + $1 }
  }
}
