import CajalBase
import CajalEngine
import CajalLosses
import CajalNN
import CajalOptimizers
import CajalTensor
import Testing

/// The ways that lazy frameworks break, each right here.
@Suite struct LazyGalleryTests {
  @Test func readingInsideADifferentiatedClosureChangesNoGradient() throws {
    let x = withSeed(3) { Tensor.normal([5, 7]) }
    func loss(_ x: Tensor, reads: Bool) throws -> Tensor {
      let h = (x * 2).tanh()
      if reads { _ = try h.scalars(Float.self) }
      let s = (h * h).sum(axis: 1)
      if reads { _ = try s.scalars(Float.self) }
      return s.exp().sum()
    }
    let quiet = try gradient(at: x) { try loss($0, reads: false) }.scalars(Float.self)
    let read = try gradient(at: x) { try loss($0, reads: true) }.scalars(Float.self)
    #expect(quiet == read)
  }

  @Test func readingInsideAClosureOfSecondOrderChangesNothing() throws {
    func second(reads: Bool) throws -> [Float] {
      try gradient(at: Tensor([0.5, -1, 2])) { x in
        try gradient(at: x) { y in
          let cube = y * y * y
          if reads { _ = try cube.item0() }
          return cube.sum()
        }.sum()
      }.scalars(Float.self)
    }
    #expect(try second(reads: false) == second(reads: true))
    #expect(try second(reads: true) == [3, -6, 12])
  }

  @Test func readingInsideACustomRuleChangesNoGradient() throws {
    func slope(reads: Bool) throws -> [Float] {
      try gradient(at: Tensor([0.5, -1.5, 2])) { x in
        let h = (x * 3).tanh()
        let doubled = customGradient([h], forward: { $0[0] * 2 }) { cotangent in
          if reads { _ = try? cotangent.scalars(Float.self) }
          return [cotangent * 2]
        }
        return (doubled * h * x).sum()
      }.scalars(Float.self)
    }
    #expect(try slope(reads: true) == slope(reads: false))
  }

  @Test func anErrorBatchWhoseLossWasReadIsNotThrownAgain() throws {
    let model = withSeed(1) { Classifier() }
    let (x, y) = makeBatch()
    let optimizer = Adam()
    step(model, optimizer, x, y)
    for broken in [Tensor(error: TensorError(.input, operation: "read", "damaged", remedy: "Mend it")), x[0..<5]] {
      let loss = step(model, optimizer, broken, y)
      #expect(throws: TensorError.self) { try loss.item() }
      #expect(try model.weights().allSatisfy(\.isFinite))
    }
  }

  @Test func anIntermediateKeptPastTheUpdateKeepsItsValue() throws {
    let model = withSeed(1) { Classifier() }
    let optimizer = Adam(learningRate: 0.1)
    let (x, y) = makeBatch()
    var kept: [Tensor] = []
    let before = try model.hidden(x).scalars(Float.self)
    let (loss, gradients) = valueAndGradient(of: model) { () -> Tensor in
      let h = model.hidden(x)
      kept.append(h)
      return softmaxCrossEntropy(model.output(h), y)
    }
    optimizer.update(model, gradients)
    step(model, optimizer, x, y)
    #expect(try kept[0].scalars(Float.self) == before)
    #expect(try loss.item().isFinite)
    #expect(try model.hidden(x).scalars(Float.self) != before)
  }

  @Test func oldWeightsThatSomebodyHoldsAreNotWrittenOver() throws {
    let model = Linear(Tensor([[1.0], [2.0]]))
    let old = model.weight.value
    let optimizer = SGD(learningRate: 0.5)
    for _ in 0..<3 {
      let (_, gradients) = valueAndGradient(of: model) { model(Tensor([[1.0, 1.0]])).sum() }
      optimizer.update(model, gradients)
    }
    #expect(try model.weight.value.scalars(Float.self) == [-0.5, 0.5])
    #expect(try old.scalars(Float.self) == [1, 2])
  }

  @Test func aSnapshotTakenByAnotherTaskIsOneStepAndStaysSo() async throws {
    let count = 4096
    let model = Linear(Tensor([Float](repeating: 0, count: count)).reshaped(count, 1))
    let snapshots = Task.detached { () -> [Tensor] in
      var taken: [Tensor] = []
      for _ in 0..<200 {
        taken.append(model.weight.value)
        await Task.yield()
      }
      return taken
    }
    let optimizer = SGD(learningRate: 1)
    let x = Tensor.ones([1, count])
    for _ in 0..<200 {
      let (_, gradients) = valueAndGradient(of: model) { model(x).sum() }
      optimizer.update(model, gradients)
      await Task.yield()
    }
    #expect(try model.weight.value.min().item() == -200)
    for snapshot in await snapshots.value {
      let (low, high) = (try snapshot.min().item(), try snapshot.max().item())
      #expect(low == high && low <= 0 && low == low.rounded())
    }
  }

  @Test func productsAndSumsHaveTheSameBitsHeldReadOrNeither() throws {
    let a = withSeed(5) { Tensor.normal([1000]) }
    let b = withSeed(6) { Tensor.normal([1000]) }
    let plain = try ((a * b + a) * (a * b + b)).scalars(Float.self)
    let product = a * b
    let held = try ((product + a) * (product + b)).scalars(Float.self)
    let early = a * b
    _ = try early.scalars(Float.self)
    let read = try ((early + a) * (early + b)).scalars(Float.self)
    #expect(plain == held)
    #expect(plain == read)
    _ = try product.scalars(Float.self)
  }

  @Test func anAnnealedScalarThatPassesSpecialValuesIsOnePlan() throws {
    let x = Tensor([1.5, -2, 3])
    var results: [[Float]] = []
    let rates: [Float] = [-1, 0, 0.5, 1, 1.5, 2, 3]
    let compiled = try plansCompiled {
      for rate in rates {
        results.append(try (x * rate + rate - x.abs().pow(rate) / (rate + 5)).scalars(Float.self))
      }
    }
    #expect(compiled == 1)
    for (rate, result) in zip(rates, results) {
      for (value, x) in zip(result, [1.5, -2, 3] as [Float]) {
        let expected = Double(x * rate + rate) - power(Double(abs(x)), Double(rate)) / Double(rate + 5)
        #expect(abs(Double(value) - expected) < 1e-5 * max(1, abs(expected)))
      }
    }
  }

  private func power(_ base: Double, _ exponent: Double) -> Double {
    // Half-integer exponents are all this test has.
    let whole = (0..<Int(abs(2 * exponent))).reduce(1.0) { product, _ in product * base.squareRoot() }
    return exponent < 0 ? 1 / whole : whole
  }

  @Test func anUnreadErrorBatchChangesNothingAndIsThrownByTheNextRead() throws {
    let model = withSeed(1) { Classifier() }
    let twin = withSeed(1) { Classifier() }
    let (optimizer, other) = (Adam(learningRate: 0.01), Adam(learningRate: 0.01))
    let (x, y) = makeBatch()
    let broken = Tensor(error: TensorError(.input, operation: "read", "batch 3 is damaged", remedy: "Mend the file"))
    for index in 0..<6 {
      step(model, optimizer, index == 3 ? broken : x, y)
      if index != 3 { step(twin, other, x, y) }
    }
    let error = #expect(throws: TensorError.self) { try model.weights() }
    #expect(error?.problem == "batch 3 is damaged")
    #expect(try model.weights() == twin.weights())
  }
}

extension Tensor {
  /// The first element, read.
  fileprivate func item0() throws -> Float { try flattened()[0].item() }
}
