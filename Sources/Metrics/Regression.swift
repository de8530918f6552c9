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
  /// Sums of squares are taken as they are: targets whose mean is a million times their deviation lose digits.
  public static let r2 = Metric("r2", merging: .sum) { outputs, targets in
    let (x, y) = pair("r2", outputs, targets)
    // [N, K], or one column.
    let columns = outputs.rank > 1 ? outputs.shape[-1] : 1
    let (a, b) = (x.reshaped(-1, columns), y.reshaped(-1, columns))
    return [(a - b).squared().sum(axis: 0), b.sum(axis: 0), b.squared().sum(axis: 0), count(a.shape[0])]
  } result: { sums in
    let residual = sums[0]
    let total = sums[2] - sums[1].squared() / sums[3]
    // What rounding leaves of nothing.
    let varies = total .> sums[2] * 1e-14
    let exact = (residual .== 0).double
    return varies.select(1 - residual / varies.select(total, 1), exact).mean()
  }
}

/// Outputs and targets in what sums over data sets are taken in.
func pair(_ metric: String, _ outputs: Tensor, _ targets: Tensor) -> (Tensor, Tensor) {
  paired(metric, outputs, targets, dtype: .float64)
}
