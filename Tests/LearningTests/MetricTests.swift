import Cajal
import Foundation
import Testing

/// Expects the metric of all examples together, of batches, and of two halves that are merged.
private func expect(
  _ metric: Metric, _ outputs: Tensor, _ targets: Tensor, _ expected: Double,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  func isRight(_ value: Double) -> Bool { abs(value - expected) < 1e-9 || value.isNaN && expected.isNaN }
  let whole = try metric(outputs, targets)
  #expect(isRight(whole), "\(whole) instead of \(expected)", sourceLocation: sourceLocation)
  var (all, rest) = (MetricAccumulator(metric), MetricAccumulator(metric))
  let count = outputs.shape[0]
  for start in stride(from: 0, to: count, by: 3) {
    let range = start..<min(count, start + 3)
    if start < count / 2 {
      all.update(outputs[range], targets[range])
    } else {
      rest.update(outputs[range], targets[range])
    }
  }
  // Through a checkpoint and back.
  var restored = MetricAccumulator(metric)
  restored.state = rest.state
  all.merge(restored)
  let merged = try all.result()
  #expect(isRight(merged), "\(merged) instead of \(expected)", sourceLocation: sourceLocation)
}

private func column(_ numbers: [Double]) -> Tensor { Tensor(numbers, shape: [numbers.count, 1]) }

@Suite struct ClassificationMetricTests {
  // Classes said: 2, 0, 1, 2, 0, 1, 1.
  private let scores = Tensor([
    [0.1, 0.2, 0.9], [2, 1, 0], [0, 3, 1], [-1, -2, -0.5], [5, 4, 3], [0, 0.5, 0.4], [0, 1, 0.5],
  ])
  private let labels = Tensor([2, 0, 2, 2, 1, 1, 1])

  @Test func accuracyCountsWhatIsRight() throws {
    try expect(.accuracy, scores, labels, 5.0 / 7)
    try expect(.accuracy, scores, labels.reshaped(7, 1), 5.0 / 7)
    try expect(.accuracy, scores, labels.oneHot(3), 5.0 / 7)
    try expect(.accuracy, Tensor([1.5, -1.0, 0.5, -0.1]), Tensor([1, 0, 0, 0]), 0.75)
    try expect(.accuracy, column([1.5, -1, 0.5, -0.1]), Tensor([true, false, false, true]), 0.5)
    try expect(.binaryAccuracy(threshold: 0.5), Tensor([[0.9, 0.2], [0.4, 0.6]]), Tensor([[1, 0], [1, 0]]), 0.5)
  }

  @Test func topKLooksAtTheHighestScores() throws {
    try expect(.topK(1), scores, labels, 5.0 / 7)
    try expect(.topK(2), scores, labels, 1)
    // Of equal scores the first come first: a model that says nothing is not right.
    try expect(.topK(2), Tensor.zeros([4, 3]), Tensor([0, 1, 2, 2]), 0.5)
    let nan = Tensor([[Double.nan, 0, 1]])
    try expect(.topK(3), nan, Tensor([0]), 0)
    #expect(throws: TensorError.self) { try Metric.topK(1)(Tensor([1.0]), Tensor([1])) }
  }

  @Test func precisionAndRecallAreOfEachClass() throws {
    // Right 1, 2, 2; said 2, 3, 2; there are 1, 3, 3.
    let precisions: [Double] = [1.0 / 2, 2.0 / 3, 2.0 / 2]
    let recalls: [Double] = [1.0 / 1, 2.0 / 3, 2.0 / 3]
    let harmonic: [Double] = [2.0 / 3, 4.0 / 6, 4.0 / 5]
    try expect(.precision, scores, labels, (precisions[0] + precisions[1] + precisions[2]) / 3)
    try expect(.recall, scores, labels, (recalls[0] + recalls[1] + recalls[2]) / 3)
    try expect(.f1, scores, labels, (harmonic[0] + harmonic[1] + harmonic[2]) / 3)
    try expect(.precision(.micro), scores, labels, 5.0 / 7)
    let weighted: Double = (harmonic[0] + 3 * harmonic[1] + 3 * harmonic[2]) / 7
    try expect(.f1(.weighted), scores, labels, weighted)
  }

  @Test func singleScoresAreJudgedByClassOne() throws {
    let x = column([1, 2, -1, 3, -2])
    let y = Tensor([1, 0, 1, 1, 0])
    try expect(.precision, x, y, 2.0 / 3)
    try expect(.recall, x, y, 2.0 / 3)
    try expect(.f1, x, y, 2.0 / 3)
    // Nothing said, nothing there.
    try expect(.precision, column([-1, -1]), Tensor([1, 1]), 0)
    try expect(.recall, column([1, 1]), Tensor([0, 0]), 0)
    try expect(.f1, column([-1, -1]), Tensor([0, 0]), 0)
  }

