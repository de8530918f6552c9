import CajalBase
import CajalIR
import Foundation

// Functions of one float: powers, exponentials, circular functions, rounding.

extension ElementwiseFunction {
  public static let sqrt = unary("sqrt", .sqrt) { _, y, g in g * 0.5 / y }
  /// 1 / √x.
  public static let rsqrt = unary("rsqrt", .rsqrt) { _, y, g in g * -0.5 * (y * y * y) }
  public static let exp = unary("exp", .exp) { _, y, g in g * y }
  /// eˣ − 1, accurate near 0.
  public static let expm1 = unary("expm1", .expm1) { _, y, g in g * (y + 1) }
  public static let log = unary("log", .log) { x, _, g in g / x }
  /// ln(1 + x), accurate near 0.
  public static let log1p = unary("log1p", .log1p) { x, _, g in g / (x + 1) }
  public static let sin = unary("sin", .sin) { x, _, g in g * x.cos() }
  public static let cos = unary("cos", .cos) { x, _, g in -(g * x.sin()) }
  public static let tanh = unary("tanh", .tanh) { _, y, g in g * (1 - y * y) }
  /// 2/√π · e^(−x²) is its derivative.
  public static let erf = unary("erf", .erf) { x, _, g in g * (2 / Double.pi.squareRoot()) * (-(x * x)).exp()
  }
  /// 1 / (1 + e⁻ˣ).
  public static let sigmoid = unary("sigmoid", .sigmoid) { _, y, g in g * y * (1 - y) }

  private static func unary(
    _ name: String, _ opcode: ScalarOpcode,
    _ gradient: @escaping @Sendable (_ x: Value, _ y: Value, _ g: Value) -> Value
  ) -> ElementwiseFunction {
    ElementwiseFunction(
      name, arity: 1, .floats, flops: opcode.flops, autocast: .full, gradients: [{ x, y, g in gradient(x[0], y, g) }]
    ) { _, x in x[0].unary(opcode) }
  }

  public static let tan = ElementwiseFunction(
    "tan", arity: 1, .floats, flops: 25, autocast: .full, gradients: [{ _, y, g in g * (1 + y * y) }]
  ) { _, x in x[0].unary(.sin) / x[0].unary(.cos) }

  public static let floor = rounding("floor", .floor)
  public static let ceil = rounding("ceil", .ceil)
  /// To the nearest integer, ties to even.
  public static let round = rounding("round", .roundEven)

  private static func rounding(_ name: String, _ opcode: ScalarOpcode) -> ElementwiseFunction {
    ElementwiseFunction(name, arity: 1, .floats) { _, x in x[0].unary(opcode) }
  }

  /// g where x > 0, elsewhere 0. Operands: x, g.
  public static let wherePositive: ElementwiseFunction = ElementwiseFunction(
    "wherePositive", arity: 2, .numbers, gradients: [nil, { x, _, g in Value.apply(.wherePositive, x[0], g) }]
  ) { builder, x in
    let zero = builder.constant(.integer(0), x[0].type)
    return x[0].binary(.greater, zero).select(x[1], zero)
  }

  /// max(x, 0); gradient 0 at 0.
  public static let relu = ElementwiseFunction(
    "relu", arity: 1, .numbers, gradients: [{ _, y, g in Value.apply(.wherePositive, y, g) }]
  ) { builder, x in x[0].binary(.maximum, builder.constant(.integer(0), x[0].type)) }

  /// ln(1 + eˣ) = max(x, 0) + log1p(e^−|x|).
  public static let softplus = ElementwiseFunction(
    "softplus", arity: 1, .floats, flops: 25, autocast: .full, gradients: [{ x, _, g in g * x[0].sigmoid() }]
  ) { builder, x in
    x[0].binary(.maximum, x[0].constant(0)) + (-x[0].unary(.abs)).unary(.exp).unary(.log1p)
  }

  /// x · Φ(x), with the normal distribution function: Hendrycks and Gimpel 2016.
  public static let gelu = ElementwiseFunction(
    "gelu", arity: 1, .floats, flops: 20, autocast: .full,
    gradients: [
      { x, _, g in
        let cumulative = ((x[0] * 0.5.squareRoot()).erf() + 1) * 0.5
        let density = (x[0] * x[0] * -0.5).exp() * (1 / (2 * Double.pi).squareRoot())
        return g * (cumulative + x[0] * density)
      }
    ]
  ) { _, x in x[0] * 0.5 * (1 + (x[0] * 0.5.squareRoot()).unary(.erf)) }

  /// x · σ(x): Elfwing et al. 2017; also called swish.
  public static let silu = ElementwiseFunction(
    "silu", arity: 1, .floats, flops: 14, autocast: .full,
    gradients: [
      { x, _, g in
        let s = x[0].sigmoid()
        return g * (s * (1 + x[0] * (1 - s)))
      }
    ]
  ) { _, x in x[0] * x[0].unary(.sigmoid) }

  static let functions = [
    sqrt, rsqrt, exp, expm1, log, log1p, sin, cos, tan, tanh, erf, sigmoid, floor, ceil, round, relu, wherePositive,
    softplus, gelu,
    silu,
  ]
}

