import Cajal
import Testing

@Suite struct FreezingTests {
  @Test func patternsNamePaths() {
    for (pattern, path, matches) in [
      ("*", "layers.0.kernel", true), ("*.bias", "layers.0.bias", true), ("*.bias", "bias", false),
      ("layers.0.*", "layers.0.kernel", true), ("layers.0.*", "layers.01.kernel", false),
      ("layers.?.kernel", "layers.7.kernel", true), ("layers.?.kernel", "layers.17.kernel", false),
      ("*a*b", "xaybzb", true), ("*a*b", "xaybz", false), ("kernel", "kernel", true), ("kernel", "kernels", false),
      ("**", "", true), ("?", "", false), ("", "", true), ("", "a", false),
    ] {
      #expect(PathPattern(pattern).matches(path) == matches, "\(pattern) and \(path)")
    }
  }

  @Test func frozenParametersKeepTheirValuesAndHaveNoGradient() throws {
    let pupil = Pupil(seed: 1)
    let before = pupil.first.kernel.value.numbers
    #expect(pupil.freeze("first.*") == 2)
    #expect(pupil.trainableParameters.map(\.path) == ["second.bias", "second.kernel"])
    let (_, gradients) = valueAndGradient(of: pupil) { pupil.loss(0) }
    #expect(gradients[pupil.first.kernel] == nil && gradients[pupil.second.kernel] != nil)
    SGD(learningRate: 0.1, weightDecay: 0.1).update(pupil, gradients)
    #expect(pupil.first.kernel.value.numbers == before)
    #expect(pupil.unfreeze() == 4)
    pupil.learn(SGD(learningRate: 0.1), steps: 1..<2)
    #expect(pupil.first.kernel.value.numbers != before)
  }

  @Test func buffersStayBuffers() {
    struct Counter: Module {
      let count = Parameter([1], .zeros, isTrainable: false)
    }
    let counter = Counter()
    #expect(counter.freeze() == 0 && counter.unfreeze() == 0)
    #expect(counter.count.isBuffer && !counter.count.isTrainable && !counter.count.isFrozen)
  }

  @Test func aCompiledStepSeesWhatIsFrozen() throws {
    let (pupil, twin) = (Pupil(seed: 1), Pupil(seed: 1))
    let optimizers = [Adam(learningRate: 0.1), Adam(learningRate: 0.1)]
    func step(_ model: Pupil, _ optimizer: Adam, _ x: Tensor) -> Tensor {
      let (loss, gradients) = valueAndGradient(of: model) { (model.second(model.first(x)) - 1).squared().mean() }
      optimizer.update(model, gradients)
      return loss
    }
    let compiled = compile { x in step(pupil, optimizers[0], x) }
    let x = Tensor([[0.5, -1], [2, 1]])
    for round in 0..<6 {
      if round == 2 { for model in [pupil, twin] { model.freeze("second.*") } }
      if round == 4 { for model in [pupil, twin] { model.unfreeze("second.*") } }
      #expect(try compiled(x).item() == step(twin, optimizers[1], x).item())
    }
    #expect(pupil.bytes == twin.bytes)
  }

  @Test func freezingIsSafeBesideTraining() async throws {
    let pupil = Pupil(seed: 1)
    await withTaskGroup(of: Void.self) { group in
      group.addTask { for index in 0..<200 { _ = index % 2 == 0 ? pupil.freeze("first.*") : pupil.unfreeze() } }
      group.addTask { pupil.learn(SGD(learningRate: 0.01), steps: 0..<50) }
    }
    #expect(pupil.bytes.allSatisfy { !$0.isEmpty })
  }
}
