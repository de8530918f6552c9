import CajalBase
import CajalIR

// What optimizers compute of each element of a parameter: one function a result, so that a step records and
// walks few nodes however many parameters there are. The numbers of a step are operands, scalars that all
// parameters share.

extension ElementwiseFunction {
  /// decay · average + weight · x. Operands: average, x, decay, weight.
  public static let movingAverage = ElementwiseFunction(
    "movingAverage", arity: 4, .floats, flops: 3,
    gradients: [{ x, _, g in g * x[2] }, { x, _, g in g * x[3] }, { x, _, g in g * x[0] }, { x, _, g in g * x[1] }]
  ) { builder, x in builder.multiplyAdd(x[0], x[2], x[1] * x[3]) }

  /// decay · average + weight · x². Operands: average, x, decay, weight.
  public static let movingSquare = ElementwiseFunction(
    "movingSquare", arity: 4, .floats, flops: 4,
    gradients: [
      { x, _, g in g * x[2] }, { x, _, g in g * x[3] * x[1] * 2 }, { x, _, g in g * x[0] },
      { x, _, g in g * x[1] * x[1] },
    ]
  ) { builder, x in builder.multiplyAdd(x[0], x[2], x[1] * x[1] * x[3]) }

  /// 1 − βᵗ = −expm1(t ln β), without cancellation for small t. Operands: t, ln β.
  public static let biasCorrection = ElementwiseFunction(
    "biasCorrection", arity: 2, .floats, flops: 14,
    gradients: [{ x, y, g in g * (y - 1) * x[1] }, { x, y, g in g * (y - 1) * x[0] }]
  ) { _, x in -(x[0] * x[1]).unary(.expm1) }

  /// θ − size · mean / (√square · scale + ε). Operands: θ, mean, square, size, scale, ε.
  public static let adamStep = ElementwiseFunction(
    "adamStep", arity: 6, .floats, flops: 13,
    gradients: [
      { _, _, g in g },
      { x, _, g in -(g * x[3] / adamDivisor(x)) },
      { x, _, g in g * adamSlope(x) * x[4] / (x[2].sqrt() * 2) },
      { x, _, g in -(g * x[1] / adamDivisor(x)) },
      { x, _, g in g * adamSlope(x) * x[2].sqrt() },
      { x, _, g in g * adamSlope(x) },
    ]
  ) { builder, x in
    let divisor = builder.multiplyAdd(x[2].unary(.sqrt), x[4], x[5])
    return builder.multiplyAdd(x[1] / divisor, -x[3], x[0])
  }

  private static func adamDivisor(_ x: [Value]) -> Value { x[2].sqrt() * x[4] + x[5] }

  /// The derivative of the step by its divisor.
  private static func adamSlope(_ x: [Value]) -> Value {
    let divisor = adamDivisor(x)
    return x[1] * x[3] / (divisor * divisor)
  }

  static let optimizerSteps = [movingAverage, movingSquare, biasCorrection, adamStep]
}

extension Value {
  /// See ``ElementwiseFunction/movingAverage``.
  public static func movingAverage(_ average: Value, _ x: Value, decay: Value, weight: Value) -> Value {
    record(Elementwise(.movingAverage), [average, x, decay, weight])
  }

  /// See ``ElementwiseFunction/movingSquare``.
  public static func movingSquare(_ average: Value, _ x: Value, decay: Value, weight: Value) -> Value {
    record(Elementwise(.movingSquare), [average, x, decay, weight])
  }

  /// See ``ElementwiseFunction/biasCorrection``.
  public static func biasCorrection(step: Value, logDecay: Value) -> Value {
    record(Elementwise(.biasCorrection), step, logDecay)
  }

  /// See ``ElementwiseFunction/adamStep``.
  public static func adamStep(
    _ value: Value, mean: Value, square: Value, size: Value, scale: Value, epsilon: Value
  ) -> Value {
    record(Elementwise(.adamStep), [value, mean, square, size, scale, epsilon])
  }
}
