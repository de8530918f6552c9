import CajalBase
import CajalIR
import CajalOperations

// Functions of one element. Integers and bool become float32 first, but for those that keep them.

extension Tensor {
  public func abs() -> Tensor { map { $0.abs() } }
  /// −1, 0 or 1.
  public func sign() -> Tensor { map { $0.sign() } }
  public func sqrt() -> Tensor { map { $0.sqrt() } }
  /// 1 / √x.
  public func rsqrt() -> Tensor { map { $0.rsqrt() } }
  public func squared() -> Tensor { map { $0 * $0 } }
  public func exp() -> Tensor { map { $0.exp() } }
  /// eˣ − 1, accurate near 0.
  public func expm1() -> Tensor { map { $0.expm1() } }
  /// The natural logarithm.
  public func log() -> Tensor { map { $0.log() } }
  /// ln(1 + x), accurate near 0.
  public func log1p() -> Tensor { map { $0.log1p() } }
  public func sin() -> Tensor { map { $0.sin() } }
  public func cos() -> Tensor { map { $0.cos() } }
  public func tan() -> Tensor { map { $0.tan() } }
  public func tanh() -> Tensor { map { $0.tanh() } }
  public func erf() -> Tensor { map { $0.erf() } }
  public func floor() -> Tensor { map { $0.floor() } }
  public func ceil() -> Tensor { map { $0.ceil() } }
  /// To the nearest integer, ties to even.
  public func round() -> Tensor { map { $0.round() } }
  public func clamped(to range: ClosedRange<Double>) -> Tensor {
    let (low, high) = (data(range.lowerBound), data(range.upperBound))
    return map(low, high) { $0.clamped($1, $2) }
  }
  public func isNaN() -> Tensor { map { Value.notEqual($0, $0) } }
  /// Neither NaN nor infinite.
  public func isFinite() -> Tensor { map { Value.equal($0 - $0, $0 - $0) } }

  // MARK: Activations

  /// 1 / (1 + e⁻ˣ).
  public func sigmoid() -> Tensor { map { $0.sigmoid() } }
  /// ln(1 + eˣ).
  public func softplus() -> Tensor { map { $0.softplus() } }
  /// max(x, 0); gradient 0 at 0.
  public func relu() -> Tensor { map { $0.relu() } }
  /// x · Φ(x): Hendrycks and Gimpel 2016. `approximate` takes their formula with tanh.
  public func gelu(approximate: Bool = false) -> Tensor { map { approximate ? $0.geluTanh() : $0.gelu() } }
  /// x · σ(x).
  public func silu() -> Tensor { map { $0.silu() } }
  /// x where positive, `slope` · x elsewhere.
  public func leakyRelu(slope: Double = 0.01) -> Tensor {
    map(data(slope)) { $0.floating.leakyRelu(slope: $1) }
  }
  /// x where positive, `alpha` · (eˣ − 1) elsewhere.
  public func elu(alpha: Double = 1) -> Tensor { map(data(alpha)) { $0.floating.elu(alpha: $1) } }
  public func selu() -> Tensor { map { $0.floating.selu() } }
  public func celu(alpha: Double = 1) -> Tensor { map(data(alpha)) { $0.floating.celu(alpha: $1) } }
  public func mish() -> Tensor { map { $0.floating.mish() } }
  public func softsign() -> Tensor { map { $0.floating.softsign() } }
  public func logSigmoid() -> Tensor { map { $0.floating.logSigmoid() } }
  public func relu6() -> Tensor { map { $0.relu6() } }
  public func hardTanh() -> Tensor { map { $0.hardTanh() } }
  public func hardSigmoid() -> Tensor { map { $0.floating.hardSigmoid() } }
  public func hardSwish() -> Tensor { map { $0.floating.hardSwish() } }
  public func tanhShrink() -> Tensor { map { $0.floating.tanhShrink() } }
  public func softShrink(lambda: Double = 0.5) -> Tensor { map(data(lambda)) { $0.floating.softShrink(lambda: $1) } }
  public func hardShrink(lambda: Double = 0.5) -> Tensor { map(data(lambda)) { $0.floating.hardShrink(lambda: $1) } }
  /// 1 above `threshold`, 0 elsewhere, in this dtype. Has no gradient.
  public func step(threshold: Double = 0) -> Tensor { map(data(threshold)) { $0.floating.step(threshold: $1) } }
  /// The first half along `axis` times the sigmoid of the second: Dauphin et al. 2017.
  ///
  /// **Shapes**: `[…, 2C]` to `[…, C]`.
  public func glu(axis: Int = -1) -> Tensor { map { $0.floating.glu(axis: axis) } }
  /// The greatest of each `pieces` neighbours along the last axis. Ties share the gradient.
  ///
  /// **Shapes**: `[…, C · pieces]` to `[…, C]`.
  public func maxout(pieces: Int) -> Tensor { map { $0.maxout(pieces: pieces) } }

  /// eˣ / Σ eˣ along `axis`.
  public func softmax(axis: Int = -1) -> Tensor { map { $0.softmax(axis) } }
  /// x − ln Σ eˣ along `axis`.
  public func logSoftmax(axis: Int = -1) -> Tensor { map { $0.logSoftmax(axis) } }
  /// ln Σ eˣ over `axes`, all by default.
  public func logSumExp(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    map { $0.logSumExp(axes, keepingAxes: keepingAxes) }
  }
}