  @Test func confusionIsCounted() throws {
    var confusion = MetricAccumulator(.confusionMatrix(classes: 3))
    confusion.update(scores[0..<4], labels[0..<4])
    confusion.update(scores[4...], labels[4...])
    let table = try confusion.table()
    #expect(table.dtype == .int64 && table.shape == [3, 3])
    #expect(table.numbers == [1, 0, 0, 1, 2, 0, 0, 1, 2])
    var pair = MetricAccumulator(.confusionMatrix(classes: 2))
    pair.update(column([1, -1, 1]), Tensor([1, 1, 0]))
    #expect(try pair.table().numbers == [0, 1, 1, 1])
  }

  @Test func confidenceIsComparedWithAccuracy() throws {
    // Half sure and always right, and three quarters sure and right every second time.
    let x = column([0, 0, log(3.0), log(3.0)])
    try expect(.calibrationError(bins: 10), x, Tensor([0, 0, 1, 0]), (0.5 * 2 + 0.25 * 2) / 4)
    let pairs = Tensor([[0, 0], [0, 0], [0, log(3.0)], [0, log(3.0)]])
    try expect(.calibrationError(bins: 10), pairs, Tensor([0, 0, 1, 0]), (0.5 * 2 + 0.25 * 2) / 4)
    // A probability of 1 lies in the last bin.
    try expect(.calibrationError, column([1e6, -1e6]), Tensor([1, 0]), 0)
  }

  @Test func targetsThatDoNotFitAreErrors() {
    for metric in [Metric.accuracy, .auc, .f1, .calibrationError, .confusionMatrix(classes: 3)] {
      expectError("[7, 3]", "[2]", metric.name) {
        var accumulator = MetricAccumulator(metric)
        accumulator.update(scores, Tensor([1, 2]))
        _ = try accumulator.table().scalars(Double.self)
      }
    }
    #expect(throws: TensorError.self) { try Metric.f1(scores, Tensor([0, 1, 2, 3, 0, 0, 0])) }
  }
}

@Suite struct RankingMetricTests {
  /// Pairs of a positive and a negative example that lie right.
  private func area(_ scores: [Double], _ labels: [Bool]) -> Double {
    var (sum, pairs) = (0.0, 0.0)
    for (x, _) in zip(scores, labels).filter(\.1) {
      for (y, _) in zip(scores, labels).filter({ !$0.1 }) {
        sum += x > y ? 1 : (x == y ? 0.5 : 0)
        pairs += 1
      }
    }
    return sum / pairs
  }

  @Test func aucIsTheShareOfPairsThatLieRight() throws {
    // Rounded, so that scores tie.
    let scores = withSeed(1) { (Tensor.normal([60]) * 4).round() }
    let labels = withSeed(2) { Tensor.bernoulli([60], probability: 0.3) }
    let expected = area(scores.numbers, labels.numbers.map { $0 > 0 })
    try expect(.auc, scores, labels, expected)
    try expect(.auc, scores.reshaped(60, 1), labels.cast(to: .int64), expected)
    // Two logits rank by their difference.
    try expect(.auc, Tensor.stack([scores * 0, scores], axis: 1), labels.cast(to: .int64), expected)
    try expect(.auc, -scores, labels, 1 - expected)
  }

  @Test func severalClassesAreAveragedEachAgainstTheRest() throws {
    let scores = withSeed(3) { Tensor.normal([40, 3]) }
    let labels = withSeed(4) { Tensor.randomIntegers([40], in: 0..<3) }
    let shares = scores.softmax().numbers
    let areas = (0..<3).map { column in
      area((0..<40).map { shares[3 * $0 + column] }, labels.numbers.map { $0 == Double(column) })
    }
    try expect(.auc, scores, labels, (areas[0] + areas[1] + areas[2]) / 3)
  }

  @Test func averagePrecisionGoesDownTheScores() throws {
    // 1 of 1, 2 of 3, 3 of 4.
    try expect(.averagePrecision, Tensor([4.0, 3, 2, 1]), Tensor([1, 0, 1, 1]), (1 + 2.0 / 3 + 3.0 / 4) / 3)
    // All tie: the share of what is there.
    try expect(.averagePrecision, Tensor.zeros([4]), Tensor([1, 0, 0, 0]), 0.25)
  }

