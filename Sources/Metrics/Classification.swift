import CajalBase
import CajalTensor

// How often classes are right. Outputs are scores, one a class along the last axis, or a single one, which says yes
// where it is above a threshold: 0 for logits, as the losses take them.
//
// **Shapes**: outputs `[…, C]` with targets `[…]` of class numbers, `[…, 1]`, or one-hot `[…, C]`; single scores `[…]`
// or `[…, 1]` with targets of 0 and 1.

/// What a batch says about classes.
struct Classes {
  /// The classes said and those that are right, int64 `[N]`.
  let predicted: Tensor
  let actual: Tensor
  /// How many there are; 1 for single scores, of which class 1 alone counts.
  let count: Int
  /// The scores, `[N, C]`.
  let scores: Tensor

  init(_ metric: String, _ outputs: Tensor, _ targets: Tensor, threshold: Double = 0) {
    let isColumn = outputs.rank > 0 && outputs.shape[-1] == 1
    let isSingle = isColumn || targets.count == outputs.count && !Classes.isTable(outputs, targets)
    let classes = isSingle || outputs.rank == 0 ? 1 : outputs.shape[-1]
    count = classes
    scores = outputs.reshaped(-1, classes)
    let examples = outputs.count / max(1, classes)
    if isSingle {
      predicted = (scores .> threshold).cast(to: .int64).flattened()
      actual = Classes.fit(metric, targets.cast(to: .int64), examples, outputs)
    } else {
      predicted = scores.argmax(axis: -1)
      actual =
        targets.shape == outputs.shape
        ? targets.reshaped(-1, classes).argmax(axis: -1)
        : Classes.fit(metric, targets.cast(to: .int64), examples, outputs)
    }
  }

  /// Whether targets shaped as the outputs are one-hot rows, not as many single answers.
  private static func isTable(_ outputs: Tensor, _ targets: Tensor) -> Bool {
    outputs.rank > 1 && targets.rank == outputs.rank && outputs.shape[-1] > 1
  }

  private static func fit(_ metric: String, _ targets: Tensor, _ examples: Int, _ outputs: Tensor) -> Tensor {
    if targets.error != nil || targets.count == examples { return targets.flattened() }
    return mistake(
      metric, [outputs, targets],
      .shape(
        "outputs \(outputs.shape) and targets \(targets.shape) do not fit",
        remedy: "Targets are class numbers, one an example, or one-hot rows of as many classes"))
  }

  var hits: Tensor { predicted .== actual }
}

extension Metric {
  /// The share of examples whose class has the highest score, or whose single logit has the right sign.
  public static let accuracy = Metric("accuracy", merging: .sum) { outputs, targets in
    let classes = Classes("accuracy", outputs, targets)
    return [classes.hits.sum().double, count(classes.predicted.count)]
  } result: {
    $0[0] / $0[1]
  }

  /// The share of answers that are right, each of its own: an output above the threshold says 1.
  ///
  /// - Parameter threshold: 0 for logits, ½ for probabilities.
  public static func binaryAccuracy(threshold: Double) -> Metric {
    Metric("binaryAccuracy", merging: .sum) { outputs, targets in
      let (x, y) = pair("binaryAccuracy", outputs, targets)
      return [((x .> threshold) .== (y .> 0.5)).sum().double, count(outputs.count)]
    } result: {
      $0[0] / $0[1]
    }
  }
  public static let binaryAccuracy = binaryAccuracy(threshold: 0)

  /// The share of examples whose class is among the `k` highest scores; of equal scores the first classes count as
  /// higher.
  public static func topK(_ k: Int) -> Metric {
    Metric("top\(k)Accuracy", merging: .sum) { outputs, targets in
      let classes = Classes("topK", outputs, targets)
      guard classes.count > 1 else {
        let mismatch = Mismatch.shape("outputs of \(outputs.shape)", remedy: "It needs a score for each class")
        return [mistake("topK", [outputs, targets], mismatch), count(0)]
      }
      let label = classes.actual.expanded(at: -1)
      let own = classes.scores.takeAlong(label, axis: -1)
      let isBefore = (classes.scores .> own) | ((classes.scores .== own) & (Tensor.arange(classes.count) .< label))
      // A score that is no number is among none.
      let hits = (isBefore.sum(axis: -1) .< k) & (own.squeezed(-1) .== own.squeezed(-1))
      return [hits.sum().double, count(classes.predicted.count)]
    } result: {
      $0[0] / $0[1]
    }
  }

