import Cajal
import Foundation
import Testing

@Suite struct MovingAverageTests {
  private struct Weight: Module {
    let weight = Parameter(Tensor([0], dtype: .float64))
    let buffer = Parameter(Tensor([7.0]), isTrainable: false)
  }

  private let model = Weight()

  private func averages(_ average: MovingAverage, _ values: [Double]) -> [Double] {
    values.map { value in
      model.weight.value = Tensor([value])
      average.update()
      return average.apply { model.weight.value.numbers[0] }
    }
  }

  @Test func anExponentialAverageBeginsWithTheFirstWeights() {
    #expect(averages(MovingAverage(of: model, decay: 0.5), [8, 4, 2]) == [8, 6, 4])
  }

  @Test func withoutADecayItIsTheMean() {
    let found = averages(MovingAverage(of: model), [3, 5, 10, 2])
    for (a, b) in zip(found, [3.0, 4, 6, 5]) { #expect(abs(a - b) < 1e-12) }
  }

  @Test func itStandsForTheWeightsOnlyInside() {
    let average = MovingAverage(of: model, decay: 0.5)
    #expect(average.apply { model.weight.value.numbers } == [0])
    _ = averages(average, [8, 4])
    #expect(average.apply { model.buffer.value.numbers } == [7])
    #expect(model.weight.value.numbers == [4])
    average.assign()
    #expect(model.weight.value.numbers == [6])
  }

  @Test(arguments: [Double?.none, 0.9]) func aRestoredAverageGoesOnBitForBit(_ decay: Double?) throws {
    for pause in [0, 2] {
      let pupil = Pupil(seed: 1)
      let optimizer = SGD(learningRate: 0.1)
      let whole = MovingAverage(of: pupil, decay: decay)
      var part = MovingAverage(of: pupil, decay: decay)
      for step in 0..<4 {
        if step == pause {
          let saved = part.tensors
          #expect(saved.count == (pause == 0 ? 1 : 5))
          part = MovingAverage(of: pupil, decay: decay)
          // What the other knew before is forgotten.
          part.update()
          try part.restore(saved)
        }
        pupil.learn(optimizer, steps: step..<step + 1)
        for average in [whole, part] { average.update() }
      }
      #expect(part.tensors.mapValues(\.numbers) == whole.tensors.mapValues(\.numbers))
      #expect(part.tensors["updates"]?.numbers == [4])
    }
  }

  @Test func aStateThatDoesNotFitIsRefusedAndChangesNothing() throws {
    let pupil = Pupil(seed: 1)
    let average = MovingAverage(of: pupil, decay: 0.9)
    average.update()
    let good = average.tensors
    func refuse(_ part: String, change: (inout [String: Tensor]) -> Void) {
      var state = good.mapValues { $0 + 1 }
      change(&state)
      expectError(part) { try average.restore(state) }
    }
    refuse("there is no updates") { $0["updates"] = nil }
    refuse("there is no first.bias/average") { $0["first.bias/average"] = nil }
    refuse("stranger") { $0["stranger"] = Tensor([1]) }
    refuse("[2, 3]") { $0["first.kernel/average"] = Tensor.zeros([3, 2]) }
    #expect(average.tensors.mapValues(\.numbers) == good.mapValues(\.numbers))
  }

  @Test func itWorksInACompiledStep() throws {
    let pupils = [Pupil(seed: 1), Pupil(seed: 1)]
    let optimizers = [Adam(learningRate: 0.1), Adam(learningRate: 0.1)]
    let averages = pupils.map { MovingAverage(of: $0, decay: 0.9) }
    func step(_ index: Int, _ x: Tensor) -> Tensor {
      let pupil = pupils[index]
      let (loss, gradients) = valueAndGradient(of: pupil) { (pupil.second(pupil.first(x)) - 1).squared().mean() }
      optimizers[index].update(pupil, gradients)
      averages[index].update()
      return loss
    }
    let compiled = compile { x in step(0, x) }
    for round in 0..<4 {
      let x = Tensor([[Double(round), -1], [2, 1]], dtype: .float32)
      #expect(try compiled(x).item() == step(1, x).item())
    }
    #expect(averages[0].tensors.mapValues(\.numbers) == averages[1].tensors.mapValues(\.numbers))
    #expect(averages[0].tensors["updates"]?.numbers == [4])
  }

  @Test func halfPrecisionWeightsAreAveragedInFloat32() throws {
    struct Half: Module { let weight = Parameter(Tensor([0], dtype: .bfloat16)) }
    let half = Half()
    let average = MovingAverage(of: half, decay: 0.999)
    average.update()
    half.weight.value = Tensor([1], dtype: .bfloat16)
    for _ in 0..<100 { average.update() }
    let found = try #require(average.tensors["weight/average"])
    #expect(found.dtype == .float32 && abs(found.numbers[0] - (1 - pow(0.999 as Double, 100.0))) < 1e-6)
    #expect(average.apply { half.weight.value.dtype } == .bfloat16)
  }

  @Test func anErrorInTheWeightsLeavesTheAverage() {
    let average = MovingAverage(of: model, decay: 0.5)
    _ = averages(average, [8])
    model.weight.value = Tensor([1.0]).matmul(Tensor([[1.0, 2.0], [3, 4]]))
    average.update()
    #expect(average.tensors["weight/average"]?.numbers == [8])
    #expect(average.tensors["updates"]?.numbers == [1])
  }
}
