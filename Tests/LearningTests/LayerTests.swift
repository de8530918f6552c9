import Cajal
import Foundation
import Testing

@Suite struct LayerTests {
  @Test func dropoutDropsWhileTrainingAlone() throws {
    let x = Tensor.ones([100, 100])
    let layer = Dropout(0.25)
    #expect(layer(x).numbers == x.numbers)
    let kept = withSeed(1) { withTraining { layer(x) } }.numbers
    #expect(Set(kept) == [0, Double(Float(1 / 0.75))])
    // 10,000 draws: three quarters within five standard deviations of 0.0043.
    let share = Double(kept.count { $0 != 0 }) / 10_000
    #expect(abs(share - 0.75) < 0.022)
    let other = withSeed(2) { withTraining { layer(x) } }.numbers
    #expect(kept != other)
    #expect(Dropout(1)(x).error != nil && Dropout(-0.1)(x).error != nil)
  }

  @Test func dropoutsGradientPassesWhereItsInputDoes() {
    let x = Tensor.ones([64])
    let (value, gradient) = withSeed(1) {
      let (_, gradient) = valueAndGradient(at: x) { Dropout(0.5)($0).sum() }
      return (withSeed(1) { withTraining { Dropout(0.5)(x) } }, gradient)
    }
    #expect(gradient.numbers.contains(0) && gradient.numbers.contains(2))
    #expect(Set(value.numbers) == Set(gradient.numbers))
  }

  @Test func noiseIsAddedWhileTrainingAlone() {
    let x = Tensor.zeros([10_000])
    let layer = GaussianNoise(0.5)
    #expect(layer(x).numbers.allSatisfy { $0 == 0 })
    let noise = withSeed(1) { withTraining { layer(x) } }
    // Five standard errors of the mean and of the deviation.
    #expect(abs(noise.mean().numbers[0]) < 0.025 && abs(noise.standardDeviation().numbers[0] - 0.5) < 0.018)
  }

  @Test func embeddingLooksVectorsUp() throws {
    let layer = Embedding(4, 3, padding: 2)
    let rows = layer.table.value.numbers
    #expect(layer(Tensor([[3, 2]])).shape == [1, 2, 3])
    #expect(layer(Tensor([[3, 2]])).numbers == Array(rows[9..<12]) + [0, 0, 0])
    for index in [4, -1] {
      expectError("index \(index)", "0..<4") { _ = try layer(Tensor([index])).scalars(Float.self) }
    }
    let (_, gradients) = valueAndGradient(of: layer) { layer(Tensor([2, 1, 1])).sum() }
    #expect(gradients[layer.table]?.numbers == [0, 0, 0, 2, 2, 2, 0, 0, 0, 0, 0, 0])
  }

  @Test func layerNormGivesMeanZeroAndVarianceOne() {
    let x = withSeed(1) { Tensor.normal([4, 50], mean: 3, standardDeviation: 2) }
    let y = LayerNorm(epsilon: 0)(x)
    #expect(y.mean(axis: 1).numbers.allSatisfy { abs($0) < 1e-6 })
    #expect(y.variance(axes: [1]).numbers.allSatisfy { abs($0 - 1) < 1e-5 })
    let both = LayerNorm(axes: 2)
    #expect(both(x.reshaped(2, 4, 25)).shape == [2, 4, 25] && both.gain.shape == [4, 25])
    #expect(LayerNorm(axes: 3)(x).error != nil)
  }

  @Test func rmsNormDividesByTheRootMeanSquare() {
    let layer = RMSNorm(epsilon: 0, dtype: .float64)
    #expect(layer(Tensor([[3, 4]], dtype: .float64)).numbers == [3 / 12.5.squareRoot(), 4 / 12.5.squareRoot()])
  }

  @Test func halvesAreNormalisedWithoutOverflow() {
    // 300² is beyond float16.
    let x = Tensor([[300.0, -300.0, 100.0, -100.0]], dtype: .float16)
    for layer in [LayerNorm(dtype: .float16), RMSNorm(dtype: .float16)] as [any Layer] {
      let y = layer(x)
      #expect(y.dtype == .float16 && y.numbers.allSatisfy { $0.isFinite && abs($0) < 2 })
    }
  }

