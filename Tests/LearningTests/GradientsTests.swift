import Cajal
import Testing

@Suite struct GradientsTests {
  private let layer = Dense(1, inputs: 2)
  private let x = Tensor([[3.0, 4.0]])

  @Test func gradientsAreFoundByParameter() throws {
    let (value, gradients) = valueAndGradient(of: layer) { (layer(x) * 2).sum() }
    #expect(value.rank == 0)
    #expect(try #require(gradients[layer.kernel]).numbers == [6, 8])
    let bias = try #require(layer.bias)
    #expect(try #require(gradients[bias]).numbers == [2])
    #expect(gradients[Parameter([1], .zeros)] == nil)
  }

  @Test func theClosureReturnsOtherThingsToo() throws {
    let (_, gradients, outputs) = valueAndGradient(of: layer) { () -> (Tensor, (Tensor, String)) in
      let y = layer(x)
      return (y.sum(), (y, "seen"))
    }
    #expect(outputs.1 == "seen")
    #expect(outputs.0.shape == [1, 1])
    #expect(gradients[layer.kernel] != nil)
  }

  @Test func readingTheLossInsideChangesNothing() throws {
    let (_, quiet) = valueAndGradient(of: layer) { layer(x).squared().sum() }
    let (_, read) = try valueAndGradient(of: layer) { () throws -> Tensor in
      let y = layer(x)
      _ = try y.item()
      return y.squared().sum()
    }
    #expect(try #require(read[layer.kernel]).bytes() == #require(quiet[layer.kernel]).bytes())
  }

  @Test func parametersNotReadHaveNoGradientAndStay() {
    let other = Dense(1, inputs: 2)
    let model = Sequential([layer, other])
    let before = other.kernel.value.numbers
    let (_, gradients) = valueAndGradient(of: model) { layer(x).sum() }
    #expect(gradients[other.kernel] == nil)
    SGD(learningRate: 1).update(model, gradients)
    #expect(other.kernel.value.numbers == before)
  }

  @Test func gradientsAreUsedOnce() throws {
    let optimizer = SGD(learningRate: 0.1)
    let (_, gradients) = valueAndGradient(of: layer) { layer(x).sum() }
    optimizer.update(layer, gradients)
    let once = layer.kernel.value.numbers
    expectError("used by an update before", "valueAndGradient again") {
      _ = try #require(gradients[layer.kernel]).bytes()
    }
    optimizer.update(layer, gradients)
    expectError("used by an update before") { _ = try layer.kernel.value.bytes() }
    #expect(layer.kernel.value.numbers == once)
  }

  @Test func gradientsMayBeTransformedBeforeTheStep() throws {
    layer.kernel.value = Tensor([[0.0], [0.0]])
    let (_, gradients) = valueAndGradient(of: layer) { layer(x).sum() }
    SGD(learningRate: 1).update(layer, gradients.map { $0.clamped(to: -1...1) })
    #expect(layer.kernel.value.numbers == [-1, -1])
  }

  @Test func aTransformThatLosesTheShapeChangesNothing() throws {
    let before = layer.kernel.value.numbers
    for transform in [{ $0.sum() }, { $0.cast(to: .float64) }] as [(Tensor) -> Tensor] {
      let (_, gradients) = valueAndGradient(of: layer) { layer(x).sum() }
      SGD().update(layer, gradients.map(transform))
      expectError("parameter's shape and dtype") { _ = try layer.kernel.value.bytes() }
      #expect(layer.kernel.value.numbers == before)
    }
  }

  @Test func anErrorInTheLossChangesNothingAndIsThrownOnce() throws {
    let before = layer.kernel.value.numbers
    let (loss, gradients) = valueAndGradient(of: layer) { layer(Tensor([[1.0, 2.0, 3.0]])).sum() }
    Adam().update(layer, gradients)
    expectError("dense", "3 numbers") { _ = try layer.kernel.value.bytes() }
    expectError("dense", "2 are expected") { _ = try loss.item() }
    #expect(layer.kernel.value.numbers == before)
  }

  @Test func aLabelOutOfRangeFailsTheStepAndTheNextWorks() throws {
    let model = withSeed(1) { Dense(2, inputs: 2) }
    let optimizer = Adam(learningRate: 0.1)
    func step(_ labels: Tensor) -> Tensor {
      let (loss, gradients) = valueAndGradient(of: model) { softmaxCrossEntropy(model(XOR.x), labels) }
      optimizer.update(model, gradients)
      return loss
    }
    _ = try step(XOR.y).item()
    let before = model.kernel.value.numbers
    let bad = step(Tensor([0, 1, 7, 0]))
    expectError("7") { _ = try bad.item() }
    #expect(model.kernel.value.numbers == before)
    _ = try step(XOR.y).item()
    #expect(model.kernel.value.numbers != before)
  }

  @Test func stoppedAndCustomGradientsWorkInModels() throws {
    layer.kernel.value = Tensor([[1.0], [1.0]])
    let (_, gradients) = valueAndGradient(of: layer) { (layer(x) * layer(x).stoppingGradient()).sum() }
    #expect(try #require(gradients[layer.kernel]).numbers == [21, 28])
    let (_, straight) = valueAndGradient(of: layer) {
      customGradient([layer(x)]) {
        $0[0].sign()
      } backward: {
        [$0]
      }.sum()
    }
    #expect(try #require(straight[layer.kernel]).numbers == [3, 4])
  }

  @Test func trainingModeIsOnInside() {
    #expect(!Runtime.isTraining)
    _ = valueAndGradient(of: layer) { () -> Tensor in
      #expect(Runtime.isTraining)
      return layer(x).sum()
    }
    #expect(!Runtime.isTraining)
  }
}
