import Cajal
import Foundation
import Testing

private func f64(_ numbers: [Double]) -> Tensor { Tensor(numbers, dtype: .float64) }
private func f64(_ numbers: [[Double]]) -> Tensor { Tensor(numbers, dtype: .float64) }

/// Expects numbers to 12 digits.
private func expect(
  _ tensor: Tensor, _ expected: [Double], sourceLocation: SourceLocation = #_sourceLocation
) {
  let numbers = tensor.numbers
  #expect(numbers.count == expected.count, sourceLocation: sourceLocation)
  for (a, b) in zip(numbers, expected) {
    #expect(abs(a - b) <= 1e-12 * max(1, abs(b)), "\(a) instead of \(b)", sourceLocation: sourceLocation)
  }
}

@Suite struct RegressionLossTests {
  private let x = f64([0.5, -1.0, 4.0])
  private let y = f64([0.0, 1.0, 1.0])

  @Test func lossesAreWhatTheirFormulasSay() {
    expect(meanSquaredError(x, y, reduction: .none), [0.25, 4, 9])
    expect(meanSquaredError(x, y), [13.25 / 3])
    expect(meanAbsoluteError(x, y, reduction: .sum), [5.5])
    expect(huber(x, y, delta: 2, reduction: .none), [0.125, 2, 4])
    expect(logCosh(x, y, reduction: .none), [0.5, 2, 3].map { log(cosh($0)) })
    expect(poissonNegativeLogLikelihood(x, y, reduction: .none), [exp(0.5), exp(-1) + 1, exp(4) - 4])
    let variances = f64([1, 4, 0])
    expect(
      gaussianNegativeLogLikelihood(x, y, variances: variances, epsilon: 0.25, reduction: .none),
      [0.125, (log(4) + 1) / 2, (log(0.25) + 36) / 2])
  }

  @Test func logCoshNeitherOverflowsNorCancels() {
    let far = logCosh(f64([1000, -1000]), f64([0, 0]), reduction: .none)
    expect(far, [1000 - log(2), 1000 - log(2)])
    let near = logCosh(f64([1e-4]), f64([0])).numbers[0]
    #expect(abs(near / 0.5e-8 - 1) < 1e-7)
    expect(gradient(at: x) { logCosh($0, y, reduction: .sum) }, [tanh(0.5), tanh(-2), tanh(3)])
    expect(gradient(at: y) { logCosh($0, y, reduction: .sum) }, [0, 0, 0])
  }

  @Test func aColumnMeetsAVectorAndNothingElseIsBroadcast() {
    let column = x.reshaped(3, 1)
    expect(meanSquaredError(column, y), [13.25 / 3])
    #expect(meanSquaredError(column, y, reduction: .none).shape == [3, 1])
    for other in [f64([1.0]), f64([[1.0, 2, 3], [1, 2, 3]]), f64([0.0, 1])] {
      let error = meanSquaredError(x, other).error
      #expect("\(error.map { "\($0)" } ?? "")".contains("outputs [3] and targets \(other.shape) differ"))
    }
  }

  @Test func targetsTakeTheOutputsDtypeAndHalvesAreSummedInFloat32() {
    let loss = meanSquaredError(Tensor([300.0, 0.0], dtype: .float16), Tensor([0, 0]))
    #expect(loss.dtype == .float32 && loss.numbers == [45_000])
    #expect(huber(x, Tensor([0, 1, 1]), delta: 2).dtype == .float64)
  }
}

@Suite struct ClassificationLossTests {
  private let logits = f64([[1, 2, 3], [0, 0, 0], [-1, 4, 0]])
  private let labels = Tensor([0, 2, 1])
  private var logs: Tensor { logits.logSoftmax() }
  private func chosen(_ row: Int, _ column: Int) -> Double { -logs.numbers[3 * row + column] }

  @Test func labelsMayBeNumbersOrOneHotOrAColumn() {
    let expected = [chosen(0, 0), chosen(1, 2), chosen(2, 1)]
    for form in [
      labels, labels.cast(to: .int32), labels.reshaped(3, 1), labels.oneHot(3), labels.oneHot(3, dtype: .int64),
    ] {
      expect(softmaxCrossEntropy(logits, form, reduction: .none), expected)
      expect(softmaxCrossEntropy(logits, form), [expected.reduce(0, +) / 3])
    }
  }