extension Value {
  public func sqrt() -> Value { .apply(.sqrt, floating) }
  public func rsqrt() -> Value { .apply(.rsqrt, floating) }
  public func exp() -> Value { .apply(.exp, floating) }
  public func expm1() -> Value { .apply(.expm1, floating) }
  public func log() -> Value { .apply(.log, floating) }
  public func log1p() -> Value { .apply(.log1p, floating) }
  public func sin() -> Value { .apply(.sin, floating) }
  public func cos() -> Value { .apply(.cos, floating) }
  public func tan() -> Value { .apply(.tan, floating) }
  public func tanh() -> Value { .apply(.tanh, floating) }
  public func erf() -> Value { .apply(.erf, floating) }
  public func sigmoid() -> Value { .apply(.sigmoid, floating) }
  public func floor() -> Value { dtype.isFloat ? .apply(.floor, self) : self }
  public func ceil() -> Value { dtype.isFloat ? .apply(.ceil, self) : self }
  public func round() -> Value { dtype.isFloat ? .apply(.round, self) : self }
  public func relu() -> Value { .apply(.relu, number) }
  public func softplus() -> Value { .apply(.softplus, floating) }
  public func gelu() -> Value { .apply(.gelu, floating) }
  public func silu() -> Value { .apply(.silu, floating) }
}

// MARK: Relatives, as composites

extension Value {
  /// x where x > 0, slope · x elsewhere: Maas et al. 2013.
  public func leakyRelu(slope: Value) -> Value { .select(self > 0, self, self * slope) }

  /// x where x > 0, α (eˣ − 1) elsewhere: Clevert et al. 2015.
  public func elu(alpha: Value) -> Value {
    // The branch not taken must not overflow: its gradient would be 0 · ∞.
    .select(self > 0, self, alpha * .minimum(self, zerosLike).expm1())
  }

  /// λ · elu(x, α) with the fixed point of Klambauer et al. 2017.
  public func selu() -> Value {
    1.050_700_987_355_480_5 * elu(alpha: literal(1.673_263_242_354_377_2))
  }

  /// max(x, 0) + min(α (e^(x/α) − 1), 0): Barron 2017.
  public func celu(alpha: Value) -> Value {
    .select(self > 0, self, alpha * (.minimum(self, zerosLike) / alpha).expm1())
  }

  /// 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))): the approximation in Hendrycks and Gimpel 2016.
  public func geluTanh() -> Value {
    self * 0.5 * (((self + self * self * self * 0.044715) * (2 / Double.pi).squareRoot()).tanh() + 1)
  }

  /// x · tanh(softplus(x)): Misra 2019.
  public func mish() -> Value { self * softplus().tanh() }
  /// x / (1 + |x|).
  public func softsign() -> Value { self / (abs() + 1) }
  /// ln σ(x) = −softplus(−x).
  public func logSigmoid() -> Value { -((-self).softplus()) }
  public func clamped(_ lower: Value, _ upper: Value) -> Value { .minimum(.maximum(self, lower), upper) }
  /// Between 0 and 6: Krizhevsky 2010.
  public func relu6() -> Value { clamped(literal(0), literal(6)) }
  public func hardTanh() -> Value { clamped(literal(-1), literal(1)) }
  /// clamp(x / 6 + ½, 0, 1).
  public func hardSigmoid() -> Value { (self / 6 + 0.5).clamped(literal(0), literal(1)) }
  /// x · hardSigmoid(x): Howard et al. 2019.
  public func hardSwish() -> Value { self * hardSigmoid() }
  /// x − tanh(x).
  public func tanhShrink() -> Value { self - tanh() }
  /// x ∓ λ beyond ±λ, 0 between.
  public func softShrink(lambda: Value) -> Value {
    .select(self > lambda, self - lambda, .select(self < -lambda, self + lambda, zerosLike))
  }
  /// x beyond ±λ, 0 between.
  public func hardShrink(lambda: Value) -> Value { .select(abs() > lambda, self, zerosLike) }
  /// 1 above the threshold, 0 elsewhere; no gradient.
  public func step(threshold: Value) -> Value { (self > threshold).cast(to: dtype) }

  /// The first half along `axis` times the sigmoid of the second: Dauphin et al. 2017.
  public func glu(axis: Int) -> Value {
    let extent = shape[axis]
    guard extent % 2 == 0 else {
      return errorValue(
        "glu", [self],
        .shape("axis \(axis) of \(shape) has no two halves", remedy: "Give it an even number of elements"))
    }
    let halves = split([extent / 2, extent / 2], axis: axis)
    return halves[0] * halves[1].sigmoid()
  }

  /// The greatest of each `pieces` neighbours along the last axis: Goodfellow et al. 2013.
  public func maxout(pieces: Int) -> Value {
    guard rank > 0, pieces > 0, shape[-1] % pieces == 0 else {
      return errorValue(
        "maxout", [self],
        .shape(
          "the last axis of \(shape) has no groups of \(pieces)", remedy: "Give it a multiple of as many elements"))
    }
    return reshaped(to: shape.prefix(rank - 1) + [shape[-1] / pieces, pieces]).max([-1])
  }
}
