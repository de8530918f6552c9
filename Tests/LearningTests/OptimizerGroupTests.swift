import Cajal
import Testing

@Suite struct OptimizerGroupTests {
  @Test func aGroupHasARateOfItsOwn() {
    let (pupil, twin) = (Pupil(seed: 1), Pupil(seed: 1))
    let start = Pupil(seed: 1)
    pupil.learn(
      SGD(learningRate: 0.1, groups: [ParameterGroup(matching: "*.bias", learningRateFactor: 0.5)]), steps: 0..<1)
    twin.learn(SGD(learningRate: 0.1), steps: 0..<1)
    #expect(pupil.first.kernel.value.numbers == twin.first.kernel.value.numbers)
    let (mine, plain) = (pupil.second.bias!.value.numbers, twin.second.bias!.value.numbers)
    for (a, (b, from)) in zip(mine, zip(plain, start.second.bias!.value.numbers)) {
      #expect(abs((a - from) - (b - from) / 2) < 1e-7)
    }
  }

  @Test func aGroupHasAWeightDecayOfItsOwn() {
    // Without a gradient to speak of, only decay moves weights.
    for (group, factor) in [(Double?.none, 0.95), (0, 1), (0.2, 0.98)] {
      let dense = Dense(1, inputs: 1, kernelInitializer: .ones)
      let optimizer = AdamW(
        learningRate: 0.1, weightDecay: 0.5, groups: [ParameterGroup(matching: "kernel", weightDecay: group)])
      let (_, gradients) = valueAndGradient(of: dense) { (dense.kernel.value * 0).sum() }
      optimizer.update(dense, gradients)
      #expect(abs(dense.kernel.value.numbers[0] - factor) < 1e-6)
    }
  }

  @Test func theFirstGroupThatNamesAParameterIsItsGroup() {
    let pupil = Pupil(seed: 1)
    let before = pupil.bytes
    let groups = [
      ParameterGroup(matching: "first.*", learningRateFactor: 0), ParameterGroup(matching: "*.kernel"),
      ParameterGroup(matching: "*", learningRateFactor: 0),
    ]
    pupil.learn(SGD(learningRate: 0.1, groups: groups), steps: 0..<1)
    let moved = zip(pupil.parameters, zip(pupil.bytes, before)).filter { $1.0 != $1.1 }.map(\.0.path)
    #expect(moved == ["second.kernel"])
  }

  @Test func ratesOfGroupsChangeWithoutANewPlan() {
    let pupil = Pupil(seed: 1)
    let optimizer = Adam(groups: [ParameterGroup(matching: "*.bias", weightDecay: 0.1, learningRateFactor: 2)])
    pupil.learn(optimizer, steps: 0..<3)
    let meter = EngineMeter()
    meter.measure {
      for step in 3..<8 {
        optimizer.learningRate = 0.1 / Double(step)
        pupil.learn(optimizer, steps: step..<step + 1)
      }
    }
    #expect(meter.counters.plansCompiled == 0)
  }
}
