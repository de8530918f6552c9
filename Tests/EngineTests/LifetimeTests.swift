import CajalBase
import CajalEngine
import CajalLosses
import CajalNN
import CajalOptimizers
import CajalTensor
import Testing

/// What is computed, how often, and how long it stays.
@Suite struct LifetimeTests {
  @Test func aLiveTensorIsComputedOnce() throws {
    let draw = withSeed(4) { Tensor.uniform([10]) }
    let shared = (draw * 3).exp()
    let meter = EngineMeter()
    try meter.measure {
      _ = try shared.sum().item()
      _ = try shared.scalars(Float.self)
      _ = try shared.scalars(Float.self)
    }
    // The sum's plan gave the exponentials as well: reading them ran nothing.
    #expect(meter.counters.plansRun == 1)
  }

  @Test func whatThePendingGradientNeedsIsNotComputedTwice() throws {
    let (x, y) = makeBatch()
    func run(reads: Bool) throws -> [Float] {
      let model = withSeed(1) { Classifier() }
      let optimizer = Adam()
      for _ in 0..<3 {
        let (loss, gradients) = valueAndGradient(of: model) { softmaxCrossEntropy(model(x), y) }
        if reads { _ = try loss.item() }
        optimizer.update(model, gradients)
      }
      return try model.weights()
    }
    #expect(try run(reads: true) == run(reads: false))
  }

  @Test func historyThatWasReleasedIsAnErrorAndNeverZero() throws {
    let x = Tensor([2.0])
    let y = x * x
    #expect(try gradients(of: y.sum(), withRespectTo: [x])[0].item() == 4)
    _ = try y.item()
    let error = #expect(throws: TensorError.self) { try gradients(of: y.sum(), withRespectTo: [x])[0].item() }
    #expect(error?.kind == .gradient)
  }

  @Test func tensorsMadeBeforeTheClosureAreConstants() throws {
    let x = Tensor([3.0])
    let before = x * x
    let gradient = gradient(at: x) { y in (y * before).sum() }
    #expect(try gradient.item() == 9)
  }

  @Test func anOpenScopeKeepsHistoryThatItsCloseLetsGo() throws {
    var escaped: Tensor?
    let slope = try gradient(at: Tensor([2.0])) { x in
      let square = x * x
      escaped = square
      _ = try square.item()
      return (square * square).sum()
    }
    #expect(try slope.item() == 32)
    #expect(try escaped?.item() == 4)
  }

  @Test func theSumOfLossesDoesNotGrowAGraph() throws {
    let model = withSeed(1) { Classifier() }
    let optimizer = SGD(learningRate: 0.1)
    let (x, y) = makeBatch()
    var total = Tensor.zeros([])
    for _ in 0..<50 { total += step(model, optimizer, x, y) }
    let meter = EngineMeter()
    _ = try meter.measure { try total.item() }
    // All but the last addition were evaluated at step boundaries.
    #expect(meter.counters.plansRun <= 1)
  }
}