  @Test func smoothingSpreadsLabels() {
    let soft = labels.oneHot(3, dtype: .float64) * 0.7 + 0.1
    expect(
      softmaxCrossEntropy(logits, labels, smoothing: 0.3, reduction: .none),
      softmaxCrossEntropy(logits, soft, reduction: .none).numbers)
    expect(
      softmaxCrossEntropy(logits, labels.oneHot(3), smoothing: 0.3), softmaxCrossEntropy(logits, soft).numbers)
  }

  @Test func classesCountByTheirWeights() {
    let weights = f64([1, 2, 0.5])
    let parts = [chosen(0, 0), 0.5 * chosen(1, 2), 2 * chosen(2, 1)]
    expect(softmaxCrossEntropy(logits, labels, weights: weights, reduction: .none), parts)
    expect(softmaxCrossEntropy(logits, labels, weights: weights), [parts.reduce(0, +) / 3.5])
  }

  @Test func ignoredLabelsDoNotCount() {
    let padded = Tensor([0, -100, 1])
    expect(softmaxCrossEntropy(logits, padded, ignoring: -100, reduction: .none), [chosen(0, 0), 0, chosen(2, 1)])
    expect(softmaxCrossEntropy(logits, padded, ignoring: -100), [(chosen(0, 0) + chosen(2, 1)) / 2])
    let ignored = gradient(at: logits) { softmaxCrossEntropy($0, padded, smoothing: 0.1, ignoring: -100) }
    expect(ignored[1], [0, 0, 0])
    expectError("label -100") { _ = try softmaxCrossEntropy(logits, padded, smoothing: 0.1).item() }
  }

  @Test func labelsThatDoNotFitAreErrors() {
    for smoothing in [0, 0.1] {
      expectError("labels [2]", "[3, 3]") {
        _ = try softmaxCrossEntropy(logits, Tensor([0, 1]), smoothing: smoothing).item()
      }
      expectError("labels are float32") {
        _ = try softmaxCrossEntropy(logits, Tensor([0.0, 1, 2]), smoothing: smoothing).item()
      }
    }
  }

  @Test func binaryCrossEntropyIsStable() {
    let x = f64([1000, -1000, 0, 2])
    let y = f64([1, 1, 0, 0.25])
    let soft: Double = log(1 + exp(2)) - 0.5
    expect(binaryCrossEntropy(x, y, reduction: .none), [0, 1000, log(2), soft])
    expect(gradient(at: x) { binaryCrossEntropy($0, y, reduction: .sum) }, [0, -1, 0.5, 1 / (1 + exp(-2)) - 0.25])
    expect(
      binaryCrossEntropy(x, Tensor([true, true, false, false]), smoothing: 0.5, reduction: .none),
      binaryCrossEntropy(x, f64([0.75, 0.75, 0.25, 0.25]), reduction: .none).numbers)
    expect(
      binaryCrossEntropy(f64([2, 2]), f64([1, 0]), positiveWeight: f64([3]), reduction: .none),
      [3 * log(1 + exp(-2)), log(1 + exp(2))])
  }

  @Test func focalLossMakesLessOfWhatIsEasy() {
    let (x, y) = (f64([2, -1, 0]), f64([1, 1, 0]))
    // Without focus it is half of the cross-entropy.
    expect(
      focal(x, y, alpha: 0.5, gamma: 0, reduction: .none), (binaryCrossEntropy(x, y, reduction: .none) * 0.5).numbers)
    func share(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
    expect(
      focal(x, y, reduction: .none),
      [
        -0.25 * pow(1 - share(2), 2) * log(share(2)), -0.25 * pow(1 - share(-1), 2) * log(share(-1)),
        -0.75 * 0.25 * log(0.5),
      ])
    expect(focal(logits, labels, gamma: 0), softmaxCrossEntropy(logits, labels).numbers)
    expect(
      focal(logits, labels, reduction: .none),
      [chosen(0, 0), chosen(1, 2), chosen(2, 1)].map { pow(1 - exp(-$0), 2) * $0 })
  }

  @Test func hingesTakeSignsOrBools() {
    let x = f64([0.5, -2, 3])
    for y in [Tensor([1, 1, -1]), Tensor([true, true, false])] {
      expect(hinge(x, y, reduction: .none), [0.5, 3, 4])
      expect(squaredHinge(x, y, reduction: .none), [0.25, 9, 16])
      expect(hingeEmbedding(x, y, margin: 4, reduction: .none), [0.5, -2, 1])
    }
  }

  @Test func divergenceOfADistributionFromItselfIsZero() {
    let p = f64([[0.5, 0.5, 0], [0.2, 0.3, 0.5]])
    let q = f64([[0.25, 0.5, 0.25], [0.2, 0.3, 0.5]])
    expect(kullbackLeiblerDivergence(q.log(), p, reduction: .none), [0.5 * log(2), 0])
    expect(kullbackLeiblerDivergence(q.log(), p), [0.25 * log(2)])
    #expect(gradient(at: p) { kullbackLeiblerDivergence(q.log(), $0) }.numbers.allSatisfy { $0.isFinite })
  }
}

@Suite struct SimilarityLossTests {
  private let a = f64([[3, 4], [1, 0]])
  private let b = f64([[4, 3], [0, 2]])

