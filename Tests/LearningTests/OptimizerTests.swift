import Cajal
import Foundation
import Testing

/// PyTorch's optimizers on a small network, 1,001 steps, in float64.
private struct Golden: Decodable {
  struct Run: Decodable {
    struct Options: Decodable {
      var lr: Double
      var weightDecay: Double?
      var momentum: Double?
      var dampening: Double?
      var nesterov: Bool?
      var amsgrad: Bool?
      enum CodingKeys: String, CodingKey {
        case lr, momentum, dampening, nesterov, amsgrad
        case weightDecay = "weight_decay"
      }
    }
    struct Sample: Decodable {
      var iteration: Int
      var firstKernel: [Double]
      var firstBias: [Double]
      var secondKernel: [Double]
      var secondBias: [Double]
      enum CodingKeys: String, CodingKey {
        case iteration
        case firstKernel = "0.weight"
        case firstBias = "0.bias"
        case secondKernel = "2.weight"
        case secondBias = "2.bias"
      }
    }
    var optimizer: String
    var options: Options
    var samples: [Sample]
  }
  struct Start: Decodable {
    var firstKernel: [[Double]]
    var firstBias: [Double]
    var secondKernel: [[Double]]
    var secondBias: [Double]
    enum CodingKeys: String, CodingKey {
      case firstKernel = "0.weight"
      case firstBias = "0.bias"
      case secondKernel = "2.weight"
      case secondBias = "2.bias"
    }
  }
  var input: [[Double]]
  var start: Start
  var runs: [Run]
  enum CodingKeys: String, CodingKey {
    case input, runs
    case start = "initial_parameters"
  }

  static let shared: Golden? = testData("torch-golden/optimizers.json").flatMap { path in
    try? JSONDecoder().decode(Golden.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
  }
}

extension Golden.Run {
  /// Ours, where it has these options; `nil` elsewhere.
  func make() -> (any Optimizer)? {
    let decay = options.weightDecay ?? 0
    switch optimizer {
    case "SGD":
      return SGD(
        learningRate: options.lr, momentum: options.momentum ?? 0, dampening: options.dampening ?? 0,
        isNesterov: options.nesterov ?? false, weightDecay: decay)
    case "Adam":
      return Adam(learningRate: options.lr, weightDecay: decay, usesAMSGrad: options.amsgrad ?? false)
    case "AdamW":
      return AdamW(
        learningRate: options.lr, weightDecay: options.weightDecay ?? 0.01, usesAMSGrad: options.amsgrad ?? false)
    default: return nil
    }
  }
}

@Suite struct OptimizerTests {
  @Test(.enabled(if: Golden.shared != nil, "no golden values of PyTorch")) func stepsAgreeWithPyTorch() throws {
    let golden = try #require(Golden.shared)
    var compared = 0
    for run in golden.runs {
      guard let optimizer = run.make() else { continue }
      compared += 1
      try follow(run, optimizer, golden)
    }
    #expect(compared == 13)
  }

  private func follow(_ run: Golden.Run, _ optimizer: any Optimizer, _ golden: Golden) throws {
    let model = network(golden.start)
    let input = Tensor(golden.input)
    let last = isFull ? 1000 : 100
    for iteration in 0...last {
      let (_, gradients) = valueAndGradient(of: model) { model(input).sum() }
      optimizer.update(model, gradients)
      guard let sample = run.samples.first(where: { $0.iteration == iteration }) else { continue }
      let found = model.parameters.map(\.value.T.numbers)
      let expected = [sample.firstBias, sample.firstKernel, sample.secondBias, sample.secondKernel]
      for (a, b) in zip(found.flatMap { $0 }, expected.flatMap { $0 }) {
        #expect(abs(a - b) <= 1e-9 * max(1, abs(b)), "\(run.optimizer) \(run.options) at \(iteration): \(a), \(b)")
      }
    }
  }

  private func network(_ start: Golden.Start) -> Sequential {
    let first = Dense(3, inputs: 2, activation: .sigmoid, dtype: .float64)
    let second = Dense(1, inputs: 3, activation: .sigmoid, dtype: .float64)
    first.kernel.value = Tensor(start.firstKernel).T
    first.bias?.value = Tensor(start.firstBias)
    second.kernel.value = Tensor(start.secondKernel).T
    second.bias?.value = Tensor(start.secondBias)
    return Sequential([first, second])
  }

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
