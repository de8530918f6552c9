import Cajal
import Testing

@Suite struct ParameterTests {
  @Test func theSameWeightsAreDrawnWhateverRunsFirst() throws {
    func layers() -> (Dense, Dense) { withSeed(4) { (Dense(3), Dense(2, inputs: 5)) } }
    let x = Tensor.ones([1, 6])
    let (a, b) = layers()
    _ = try (a(x).bytes(), b.kernel.value.bytes())
    let (c, d) = layers()
    _ = try d.kernel.value.bytes()
    _ = Tensor.uniform([3])
    _ = try c(x).bytes()
    #expect(a.kernel.value.numbers == c.kernel.value.numbers)
    #expect(b.kernel.value.numbers == d.kernel.value.numbers)
    #expect(a.kernel.value.numbers.count == 18 && Set(a.kernel.value.numbers).count > 10)
  }

  @Test func otherSeedsAndOtherParametersDrawOtherWeights() {
    let a = withSeed(1) { Dense(3, inputs: 3) }
    let b = withSeed(2) { Dense(3, inputs: 3) }
    let c = withSeed(1) { (Dense(3, inputs: 3), Dense(3, inputs: 3)) }
    #expect(a.kernel.value.numbers != b.kernel.value.numbers)
    #expect(a.kernel.value.numbers == c.0.kernel.value.numbers)
    #expect(a.kernel.value.numbers != c.1.kernel.value.numbers)
  }

  @Test func theInputSizeIsLearnedAtTheFirstUse() throws {
    let layer = Dense(3)
    #expect(layer.kernel.shape == nil)
    expectError("before its shape is known") { _ = try layer.kernel.value.bytes() }
    _ = try layer(Tensor.ones([4, 7])).bytes()
    #expect(layer.kernel.shape == [7, 3])
    expectError("dense", "6 numbers", "7 are expected") { _ = try layer(Tensor.ones([4, 6])).bytes() }
  }

  @Test func aLayerThatLearnsItsInputSizeInsideAGradientLearnsThere() throws {
    let layer = withSeed(3) { Dense(1) }
    let (_, gradients) = valueAndGradient(of: layer) { layer(Tensor([[1.0, 2.0]])).sum() }
    #expect(try #require(gradients[layer.kernel]).numbers == [1, 2])
    #expect(layer.kernel.shape == [2, 1])
  }

  @Test func initializersHaveTheirSpread() {
    let he = withSeed(1) { Dense(100, inputs: 50, activation: .relu) }.kernel.value.numbers
    let limit = (6.0 / 50).squareRoot()
    #expect(he.allSatisfy { abs($0) <= limit } && he.max()! > 0.95 * limit)
    let glorot = withSeed(1) { Dense(100, inputs: 50, activation: .tanh) }.kernel.value.numbers
    let narrow = (6.0 / 150).squareRoot()
    #expect(glorot.allSatisfy { abs($0) <= narrow } && glorot.min()! < -0.95 * narrow)
    #expect(Dense(2, inputs: 2).bias?.value.numbers == [0, 0])
    #expect(Dense(2, inputs: 2, usesBias: false).bias == nil)
    let own = Initializer { shape, dtype in Tensor.full(shape, 7, dtype: dtype) }
    #expect(Parameter([2], own, dtype: .float64).value.numbers == [7, 7])
    #expect(Parameter([2], .ones, dtype: .bfloat16).value.dtype == .bfloat16)
  }

  @Test func copiesShareTheirParameters() {
    let layer = Dense(1, inputs: 1)
    let copy = layer
    layer.kernel.value = Tensor([[5.0]])
    #expect(copy.kernel.value.numbers == [5])
  }

  @Test func otherTensorsStandForParametersInABlock() {
    let layer = Dense(1, inputs: 2)
    layer.kernel.value = Tensor([[1.0], [1.0]])
    let x = Tensor([[3.0, 4.0]])
    let inside = withParameters([(layer.kernel, Tensor([[10.0], [0.0]]))]) { layer(x) }
    #expect(inside.numbers == [30])
    #expect(layer(x).numbers == [7])
  }

  @Test func substitutesAreDifferentiatedByTheirParameter() throws {
    let layer = Dense(1, inputs: 1, usesBias: false)
    layer.kernel.value = Tensor([[2.0]])
    let x = Tensor([[3.0]])
    let (value, gradients) = valueAndGradient(of: layer) { layer(x).squared().sum() }
    let (other, none) = valueAndGradient(of: layer) {
      withParameters([(layer.kernel, Tensor([[5.0]]))]) { layer(x).sum() }
    }
    #expect(value.numbers == [36] && other.numbers == [15])
    #expect(try #require(gradients[layer.kernel]).numbers == [36])
    #expect(none[layer.kernel] == nil)
  }

  @Test func activationsAreLayers() {
    let x = Tensor([-1.0, 2.0])
    #expect(Activation.relu(x).numbers == [0, 2])
    #expect(Activation.step(x).numbers == [0, 1])
    #expect(Activation.identity(x).numbers == [-1, 2])
    #expect(Activation { $0 * 3 }(x).numbers == [-3, 6])
    #expect(Activation.softmax(Tensor([0.0, 0.0])).numbers == [0.5, 0.5])
  }
}