  @Test func anglesAndDistancesAreMeasured() {
    expect(cosineDistance(a, b, reduction: .none), [1 - 0.96, 1])
    expect(cosineEmbedding(a, b, Tensor([1, -1]), margin: 0, reduction: .none), [1 - 0.96, 0])
    expect(cosineEmbedding(a, b, Tensor([false, true]), margin: 0.5, reduction: .none), [0.46, 1])
    expect(marginRanking(f64([1, 2]), f64([3, 1]), Tensor([1, -1]), margin: 0.5, reduction: .none), [2.5, 1.5])
  }

  @Test func distancesHaveFiniteGradientsWhereEmbeddingsMeet() {
    let near = contrastive(a, b, isAlike: Tensor([true, false]), margin: 3, reduction: .none).numbers
    #expect(abs(near[0] - 1) < 1e-5 && abs(near[1] - (3 - 5.0.squareRoot()) * (3 - 5.0.squareRoot()) / 2) < 1e-5)
    let apart = triplet(a, a, b, margin: 2, reduction: .none).numbers
    #expect(abs(apart[0] - (2 - 2.0.squareRoot())) < 1e-5 && apart[1] == 0)
    #expect(gradient(at: a) { triplet($0, a, b, margin: 5) }.numbers.allSatisfy { $0.isFinite })
  }
}

@Suite struct LossValueTests {
  @Test func valuesAreTheFunctionsOfTheirNames() {
    let (x, y) = (f64([[1, -2]]), f64([[0.5, 1]]))
    #expect(Loss.huber(delta: 0.5)(x, y).numbers == huber(x, y, delta: 0.5).numbers)
    #expect(Loss.huber.name == "huber")
    #expect(
      Loss.softmaxCrossEntropy(weights: [1, 3], smoothing: 0.1)(x, Tensor([1])).numbers
        == softmaxCrossEntropy(x, Tensor([1]), weights: f64([1, 3]), smoothing: 0.1).numbers)
    let mine = Loss("mine") { ($0 - $1).sum() }
    #expect(mine(x, y).numbers == [-2.5] && mine.name == "mine")
  }

  @Test func aModelMayGiveItsOwnVariance() {
    expect(
      Loss.gaussianNegativeLogLikelihood(f64([[1, 0], [2, log(4)]]), f64([2, 4])), [(0.5 + (log(4) + 1) / 2) / 2])
    #expect(Loss.gaussianNegativeLogLikelihood(f64([[1, 0, 0]]), f64([2])).error != nil)
  }

  @Test func aModelLearnsByAnyLoss() throws {
    let losses: [Loss] = [
      .meanSquaredError, .meanAbsoluteError, .huber, .logCosh, .poissonNegativeLogLikelihood, .binaryCrossEntropy,
      .focal, .hinge, .squaredHinge, .binaryCrossEntropy(positiveWeight: 2),
    ]
    for loss in losses {
      let model = withSeed(1) { Dense(1, inputs: 2) }
      let optimizer = SGD(learningRate: 0.05)
      func value() throws -> Float { try loss(model(XOR.x), XOR.y).item() }
      let before = try value()
      for _ in 0..<20 {
        let (_, gradients) = valueAndGradient(of: model) { loss(model(XOR.x), XOR.y) }
        optimizer.update(model, gradients)
      }
      #expect(try value() < before, "\(loss.name)")
    }
  }
}