  @Test func containersPutOutputsTogether() throws {
    let x = Tensor([[1.0, -2.0]])
    let double = Activation { $0 * 2 }
    #expect(Residual { double }(x).numbers == [3, -6])
    #expect(
      Parallel(.sum) {
        double
        double
      }(x).numbers == [4, -8])
    #expect(
      Parallel {
        double
        Activation.relu
      }(x).numbers == [2, -4, 1, 0])
    let mismatch = Residual { Dense(3) }(x)
    let error = try #require(mismatch.error)
    #expect("\(error)".contains("[1, 2]") && "\(error)".contains("[1, 3]") && "\(error)".contains("shortcut"))
    #expect(
      Parallel(.sum) {
        Dense(3)
        Dense(1)
      }(x).error != nil)
  }

  @Test func learnedActivationsLearn() {
    let layer = PReLU(slope: 0.5)
    let x = Tensor([[-2.0, 4.0], [-6.0, -1.0]])
    #expect(layer(x).numbers == [-1, 4, -3, -0.5])
    let (_, gradients) = valueAndGradient(of: layer) { layer(x).sum() }
    #expect(gradients[layer.slope]?.numbers == [-8, -1])
    #expect(PReLU(isShared: true).slope.shape == [1])
    let maxout = Maxout(2, pieces: 2, inputs: 1)
    maxout.dense.kernel.value = Tensor([[1.0, -1.0, 2.0, 3.0]])
    #expect(maxout(Tensor([[1.0], [-1.0]])).numbers == [1, 3, 1, -2])
  }

  @Test func reshapeKeepsTheExamples() {
    #expect(Reshape(2, -1)(Tensor.ones([5, 6])).shape == [5, 2, 3])
    #expect(Reshape(4)(Tensor.ones([5, 6])).error != nil)
  }

  @Test func activationsOfTheListAreWhatTheySay() {
    let x = Tensor([[-3.0, -0.25, 0.25, 3.0]])
    #expect(Activation.hardShrink(x).numbers == [-3, 0, 0, 3])
    #expect(Activation.step(threshold: 1)(x).numbers == [0, 0, 0, 1])
    #expect(Activation.maxout(pieces: 2)(x).numbers == [-0.25, 3])
    #expect(Activation.glu(Tensor([[2.0, 5.0, 0.0, 0.0]])).numbers == [1, 2.5])
    #expect(Activation.glu(Tensor.ones([1, 3])).error != nil && Activation.maxout(pieces: 3)(x).error != nil)
    #expect(Activation.step(Tensor([1.0], dtype: .float64)).dtype == .float64)
  }
}

@Suite struct BatchNormTests {
  private let x = Tensor([[1.0, 10.0], [3.0, 30.0], [5.0, 80.0]], dtype: .float64)

  @Test func theBatchsStatisticsAreUsedWhileTraining() {
    let layer = BatchNorm(epsilon: 0, dtype: .float64)
    let y = withTraining { layer(x) }
    #expect(y.mean(axis: 0).numbers.allSatisfy { abs($0) < 1e-12 })
    #expect(y.variance(axes: [0]).numbers.allSatisfy { abs($0 - 1) < 1e-12 })
  }