  @Test func oneClassAloneHasNoArea() throws {
    try expect(.auc, Tensor([1.0, 2]), Tensor([1, 1]), .nan)
    try expect(.averagePrecision, Tensor([1.0, 2]), Tensor([0, 0]), .nan)
    try expect(.auc, Tensor([1.0, Double.nan]), Tensor([1, 0]), .nan)
  }
}

@Suite struct RegressionMetricTests {
  private let x = Tensor([1.0, 2, 3, 5])
  private let y = Tensor([1.0, 3, 2, 7])

  @Test func errorsAreMeasured() throws {
    try expect(.mae, x, y, 1)
    try expect(.rmse, x, y, 1.5.squareRoot())
    // Squares: 6 left of 1 + 9 + 4 + 49 − 13² / 4.
    try expect(.r2, x, y, 1 - 6 / 20.75)
    try expect(.r2, x.reshaped(4, 1), y, 1 - 6 / 20.75)
    try expect(.r2, Tensor.stack([x, y], axis: 1), Tensor.stack([y, y], axis: 1), (2 - 6 / 20.75) / 2)
  }

  @Test func targetsThatDoNotVaryAreExplainedOrNot() throws {
    try expect(.r2, Tensor([3.0, 3]), Tensor([3.0, 3]), 1)
    try expect(.r2, Tensor([3.0, 4]), Tensor([3.0, 3]), 0)
  }

  @Test func aMillionTimesTheDeviationStillHasDigits() throws {
    try expect(.r2, Tensor([1e6, 1e6 + 1, 1e6 + 2]), Tensor([1e6, 1e6 + 2, 1e6 + 1]), 1 - 2 / 2.0)
  }

  @Test(arguments: [0, 1e9, -1e12]) func targetsFarFromZeroLoseNoDigits(_ far: Double) throws {
    var sums = MetricAccumulator(.r2)
    sums.update(Tensor([1 + far, 2 + far]), Tensor([1 + far, 3 + far]))
    sums.update(Tensor([Double](), shape: [0]), Tensor([Double](), shape: [0]))
    var others = MetricAccumulator(.r2)
    others.update(Tensor([3 + far]), Tensor([2 + far]))
    others.update(Tensor([5 + far]), Tensor([7 + far]))
    sums.merge(others)
    #expect(abs(try sums.result() - (1 - 6 / 20.75)) < 1e-4 * abs(far) / 1e12 + 1e-12)
  }

  @Test func shapesThatDifferAreErrors() {
    #expect(throws: TensorError.self) { try Metric.mae(x, Tensor([1.0])) }
    #expect(throws: TensorError.self) { try Metric.r2(x, Tensor([[1.0, 2], [3, 4]])) }
  }
}

@Suite struct MetricAccumulatorTests {
  @Test func nothingAddedIsAnError() {
    expectError("accuracy", "no batch was added") { _ = try MetricAccumulator(.accuracy).result() }
    var used = MetricAccumulator(.mae)
    used.update(Tensor([1.0]), Tensor([2.0]))
    used.reset()
    #expect(used.state.isEmpty)
    #expect(throws: TensorError.self) { try used.result() }
  }

  @Test func aTableIsNoNumber() {
    var confusion = MetricAccumulator(.confusionMatrix(classes: 2))
    confusion.update(Tensor([[1.0, 0]]), Tensor([0]))
    #expect(throws: TensorError.self) { try confusion.result() }
  }

  @Test func yourOwnMetricMerges() throws {
    let bias = Metric("bias", merging: .sum) { outputs, targets in
      [(outputs - targets).sum(), Tensor(scalar: targets.count)]
    } result: {
      $0[0] / $0[1]
    }
    try expect(bias, Tensor([1.0, 2, 3, 4]), Tensor([1.0, 1, 1, 1]), 1.5)
  }

  @Test func updatesGrowNoGraphAndStopGradients() throws {
    var all = [MetricAccumulator(.accuracy), MetricAccumulator(.mae), MetricAccumulator(.auc)]
    let meter = EngineMeter()
    for step in 0..<20 {
      let x = Tensor([Double(step % 3) - 1, 1])
      meter.measure { all.update(x, Tensor([0, 1])) }
    }
    // One for the first batch, one for all that follow.
    #expect(meter.counters.plansCompiled <= 2 && meter.counters.plansRun == 20)
    #expect(try all[0].result() == 34.0 / 40)
    #expect(try all[1].result() == 13.0 / 40)
  }
}
