import Cajal
import Foundation
import Testing

@Suite struct OptimizerTests {
  @Test func aStepOfGradientDescentIsTheTextbooks() {
    let weight = Weight(2)
    weight.descend(SGD(learningRate: 0.25), times: 1)
    #expect(weight.numbers == [1])
  }

  @Test func momentumKeepsGoing() {
    // θ = 2, g = 2θ: v = 4, θ = 1.6; v = 0.5·4 + 3.2 = 5.2, θ = 1.08.
    let weight = Weight(2)
    weight.descend(SGD(learningRate: 0.1, momentum: 0.5), times: 2)
    #expect(abs(weight.numbers[0] - 1.08) < 1e-6)
  }

  @Test func adamsFirstStepIsAsLongAsTheRate() {
    for start in [2.0, -500, 1e-3] {
      let weight = Weight(start)
      weight.descend(Adam(learningRate: 0.01), times: 1)
      #expect(abs(abs(weight.numbers[0] - Double(Float(start))) - 0.01) < 1e-4)
    }
  }

  @Test func theLearningRateMayChangeAtEveryStepWithoutANewPlan() {
    let weight = Weight(1)
    let optimizer = Adam(learningRate: 0.1)
    weight.descend(optimizer, times: 3)
    let meter = EngineMeter()
    meter.measure {
      for step in 1...20 {
        optimizer.learningRate = 0.1 / Double(step)
        weight.descend(optimizer, times: 1)
      }
    }
    #expect(meter.counters.plansCompiled <= 1)
  }

  @Test func oneOptimizerKeepsApartWhatItKnowsOfEachParameter() {
    let (a, b) = (Weight(1), Weight(1))
    let optimizer = SGD(learningRate: 0.1, momentum: 0.9)
    a.descend(optimizer, times: 5)
    b.descend(optimizer, times: 1)
    #expect(abs(b.numbers[0] - 0.8) < 1e-6)
  }

  @Test func halfPrecisionWeightsKeepTheirDtype() {
    let weight = Weight(1, dtype: .bfloat16)
    weight.descend(Adam(learningRate: 0.1), times: 2)
    #expect(weight.parameter.value.dtype == .bfloat16)
    #expect(weight.numbers[0] < 0.85)
  }

  @Test(arguments: [DType.bfloat16, .float16]) func averagesOfHalfPrecisionGradientsAreFloat32(_ dtype: DType) throws {
    let parameter = Parameter(Tensor([0, 0], dtype: dtype))
    struct Holder: Module { let parameter: Parameter }
    let holder = Holder(parameter: parameter)
    let optimizer = Adam(learningRate: 0.001)
    for _ in 0..<50 {
      // Gradients 1 and 0.
      let (_, gradients) = valueAndGradient(of: holder) { (parameter.value * Tensor([1, 0], dtype: dtype)).sum() }
      optimizer.update(holder, gradients)
    }
    let square = try #require(optimizer.state(of: holder)["parameter/square"])
    #expect(square.dtype == .float32)
    let expected = 1 - pow(0.999 as Double, 50.0)
    #expect(abs(square.numbers[0] - expected) < 1e-6 && square.numbers[1] == 0)
    #expect(abs(parameter.value.numbers[0] + 0.05) < 0.002 && parameter.value.numbers[1] == 0)
  }

  @Test func everyOptimizerLearnsInEveryFloat() throws {
    for (name, make) in everyOptimizer {
      for dtype in [DType.float16, .bfloat16, .float32, .float64] {
        let pupil = Pupil(seed: 1, dtype: dtype)
        let before = pupil.bytes
        let optimizer = make()
        pupil.learn(optimizer, steps: 0..<3)
        #expect(pupil.parameters.allSatisfy { $0.value.dtype == dtype }, "\(name) of \(dtype)")
        #expect(pupil.parameters.allSatisfy { $0.value.numbers.allSatisfy(\.isFinite) }, "\(name) of \(dtype)")
        #expect(pupil.bytes != before, "\(name) of \(dtype)")
      }
    }
  }
}

/// One number, whose square is the loss.
private struct Weight: Module {
  let parameter: Parameter

  init(_ start: Double, dtype: DType = .float32) { parameter = Parameter(Tensor([start], dtype: dtype)) }

  var numbers: [Double] { parameter.value.numbers }

  func descend(_ optimizer: some Optimizer, times: Int) {
    for _ in 0..<times {
      let (_, gradients) = valueAndGradient(of: self) { parameter.value.squared().sum() }
      optimizer.update(self, gradients)
    }
  }
}