  /// The layer has a gradient of its own; that of its parts, and the gradient of that gradient, are the same.
  @Test func itsGradientIsThatOfItsPartsToTheSecondOrder() {
    let layer = BatchNorm(epsilon: 0.5, dtype: .float64)
    _ = layer(x)
    layer.gain.value = Tensor([2.0, -0.5], dtype: .float64)
    layer.bias.value = Tensor([0.25, 1.0], dtype: .float64)
    func byParts(_ x: Tensor) -> Tensor {
      let centred = x - x.mean(axes: [0])
      let scale = (centred.squared().mean(axes: [0]) + 0.5).rsqrt()
      return centred * scale * layer.gain.value + layer.bias.value
    }
    let weights = Tensor([[1.0, -2.0], [0.5, 3.0], [-1.5, 0.25]], dtype: .float64)
    func gradients(_ function: (Tensor) -> Tensor) -> [[Double]] {
      let (value, second) = valueAndGradient(at: x) { x in
        let first = valueAndGradient(at: x) { ((function($0) + 1).squared() * weights).sum() }
        return (first.gradient.squared() * weights).sum() + first.value
      }
      return [value.numbers, second.numbers]
    }
    let found = withTraining { gradients { layer($0) } }
    for (found, expected) in zip(found, gradients(byParts)) {
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= 1e-12 * abs($1) }, "\(found) \(expected)")
      #expect(found.count == expected.count && found.allSatisfy { abs($0) > 1e-6 })
    }
  }

  @Test func runningStatisticsMoveWithEachStepAndAreUsedAfterwards() throws {
    let layer = BatchNorm(momentum: 0.5, epsilon: 0, dtype: .float64)
    _ = layer(x)
    #expect(layer.mean.value.numbers == [0, 0] && layer.variance.value.numbers == [1, 1])
    for expected in [[1.5, 20], [2.25, 30]] {
      let (_, gradients) = valueAndGradient(of: layer) { layer(x).squared().sum() }
      SGD(learningRate: 0).update(layer, gradients)
      #expect(layer.mean.value.numbers == expected)
    }
    // Variances of three numbers: 4 and 1300.
    #expect(layer.variance.value.numbers == [3.25, 975.25])
    let y = layer(Tensor([[2.25, 30.0]], dtype: .float64))
    #expect(y.numbers == [0, 0])
  }

  @Test func aLayerUsedTwiceMovesTwice() {
    let layer = BatchNorm(momentum: 0.5, dtype: .float64)
    _ = valueAndGradient(of: layer) { (layer(x) + layer(x)).sum() }
    #expect(layer.mean.value.numbers == [2.25, 30])
  }

  @Test func aFailedStepLeavesTheRunningStatisticsAsTheyWere() throws {
    let model = withSeed(1) {
      Sequential {
        BatchNorm(channels: 2)
        Dense(2, inputs: 2)
      }
    }
    let optimizer = SGD(learningRate: 0.1)
    func step(_ label: Int) {
      let (_, gradients) = valueAndGradient(of: model) {
        softmaxCrossEntropy(model(x.cast(to: .float32)), Tensor([0, 1, label]))
      }
      optimizer.update(model, gradients)
    }
    step(0)
    let before = model.parameters.map(\.value.numbers)
    #expect(before.allSatisfy { !$0.isEmpty })
    step(7)
    #expect(throws: TensorError.self) { try eval(model.parameters.map(\.value)) }
    #expect(model.parameters.map(\.value.numbers) == before)
    step(1)
    #expect(model.parameters.map(\.value.numbers) != before)
    #expect(model.parameters.allSatisfy { !$0.value.numbers.isEmpty })
  }

  @Test func theFirstStepMayFailToo() throws {
    let layer = BatchNorm(channels: 2)
    try eval([layer.gain.value, layer.bias.value])
    let (_, gradients) = valueAndGradient(of: layer) {
      softmaxCrossEntropy(layer(x.cast(to: .float32)), Tensor([0, 1, 7]))
    }
    SGD(learningRate: 0.1).update(layer, gradients)
    #expect(throws: TensorError.self) { try eval(layer.parameters.map(\.value)) }
    #expect(layer.mean.value.numbers == [0, 0] && layer.variance.value.numbers == [1, 1])
  }

  @Test func anErrorInTheLossMovesNothing() throws {
    let layer = BatchNorm(channels: 2)
    try eval(layer.parameters.map(\.value))
    let (_, gradients) = valueAndGradient(of: layer) { layer(x).sum() + Tensor.ones([2]) + Tensor.ones([3]) }
    SGD(learningRate: 0.1).update(layer, gradients)
    #expect(throws: TensorError.self) { try eval(layer.parameters.map(\.value)) }
    #expect(layer.mean.value.numbers == [0, 0])
  }

  @Test func aSkippedStepMovesNothing() {
    let layer = BatchNorm(channels: 2, momentum: 0.5)
    let infinite = x.cast(to: .float32) / 0.0
    let (_, gradients) = valueAndGradient(of: layer) { (layer(x.cast(to: .float32)) * infinite).sum() }
    SGD(learningRate: 0.1).update(layer, gradients.skippingNonFinite())
    #expect(layer.mean.value.numbers == [0, 0] && layer.gain.value.numbers == [1, 1])
  }

  @Test func summedPassesMoveOneAfterTheOther() {
    let layer = BatchNorm(momentum: 0.5, dtype: .float64)
    func pass() -> Gradients { valueAndGradient(of: layer) { layer(x).sum() }.1 }
    SGD(learningRate: 0.1).update(layer, pass() + pass())
    #expect(layer.mean.value.numbers == [2.25, 30])
  }

  @Test func compiledStepsMoveTheRunningStatistics() {
    func run(_ isCompiled: Bool) -> [[Double]] {
      let model = withSeed(1) {
        Sequential {
          BatchNorm(channels: 2)
          Dense(1, inputs: 2)
        }
      }
      let optimizer = SGD(learningRate: 0.1)
      let body = { (x: Tensor) -> Tensor in
        let (loss, gradients) = valueAndGradient(of: model) { model(x).squared().mean() }
        optimizer.update(model, gradients)
        return loss
      }
      let step = isCompiled ? compile(body) : body
      for scale in 1...4 { _ = step(x.cast(to: .float32) * Float(scale)) }
      return model.parameters.map(\.value.numbers)
    }
    #expect(run(true) == run(false))
  }
}
