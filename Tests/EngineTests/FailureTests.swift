import CajalBase
import CajalEngine
import CajalNN
import CajalOptimizers
import CajalTensor
import Testing

/// A step happens whole or not at all.
@Suite struct FailureTests {
  @Test(arguments: Device.all)
  func aLabelOutOfRangeLeavesTheWeightsAndTheNextStepWorks(_ device: Device) throws {
    try withDevice(device) { () throws -> Void in
      let model = withSeed(1) { Classifier() }
      let twin = withSeed(1) { Classifier() }
      let (optimizer, other) = (Adam(learningRate: 0.01), Adam(learningRate: 0.01))
      let (x, y) = makeBatch()
      let bad = Tensor((0..<12).map { $0 == 7 ? 99 : 0 })
      step(model, optimizer, x, y)
      step(twin, other, x, y)
      let loss = step(model, optimizer, x, bad)
      let error = #expect(throws: TensorError.self) { try loss.item() }
      #expect(error?.kind == .index)
      #expect(error?.problem.contains("label 99 at position 7 is outside 0..<4") == true)
      let (kept, expected) = (try model.weights(), try twin.weights())
      #expect(kept == expected)
      step(model, optimizer, x, y)
      step(twin, other, x, y)
      let (next, both) = (try model.weights(), try twin.weights())
      #expect(next == both)
    }
  }

  @Test func anUnreadFailedStepIsThrownOnceByTheNextRead() throws {
    let model = withSeed(1) { Classifier() }
    let optimizer = SGD(learningRate: 0.1, momentum: 0.9)
    let (x, y) = makeBatch()
    step(model, optimizer, x, y)
    step(model, optimizer, x, Tensor([Int](repeating: -1, count: 12)))
    let loss = step(model, optimizer, x, y)
    #expect(throws: TensorError.self) { try loss.item() }
    #expect(try loss.item().isFinite)
    #expect(try model.weights().allSatisfy(\.isFinite))
  }

  @Test func aFailedStepWhoseLossWasReadIsNotThrownAgain() throws {
    let model = withSeed(1) { Classifier() }
    let optimizer = SGD(learningRate: 0.1)
    let (x, y) = makeBatch()
    let loss = step(model, optimizer, x, Tensor([Int](repeating: 9, count: 12)))
    #expect(throws: TensorError.self) { try loss.item() }
    #expect(try model.weights().allSatisfy(\.isFinite))
    #expect(try step(model, optimizer, x, y).item().isFinite)
  }

  @Test func aConvolutionOutlivesWhatTheGroupBehindItRead() throws {
    let y = Tensor.ones([1, 8, 8, 16]).convolved(with: Tensor.ones([3, 3, 16, 64]), padding: .same)
    let sum = y + Tensor.ones([4, 64]).take(Tensor([9]))
    #expect(throws: TensorError.self) { try eval(y, sum) }
    #expect(sum.error != nil && y.error == nil)
    #expect(abs(try y.max().item() - 144) < 1e-3)
  }

  @Test func whatRanBesideAFailureIsNotLost() throws {
    let good = Tensor([1.0, 2]).exp()
    let bad = Tensor([1.0, 2]).take(Tensor([5]))
    #expect(throws: TensorError.self) { try eval(good, bad) }
    #expect(try good.scalars(Float.self).count == 2)
    #expect(throws: TensorError.self) { try bad.item() }
    #expect(throws: TensorError.self) { try (bad + 1).item() }
  }

  @Test func devicesDoNotMix() throws {
    let here = Tensor([1.0])
    let there = withDevice(.fake) { Tensor([2.0]) }
    let error = #expect(throws: TensorError.self) { try (here + there).item() }
    #expect(error?.kind == .device)
    #expect(try (here + there.to(.cpu)).item() == 3)
    #expect(try (here.to(.fake) + there).to(.reference).item() == 3)
  }

  @Test func gradientsComeBackThroughATransfer() throws {
    let gradient = gradient(at: Tensor([3.0])) { x in (x.to(.fake) * x.to(.fake)).to(.cpu).sum() }
    #expect(try gradient.item() == 6)
    #expect(gradient.device == .cpu)
  }
}
