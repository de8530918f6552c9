import Cajal
import Foundation
import Testing

/// A small network with biases, and a loss that all its parameters have a part in.
struct Pupil: Module {
  let first: Dense
  let second: Dense

  init(seed: UInt64, dtype: DType = .float32) {
    (first, second) = withSeed(seed) {
      (Dense(3, inputs: 2, activation: .tanh, dtype: dtype), Dense(2, inputs: 3, dtype: dtype))
    }
  }

  func loss(_ step: Int) -> Tensor {
    let x = withSeed(UInt64(100 + step)) { Tensor.normal([8, 2], dtype: first.kernel.dtype) }
    return (second(first(x)) - 1).squared().mean()
  }

  func learn(_ optimizer: any Optimizer, steps: Range<Int>) {
    for step in steps {
      let (_, gradients) = valueAndGradient(of: self) { loss(step) }
      optimizer.update(self, gradients)
    }
  }

  var bytes: [[UInt8]] { parameters.map { (try? $0.value.bytes()) ?? [] } }
}

/// One of each optimizer, as tests that hold for all of them make it.
let everyOptimizer: [(name: String, make: @Sendable () -> any Optimizer)] = [
  ("SGD", { SGD(learningRate: 0.1) }),
  ("SGD with momentum", { SGD(learningRate: 0.1, momentum: 0.9, dampening: 0.5, weightDecay: 0.01) }),
  ("Adam", { Adam(learningRate: 0.01) }),
  ("Adam with AMSGrad", { Adam(learningRate: 0.01, weightDecay: 0.01, usesAMSGrad: true) }),
  ("AdamW", { AdamW(learningRate: 0.01, groups: [ParameterGroup(matching: "*.bias", weightDecay: 0)]) }),
  ("AdaGrad", { AdaGrad(learningRate: 0.1, learningRateDecay: 0.1, initialAccumulator: 0.1) }),
  ("RMSProp", { RMSProp(learningRate: 0.01) }),
  ("RMSProp, centred, with momentum", { RMSProp(learningRate: 0.01, momentum: 0.9, isCentered: true) }),
  ("AdaDelta", { AdaDelta(weightDecay: 0.01) }),
  ("AdaMax", { AdaMax() }),
  ("NAdam", { NAdam() }),
  ("RAdam", { RAdam() }),
  ("Lion", { Lion(learningRate: 0.01, weightDecay: 0.1) }),
  ("LAMB", { LAMB(learningRate: 0.01, weightDecay: 0.1) }),
  ("Adafactor", { Adafactor(weightDecay: 0.1) }),
  ("Muon", { Muon(learningRate: 0.01) }),
]

@Suite struct OptimizerStateTests {
  @Test(arguments: everyOptimizer.indices) func aRestoredOptimizerGoesOnBitForBit(_ index: Int) throws {
    let (name, make) = everyOptimizer[index]
    for pause in [0, 1, 3] {
      let (undisturbed, stopped, resumed) = (Pupil(seed: 1), Pupil(seed: 1), Pupil(seed: 2))
      undisturbed.learn(make(), steps: 0..<6)
      let optimizer = make()
      stopped.learn(optimizer, steps: 0..<pause)
      let state = optimizer.state(of: stopped)
      let other = make()
      for (from, to) in zip(stopped.parameters, resumed.parameters) { to.value = from.value }
      // What the other knew before is forgotten.
      try other.restore(state, to: resumed)
      resumed.learn(other, steps: pause..<6)
      #expect(resumed.bytes == undisturbed.bytes, "\(name), resumed after \(pause) steps")
      #expect(Set(other.state(of: resumed).keys) == Set(state.keys))
    }
  }

