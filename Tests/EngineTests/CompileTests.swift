import CajalBase
import CajalEngine
import CajalIR
import CajalLosses
import CajalNN
import CajalOptimizers
import CajalTensor
import Testing

/// A compiled function does what the function does.
@Suite struct CompileTests {
  /// Two networks that start equal: one trained by a compiled step, one by the step itself.
  private struct Twins {
    let models = (0..<2).map { _ in withSeed(1) { Classifier() } }
    let optimizers: [any Optimizer]

    init(_ make: () -> any Optimizer) { optimizers = [make(), make()] }

    func step(_ index: Int, _ x: Tensor, _ y: Tensor) -> Tensor {
      // Noise: every step draws afresh.
      let (loss, gradients) = valueAndGradient(of: models[index]) {
        softmaxCrossEntropy(models[index](x + 0.1 * Tensor.normal(x.shape)), y)
      }
      optimizers[index].update(models[index], gradients)
      return loss
    }

    func expectEqual(sourceLocation: SourceLocation = #_sourceLocation) throws {
      let (compiled, plain) = (try models[0].weights(), try models[1].weights())
      #expect(compiled == plain, sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: Device.all)
  func trainingIsTheSame(_ device: Device) throws {
    let optimizers: [() -> any Optimizer] = [
      { SGD(learningRate: 0.1) }, { SGD(learningRate: 0.1, momentum: 0.9, isNesterov: true) },
      { Adam(learningRate: 0.01) }, { AdamW(usesAMSGrad: true) }, { AdaGrad(learningRateDecay: 0.1) },
      { RMSProp(momentum: 0.9, isCentered: true, weightDecay: 0.1) }, { AdaDelta() }, { AdaMax() }, { NAdam() },
      { RAdam() },
      { Lion(groups: [ParameterGroup(matching: "*.bias", learningRateFactor: 2)]) }, { LAMB(weightDecay: 0.1) },
      { Adafactor(weightDecay: 0.1) }, { Muon() }, { SGD(momentum: 0.9, dampening: 0.5) },
    ]
    try withDevice(device) { () throws -> Void in
      for make in optimizers {
        let twins = Twins(make)
        var runs = 0
        let compiled = compile { (x: Tensor, y: Tensor) in
          runs += 1
          return twins.step(0, x, y)
        }
        func train(_ step: (Tensor, Tensor) -> Tensor, _ optimizer: any Optimizer) throws -> [Float] {
          try withSeed(7) {
            try (0..<10).map { index in
              // Batches of two sizes, and a rate that changes.
              let (x, y) = makeBatch(index % 3 == 2 ? 8 : 12, seed: UInt64(index))
              optimizer.learningRate = 0.1 / Double(index + 1)
              return try step(x, y).item()
            }
          }
        }
        let losses = try train(compiled, twins.optimizers[0])
        let expected = try train({ twins.step(1, $0, $1) }, twins.optimizers[1])
        #expect(losses == expected)
        try twins.expectEqual()
        #expect(runs == 2)
      }
    }
  }

  @Test func aFailedStepChangesNothing() throws {
    let twins = Twins { Adam(learningRate: 0.01) }
    let compiled = compile { (x: Tensor, y: Tensor) in twins.step(0, x, y) }
    let (x, y) = makeBatch()
    for index in 0..<3 {
      withSeed(UInt64(index)) { _ = compiled(x, y) }
      withSeed(UInt64(index)) { _ = twins.step(1, x, y) }
    }
    let bad = withSeed(9) { compiled(x, Tensor([Int](repeating: 99, count: 12))) }
    #expect(throws: TensorError.self) { try bad.item() }
    try twins.expectEqual()
    withSeed(10) { _ = compiled(x, y) }
    withSeed(10) { _ = twins.step(1, x, y) }
    try twins.expectEqual()
  }

  @Test func twoUpdatesInOneFunction() throws {
    let twins = Twins { Adam(learningRate: 0.01) }
    let (x, y) = makeBatch()
    func both(_ index: Int, _ x: Tensor, _ y: Tensor) -> Tensor {
      let first = twins.step(index, x, y)
      return first + twins.step(index, x, y)
    }
    let compiled = compile { (x: Tensor, y: Tensor) in both(0, x, y) }
    for index in 0..<5 {
      let loss = withSeed(UInt64(index)) { compiled(x, y) }
      let expected = withSeed(UInt64(index)) { both(1, x, y) }
      #expect(try loss.item() == expected.item())
    }
    try twins.expectEqual()
  }

  @Test func replacedParametersAreReadAnew() throws {
    let layer = Dense(2, inputs: 2)
    layer.kernel.value = Tensor([[1.0, 0.0], [0.0, 1.0]])
    let compiled = compile { (x: Tensor) in layer(x) }
    let x = Tensor([[3.0, 4.0]])
    #expect(try compiled(x).scalars(Float.self) == [3, 4])
    layer.kernel.value = Tensor([[0.0, 1.0], [1.0, 0.0]])
    #expect(try compiled(x).scalars(Float.self) == [4, 3])
    let other = withParameters([(layer.kernel, Tensor([[2.0, 0.0], [0.0, 2.0]]))]) { compiled(x) }
    #expect(try other.scalars(Float.self) == [6, 8])
    layer.kernel.value = Tensor([[1.0], [1.0]])
    layer.bias?.value = Tensor([1.0])
    #expect(try compiled(x).scalars(Float.self) == [8])
  }

  @Test func argumentsMayBeTheSameTensor() throws {
    let compiled = compile { (x: Tensor, y: Tensor) in x * 10 + y }
    let (one, two) = (Tensor([1.0]), Tensor([2.0]))
    #expect(try compiled(one, one).item() == 11)
    #expect(try compiled(one, two).item() == 12)
    #expect(try compiled(two, one).item() == 21)
  }

  @Test func aFunctionThatReadsRunsEachTime() throws {
    var runs = 0
    let compiled = compile { (x: Tensor) in
      runs += 1
      let doubled = x * 2
      guard let number = try? doubled.item() else { return doubled }
      return number > 5 ? doubled + 100 : doubled
    }
    for number in [1.0, 2, 3, 4, 1, 5] {
      let expected = 2 * Float(number) + (number > 2.5 ? 100 : 0)
      #expect(try compiled(Tensor([number])).item() == expected)
    }
    #expect(runs == 6)
  }

  @Test func readingWhatNoResultIsMadeOfCounts() throws {
    let scale = Parameter(Tensor([2.0]))
    let compiled = compile { (x: Tensor) in
      let isLarge = ((try? x.item()) ?? 0) > 2.5
      return isLarge ? x * scale.value + 100 : x * scale.value
    }
    for number in [1.0, 3, 2, 4] {
      #expect(try compiled(Tensor([number])).item() == 2 * Float(number) + (number > 2.5 ? 100 : 0))
    }
  }

  @Test func whatIsFoundElsewhereIsNotTheParameter() throws {
    let model = withSeed(1) { Classifier() }
    let initial = model.hidden.kernel.value
    let optimizer = SGD(learningRate: 0.1)
    func penalty(_ x: Tensor) -> Tensor {
      let (loss, gradients) = valueAndGradient(of: model) {
        let distance = model.hidden.kernel.value - initial
        return model(x).sum() + (distance * distance).sum()
      }
      optimizer.update(model, gradients)
      return loss
    }
    let compiled = compile { (x: Tensor) in penalty(x) }
    let (x, _) = makeBatch()
    let losses = try (0..<3).map { _ in try compiled(x).item() }
    let other = withSeed(1) { Classifier() }
    let start = other.hidden.kernel.value
    let another = SGD(learningRate: 0.1)
    let expected = try (0..<3).map { _ in
      let (loss, gradients) = valueAndGradient(of: other) {
        let distance = other.hidden.kernel.value - start
        return other(x).sum() + (distance * distance).sum()
      }
      another.update(other, gradients)
      return try loss.item()
    }
    #expect(losses == expected)
  }

  @Test func aRefusedUpdateIsReportedAtEachCall() throws {
    let model = withSeed(1) { Classifier() }
    let optimizer = SGD(learningRate: 0.1)
    let compiled = compile { (x: Tensor) in
      let (loss, gradients) = valueAndGradient(of: model) { model(x).sum() }
      optimizer.update(model, gradients.map { $0.sum() })
      return loss
    }
    let (x, _) = makeBatch()
    for _ in 0..<3 {
      _ = compiled(x)
      #expect(throws: TensorError.self) { try model.hidden.kernel.value.scalars(Float.self) }
    }
  }

  @Test func errorsGoThroughAndDoNotStay() throws {
    let compiled = compile { (x: Tensor) in x.matmul(Tensor.ones([3, 3])) }
    #expect(throws: TensorError.self) { try compiled(Tensor.ones([2, 2])).item() }
    #expect(throws: TensorError.self) { try compiled(Tensor(error: compiled(Tensor.ones([2, 2])).error!)).item() }
    #expect(try compiled(Tensor.ones([1, 3])).scalars(Float.self) == [3, 3, 3])
  }

  @Test func itIsDifferentiatedAsTheFunctionItself() throws {
    let compiled = compile { (x: Tensor) in x * x }
    _ = compiled(Tensor([1.0]))
    #expect(try gradient(at: Tensor([3.0])) { compiled($0).sum() }.item() == 6)
  }

  @Test func randomStreamsAreThoseOfTheFunction() throws {
    func numbers(compiled: Bool) throws -> [Float] {
      let own = Generator(seed: 5)
      func draw(_ x: Tensor) -> Tensor {
        // The scope's, one that lives from call to call, and one that each call makes.
        let ours = x + Tensor.normal(x.shape) + Tensor.normal(x.shape, generator: own)
        return withSeed(3) { ours + 10 * Tensor.normal(x.shape) }
      }
      let function = compiled ? compile(draw) : draw
      return try withSeed(7) { try (0..<5).map { _ in try function(Tensor([1.0])).item() } }
    }
    let plain = try numbers(compiled: false)
    #expect(try numbers(compiled: true) == plain)
    #expect(Set(plain).count == 5)
  }

  @Test func callsAfterTheFirstFindTheirPlan() throws {
    let twins = Twins { Adam(learningRate: 0.01) }
    let compiled = compile { (x: Tensor, y: Tensor) in twins.step(0, x, y) }
    let (x, y) = makeBatch()
    for _ in 0..<2 { _ = try compiled(x, y).item() }
    let meter = EngineMeter()
    try meter.measure { for _ in 0..<5 { _ = try compiled(x, y).item() } }
    #expect(meter.counters.plansCompiled == 0)
    #expect(meter.counters.plansRun == 5)
  }
}
