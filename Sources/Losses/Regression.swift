import CajalTensor

// How far numbers are from what they should be.

/// (output − target)².
///
/// **Shapes**: outputs and targets alike, but for axes of extent 1.
public func meanSquaredError(_ outputs: Tensor, _ targets: Tensor, reduction: Reduction = .mean) -> Tensor {
  let (x, y) = paired("meanSquaredError", outputs, targets)
  return squaredError(x, y, reduction: reduction)
}
private let squaredError = LossFormula("squaredError") { ($0[0] - $0[1]).squared() }

/// |output − target|; gradient 0 where they are equal.
///
/// **Shapes**: outputs and targets alike, but for axes of extent 1.
public func meanAbsoluteError(_ outputs: Tensor, _ targets: Tensor, reduction: Reduction = .mean) -> Tensor {
  let (x, y) = paired("meanAbsoluteError", outputs, targets)
  return absoluteError(x, y, reduction: reduction)
}
private let absoluteError = LossFormula("absoluteError") { ($0[0] - $0[1]).abs() }

/// d² / 2 up to `delta`, δ (|d| − δ / 2) beyond, of d = output − target: Huber 1964. With a delta of 1 also
/// called smooth L1.
///
/// **Shapes**: outputs and targets alike, but for axes of extent 1.
public func huber(_ outputs: Tensor, _ targets: Tensor, delta: Double = 1, reduction: Reduction = .mean) -> Tensor {
  let (x, y) = paired("huber", outputs, targets)
  return huberError(x, y, x.data(delta), reduction: reduction)
}
private let huberError = LossFormula("huber") { operands in
  let (difference, delta) = (operands[0] - operands[1], operands[2])
  let size = difference.abs()
  return select(size .<= delta, difference.squared() * 0.5, (size - delta * 0.5) * delta)
}

/// ln cosh(output − target): as d² / 2 near 0, as |d| − ln 2 far away.
///
/// **Shapes**: outputs and targets alike, but for axes of extent 1.
public func logCosh(_ outputs: Tensor, _ targets: Tensor, reduction: Reduction = .mean) -> Tensor {
  let (x, y) = paired("logCosh", outputs, targets)
  return logCoshError(x, y, reduction: reduction)
}
private let logCoshError = LossFormula("logCosh") { operands in
  // cosh d = e^|d| (1 + e^(−2|d|)) / 2, which neither overflows nor cancels.
  let size = (operands[0] - operands[1]).abs()
  return size + ((size * -2).expm1() * 0.5).log1p()
}

/// Of counts that are Poisson distributed: e^output − target · output, without the part that depends on the
/// target alone. Outputs are the logarithms of rates.
///
/// **Shapes**: outputs and targets alike, but for axes of extent 1.
public func poissonNegativeLogLikelihood(
  _ logRates: Tensor, _ counts: Tensor, reduction: Reduction = .mean
) -> Tensor {
  let (x, y) = paired("poissonNegativeLogLikelihood", logRates, counts)
  return poissonError(x, y, reduction: reduction)
}
private let poissonError = LossFormula("poissonNegativeLogLikelihood") { $0[0].exp() - $0[1] * $0[0] }

/// Of numbers that are normally distributed, each with a variance of its own, which the model gives too:
/// (ln σ² + (output − target)² / σ²) / 2. Nix and Weigend 1994.
///
/// **Shapes**: means, targets and variances alike, but for axes of extent 1. Variances count as `epsilon` at least.
public func gaussianNegativeLogLikelihood(
  _ means: Tensor, _ targets: Tensor, variances: Tensor, epsilon: Double = 1e-6, reduction: Reduction = .mean
) -> Tensor {
  let (x, y) = paired("gaussianNegativeLogLikelihood", means, targets)
  let (_, v) = paired("gaussianNegativeLogLikelihood", means, variances)
  return gaussianError(x, y, v, x.data(epsilon), reduction: reduction)
}
private let gaussianError = LossFormula("gaussianNegativeLogLikelihood") { operands in
  let variance = maximum(operands[2], operands[3])
  return (variance.log() + (operands[0] - operands[1]).squared() / variance) * 0.5
}