  // MARK: Of each class

  /// How numbers of several classes become one.
  public enum Average: Sendable {
    /// The mean over the classes that occur or were said.
    case macro
    /// Over all examples, whatever their class.
    case micro
    /// The mean by how often classes occur.
    case weighted
  }

  /// Of what was said to be of a class, the share that is; 0 where nothing was. Single scores: of class 1.
  public static let precision = precision(.macro)
  public static func precision(_ average: Average) -> Metric {
    perClass("precision", average) { hits, predicted, _ in ratio(hits, predicted) }
  }

  /// Of what is of a class, the share that was said to be; 0 where nothing is. Single scores: of class 1.
  public static let recall = recall(.macro)
  public static func recall(_ average: Average) -> Metric {
    perClass("recall", average) { hits, _, actual in ratio(hits, actual) }
  }

  /// The harmonic mean of precision and recall.
  public static let f1 = f1(.macro)
  public static func f1(_ average: Average) -> Metric {
    perClass("f1", average) { hits, predicted, actual in ratio(hits * 2, predicted + actual) }
  }

  private static func perClass(
    _ name: String, _ average: Average, _ formula: @escaping @Sendable (Tensor, Tensor, Tensor) -> Tensor
  ) -> Metric {
    Metric(name, merging: .sum) { outputs, targets in
      let classes = Classes(name, outputs, targets)
      let (said, actual) = (rows(classes.predicted, classes.count), rows(classes.actual, classes.count))
      return [(said * actual).sum(axis: 0), said.sum(axis: 0), actual.sum(axis: 0)]
    } result: { sums in
      switch average {
      case .micro: return formula(sums[0].sum(), sums[1].sum(), sums[2].sum())
      case .macro:
        // Single scores have one class, which counts whether it occurs or not.
        let occurs = sums[0].count == 1 ? Tensor.ones([1], dtype: .float64) : (sums[1] + sums[2] .> 0).double
        return ratio((formula(sums[0], sums[1], sums[2]) * occurs).sum(), occurs.sum())
      case .weighted:
        return ratio((formula(sums[0], sums[1], sums[2]) * sums[2]).sum(), sums[2].sum())
      }
    }
  }

  /// One-hot rows `[N, C]`; for single scores the column of class 1.
  private static func rows(_ classes: Tensor, _ count: Int) -> Tensor {
    let hot = classes.oneHot(max(2, count), dtype: .float64)
    return count == 1 && hot.error == nil ? hot[.all, 1..<2] : hot
  }

  /// a / b, 0 where b is.
  private static func ratio(_ a: Tensor, _ b: Tensor) -> Tensor {
    let isThere = b .> 0
    return isThere.select(a / isThere.select(b, 1), 0)
  }

  /// How often each class was taken for each: rows are the classes that are right, columns those that were said.
  /// int64 `[classes, classes]`: read it with ``MetricAccumulator/table()``.
  public static func confusionMatrix(classes: Int) -> Metric {
    Metric("confusionMatrix", merging: .sum) { outputs, targets in
      let found = Classes("confusionMatrix", outputs, targets)
      let actual = found.actual.oneHot(classes, dtype: .float64)
      return [actual.T.matmul(found.predicted.oneHot(classes, dtype: .float64))]
    } result: {
      $0[0].cast(to: .int64)
    }
  }

  /// How far the probability of the class said is from how often it is right, on average over bins of the
  /// probability: Guo et al. 2017. Outputs are logits.
  public static let calibrationError = calibrationError(bins: 15)
  public static func calibrationError(bins: Int) -> Metric {
    Metric("calibrationError", merging: .sum, isHigherBetter: false) { outputs, targets in
      let classes = Classes("calibrationError", outputs, targets)
      let scores = classes.scores.double
      let confidence = classes.count == 1 ? scores.abs().sigmoid().flattened() : scores.softmax().max(axis: -1)
      let bin = minimum((confidence * Double(bins)).floor().cast(to: .int64), Tensor(scalar: bins - 1))
      let rows = bin.oneHot(bins, dtype: .float64)
      return [
        (rows * confidence.expanded(at: -1)).sum(axis: 0), (rows * classes.hits.double.expanded(at: -1)).sum(axis: 0),
        count(classes.predicted.count),
      ]
    } result: {
      ($0[0] - $0[1]).abs().sum() / $0[2]
    }
  }
}