  @Test func keysArePathsAndNames() throws {
    let pupil = Pupil(seed: 1)
    let optimizer = Adam()
    let expected: Set = [
      "step", "first.bias/mean", "first.bias/square", "first.kernel/mean", "first.kernel/square", "second.bias/mean",
      "second.bias/square", "second.kernel/mean", "second.kernel/square",
    ]
    #expect(Set(optimizer.state(of: pupil).keys) == expected)
    #expect(optimizer.state(of: pupil)["step"]?.numbers == [0])
    pupil.learn(optimizer, steps: 0..<2)
    let state = optimizer.state(of: pupil)
    #expect(Set(state.keys) == expected)
    #expect(state["step"]?.numbers == [2])
    #expect(state["first.kernel/mean"]?.shape == [2, 3])
  }

  @Test func aStateThatDoesNotFitIsRefusedAndChangesNothing() throws {
    let (pupil, twin) = (Pupil(seed: 1), Pupil(seed: 1))
    let optimizer = Adam()
    let undisturbed = Adam()
    pupil.learn(optimizer, steps: 0..<2)
    twin.learn(undisturbed, steps: 0..<2)
    let good = optimizer.state(of: pupil)
    func refuse(_ parts: String..., change: (inout [String: Tensor]) -> Void) {
      var state = good.mapValues { $0 + 1 }
      change(&state)
      let error = #expect(throws: TensorError.self) { try optimizer.restore(state, to: pupil) }
      for part in parts { #expect("\(error.map { "\($0)" } ?? "")".contains(part), "\(part)") }
    }
    refuse("first.bias/mean", "no") { $0["first.bias/mean"] = nil }
    refuse("there is no step") { $0["step"] = nil }
    refuse("stranger/mean") { $0["stranger/mean"] = Tensor([1]) }
    refuse("[2, 2]", "[2, 3]") { $0["first.kernel/mean"] = Tensor.zeros([2, 2]) }
    refuse("float64", "float32") { $0["first.kernel/mean"] = Tensor.zeros([2, 3], dtype: .float64) }
    refuse("matmul") { $0["first.kernel/mean"] = Tensor.zeros([2, 3]).matmul(Tensor.zeros([2, 3])) }
    pupil.learn(optimizer, steps: 2..<4)
    twin.learn(undisturbed, steps: 2..<4)
    #expect(pupil.bytes == twin.bytes)
  }

  @Test func shapesThatAreNotKnownYetHaveNoState() throws {
    let late = Dense(2)
    let optimizer = Adam()
    let state = optimizer.state(of: late)
    #expect(Set(state.keys) == ["step", "bias/mean", "bias/square"])
    try Adam().restore(state, to: late)
    var more = state
    more["kernel/mean"] = Tensor.zeros([3, 2])
    expectError("kernel/mean", "load the model first") { try Adam().restore(more, to: late) }
  }

  @Test func theStateOfFrozenParametersIsKept() throws {
    let pupil = Pupil(seed: 1)
    let optimizer = Adam()
    pupil.learn(optimizer, steps: 0..<2)
    pupil.freeze("first.*")
    let state = optimizer.state(of: pupil)
    #expect(state["first.kernel/mean"] != nil)
    let other = Adam()
    try other.restore(state, to: pupil)
    #expect(other.state(of: pupil).mapValues(\.numbers) == state.mapValues(\.numbers))
    // One that was frozen from the start has none, and needs none.
    try other.restore(state.filter { !$0.key.hasPrefix("first") }, to: pupil)
  }

  @Test func oneOptimizerRestoresTheStatesOfTwoModels() throws {
    let (a, b) = (Pupil(seed: 1), Pupil(seed: 2))
    let optimizer = SGD(learningRate: 0.1, momentum: 0.9)
    a.learn(optimizer, steps: 0..<2)
    b.learn(optimizer, steps: 0..<3)
    let states = [optimizer.state(of: a), optimizer.state(of: b)]
    let other = SGD(learningRate: 0.1, momentum: 0.9)
    try other.restore(states[0], to: a)
    try other.restore(states[1], to: b)
    #expect(other.state(of: a).mapValues(\.numbers) == states[0].mapValues(\.numbers))
    #expect(other.state(of: b).mapValues(\.numbers) == states[1].mapValues(\.numbers))
  }
}
