import CajalBase
import CajalTensor

// How far numbers are from what they should be. Outputs and targets are alike but for axes of extent 1; sums are
// float64.

extension Metric {
  /// The mean of |output − target|.
  public static let mae = Metric("mae", merging: .sum, isHigherBetter: false) { outputs, targets in
    let (x, y) = pair("mae", outputs, targets)
    return [(x - y).abs().sum(), count(outputs.count)]
  } result: {
    $0[0] / $0[1]
  }

  /// The root of the mean of (output − target)².
  public static let rmse = Metric("rmse", merging: .sum, isHigherBetter: false) {
    outputs, targets in
    let (x, y) = pair("rmse", outputs, targets)
    return [(x - y).squared().sum(), count(outputs.count)]
  } result: {
    ($0[0] / $0[1]).sqrt()
  }

  /// R²: the share of the targets' variance that the outputs explain, 1 − Σ(output − target)² / Σ(target − mean)²;
  /// the mean over the outputs' last axis where there are several. Where targets do not vary: 1 if all outputs are
  /// right, otherwise 0.
  ///
  /// Squares are of distances from each part's mean, and parts merge by Chan, Golub and LeVeque 1979: targets far from
  /// zero lose no digits. What rounding leaves of equal targets, a deviation of 10⁻¹⁴ of their mean, counts as none.
  public static let r2 = Metric("r2", merging: .rule(mergedMoments)) { outputs, targets in
    let (x, y) = pair("r2", outputs, targets)
    // [N, K], or one column.
    let columns = outputs.rank > 1 ? outputs.shape[-1] : 1
    let (a, b) = (x.reshaped(-1, columns), y.reshaped(-1, columns))
    let number = count(a.shape[0])
    let mean = b.sum(axis: 0) / maximum(number, 1)
    return [(a - b).squared().sum(axis: 0), number, mean, (b - mean).squared().sum(axis: 0)]
  } result: { state in
    let (residual, number, mean, total) = (state[0], state[1], state[2], state[3])
    let varies = total .> mean.squared() * number * 1e-28
    let exact = (residual .== 0).double
    return varies.select(1 - residual / varies.select(total, 1), exact).mean()
  }

  /// Sums of squared errors, counts, means and sums of squared distances from the mean, of two parts together.
  @Sendable private static func mergedMoments(_ left: [Tensor], _ right: [Tensor]) -> [Tensor] {
    let number = left[1] + right[1]
    let share = right[1] / maximum(number, 1)
    let distance = right[2] - left[2]
    return [
      left[0] + right[0], number, left[2] + distance * share,
      left[3] + right[3] + distance.squared() * left[1] * share,
    ]
  }
}

/// Outputs and targets in what sums over data sets are taken in.
func pair(_ metric: String, _ outputs: Tensor, _ targets: Tensor) -> (Tensor, Tensor) {
  paired(metric, outputs, targets, dtype: .float64)
}
