import Cajal
import Foundation
import Testing

private func network(_ seed: UInt64 = 1) -> Sequential {
  withSeed(seed) {
    Sequential {
      Dense(6, inputs: 2, activation: .tanh)
      Dense(2, inputs: 6)
    }
  }
}

private func trainer(_ model: Sequential, _ optimizer: any Optimizer = Adam(learningRate: 0.05)) -> Trainer<Sequential>
{
  Trainer(model, loss: .softmaxCrossEntropy, optimizer: optimizer, metrics: [.accuracy])
}

private struct Pair: Module {
  let good: Dense
  let bad: Dense
}

@Suite struct CallbackTests {
  @Test func aCallbackOfOnesOwnEndsTheRun() throws {
    final class StopWhenGood: Callback {
      func on(_ event: TrainingEvent, in run: TrainingRun) {
        if case .epochFinished(let report) = event, report["accuracy"] ?? 0 == 1 { run.stop("all right") }
      }
    }
    let report = try trainer(network()).fit(XOR.data, epochs: 500, batchSize: 4, callbacks: [StopWhenGood()])
    #expect(report.stopReason == "all right" && report.epochs < 500)
  }

  @Test func earlyStoppingWaitsAndGivesTheBestWeightsBack() throws {
    let model = network()
    // A rate that throws the weights about: the loss rises at some time.
    let trainer = trainer(model, SGD(learningRate: 8))
    let stopping = EarlyStopping("val_loss", patience: 3)
    let report = try trainer.fit(XOR.data, epochs: 200, batchSize: 4, validation: XOR.data, callbacks: [stopping])
    let losses = trainer.history["val_loss"]
    let best = try #require(losses.indices.min { losses[$0] < losses[$1] })
    #expect(stopping.bestEpoch == best + 1)
    if report.wasStopped { #expect(report.epochs == best + 1 + 3) }
    #expect(try abs((trainer.evaluate(XOR.data.batched(4))["loss"] ?? 0) - losses[best]) < 1e-6)
  }

  @Test func watchingWhatIsNotThereNamesWhatIs() throws {
    expectError("val_loss", "accuracy", "validation part") {
      try trainer(network()).fit(XOR.data, epochs: 1, callbacks: [.earlyStopping()])
    }
  }

  @Test func historyFilesHaveALineAnEpoch() throws {
    try withTemporaryFolder { folder in
      try trainer(network()).fit(
        XOR.data, epochs: 3, validation: XOR.data,
        callbacks: [.history("\(folder)/h.csv"), .history("\(folder)/h.jsonl")])
      let csv = try String(contentsOfFile: "\(folder)/h.csv", encoding: .utf8).split(separator: "\n")
      #expect(csv.count == 4 && csv[0] == "epoch,learning_rate,seconds,loss,accuracy,val_loss,val_accuracy")
      #expect(csv[3].hasPrefix("3,0.05,"))
      let lines = try String(contentsOfFile: "\(folder)/h.jsonl", encoding: .utf8).split(separator: "\n")
      let last = try JSONSerialization.jsonObject(with: Data(lines[2].utf8)) as? [String: Any]
      #expect(
        lines.count == 3 && last?["epoch"] as? Int == 3 && (last?["measures"] as? [String: Any])?["val_loss"] is Double)
    }
  }

  @Test func theSweepSuggestsARateAndPutsEverythingBack() throws {
    let model = network()
    let trainer = trainer(model, Adam(learningRate: 0.01))
    let lazy = Trainer(Sequential { Dense(2) }, loss: .softmaxCrossEntropy, optimizer: Adam())
    #expect(try lazy.sweepLearningRates(XOR.data.batched(4), steps: 20).losses.count > 2)
    try trainer.fit(XOR.data, epochs: 2, batchSize: 4)
    let before = model.parameters.map(\.value.numbers)
    let sweep = try trainer.sweepLearningRates(XOR.data.batched(4), over: 1e-5...10, steps: 60)
    #expect(model.parameters.map(\.value.numbers) == before)
    #expect(trainer.optimizers["optimizer"]?.learningRate == 0.01 && trainer.history.epochs.count == 2)
    let rate = try #require(sweep.suggestion)
    #expect(rate > 1e-4 && rate < 10, "\(rate)")
    #expect(sweep.rates == sweep.rates.sorted() && sweep.plot.svg.contains("suggested"))
    // What follows is what would have followed.
    let other = network()
    let undisturbed = Trainer(other, loss: .softmaxCrossEntropy, optimizer: Adam(learningRate: 0.01))
    try undisturbed.fit(XOR.data, epochs: 2, batchSize: 4)
    try undisturbed.fit(XOR.data, epochs: 2, batchSize: 4)
    try trainer.fit(XOR.data, epochs: 2, batchSize: 4)
    #expect(other.parameters.map(\.value.numbers) == model.parameters.map(\.value.numbers))
  }

  @Test func theNaNGuardNamesTheLayerAndKeepsTheWeights() throws {
    let model = Sequential {
      Dense(4, inputs: 2)
      Activation { $0.log() }
      Dense(2, inputs: 4)
    }
    let before = model.parameters.map(\.value.numbers)
    let trainer = Trainer(model, loss: .softmaxCrossEntropy, optimizer: SGD(learningRate: 0.1))
    expectError("log", "layers.1", "step 1 of epoch 1", "The weights are those before") {
      try trainer.fit(XOR.data, epochs: 1, batchSize: 4, callbacks: [.nanGuard])
    }
    #expect(model.parameters.map(\.value.numbers) == before)
  }

  /// √ of nothing has no slope, though the loss is a number.
  private func flat(_ model: Dense, _ x: Tensor) -> Tensor { (model(x) * 0).squared().sum(axis: -1).sqrt().mean() }

  @Test func aStepWithoutFiniteGradientsIsToldOf() throws {
    let model = Dense(2, inputs: 2)
    let before = model.parameters.map(\.value.numbers)
    let trainer = Trainer(model, optimizer: SGD(learningRate: 0.1)) { model, x, _ in self.flat(model, x) }
    let warnings = try warnings(of: trainer)
    #expect(warnings.count == 1 && warnings.first?.contains("the gradient of bias and 1 more is not finite") == true)
    #expect(warnings.first?.hasPrefix("step 1 of epoch 1 changed nothing") == true, "\(warnings)")
    #expect(model.parameters.map(\.value.numbers) == before)
    let sound = Trainer(model, optimizer: SGD(learningRate: 0.1)) { model, x, _ in model(x).squared().mean() }
    #expect(try self.warnings(of: sound) == [] && model.parameters.map(\.value.numbers) != before)
  }

  @Test func aStepOfOnesOwnIsGuardedUpdateByUpdate() throws {
    let (good, bad) = (Dense(2, inputs: 2), Dense(2, inputs: 2))
    let model = Pair(good: good, bad: bad)
    let (ofGood, ofBad) = (Adam(learningRate: 0.1), SGD(learningRate: 0.1, momentum: 0.9))
    let before = [good, bad].map { $0.kernel.value.numbers }
    let trainer = Trainer(model, optimizers: ["good": ofGood, "bad": ofBad]) { model, batch in
      let (loss, gradients) = valueAndGradient(of: model.good) { model.good(batch.inputs).squared().mean() }
      ofGood.update(model.good, gradients)
      let (_, others) = valueAndGradient(of: model.bad) { self.flat(model.bad, batch.inputs) }
      ofBad.update(model.bad, others)
      return StepResult(loss: loss)
    }
    let warnings = try warnings(of: trainer)
    #expect(warnings.first?.contains("bad.bias and 1 more") == true && warnings.count == 1, "\(warnings)")
    #expect(bad.kernel.value.numbers == before[1] && good.kernel.value.numbers != before[0])
  }

  private func warnings(of trainer: Trainer<some Module>) throws -> [String] {
    var warnings: [String] = []
    try trainer.fit(
      XOR.data, epochs: 5, batchSize: 4,
      callbacks: [.nanGuard, .onEvent { event, _ in if case .warning(let text) = event { warnings.append(text) } }])
    return warnings
  }

  @Test func mixedPrecisionKeepsParametersInFloat32AndLearns() throws {
    let model = network()
    let trainer = trainer(model)
    trainer.precision = .bfloat16
    try trainer.fit(XOR.data, epochs: 80, batchSize: 4)
    #expect(model.parameters.allSatisfy { $0.value.dtype == .float32 })
    #expect(try trainer.evaluate(XOR.data.batched(4))["accuracy"] == 1)
    let low = withAutocast(to: .bfloat16) { model(XOR.x) }
    #expect(withAutocast(to: .bfloat16) { Tensor.ones([2, 2]).matmul(Tensor.ones([2, 2])) }.dtype == .bfloat16)
    #expect(withAutocast(to: .bfloat16) { Tensor.ones([2, 2], dtype: .bfloat16).sum() }.dtype == .float32)
    #expect(low.dtype == .float32, "the bias is float32")
  }

  @Test func statisticsTellOfEveryParameterAndItsGradient() throws {
    try withTemporaryFolder { folder in
      let model = network()
      let trainer = trainer(model, SGD(learningRate: 0))
      try trainer.fit(XOR.data, epochs: 2, batchSize: 4, callbacks: [.statistics("\(folder)/s.csv")])
      let lines = try String(contentsOfFile: "\(folder)/s.csv", encoding: .utf8).split(separator: "\n")
      #expect(lines.count == 1 + 2 * 4)
      let fields = lines[2].split(separator: ",").map(String.init)
      #expect(fields[0] == "1" && fields[1] == "layers.0.kernel" && fields.count == 7)
      let (_, gradients) = valueAndGradient(of: model) { softmaxCrossEntropy(model(XOR.x), XOR.y) }
      let kernel = try #require((model.layers[0] as? Dense)?.kernel)
      let norm = try #require(gradients[kernel]).squared().sum().sqrt().item()
      #expect(abs((Float(fields[5]) ?? 0) - norm) < 1e-5)
      #expect(abs((Double(fields[4]) ?? 0) - kernel.value.squared().sum().sqrt().numbers[0]) < 1e-5)
    }
  }

  @Test func aWrongShapeDeepInAModelNamesLayerModelAndRemedy() throws {
    let model = Sequential {
      Dense(8, inputs: 2)
      Sequential {
        Dense(4, inputs: 8)
        Dense(2, inputs: 9)
      }
    }
    let trainer = Trainer(model, loss: .softmaxCrossEntropy, optimizer: Adam())
    expectError("layers.1.layers.1 of Sequential", "has 4 numbers", "9 are expected", "inputs: 4") {
      try trainer.fit(XOR.data, epochs: 1)
    }
  }

  @Test func targetsOfAWrongDtypeOrShapeAreToldAsSuch() throws {
    let floats = LabeledData(inputs: XOR.x, targets: Tensor([0.0, 1, 1, 0]))
    expectError("softmaxCrossEntropy", "float") { try trainer(network()).fit(floats, epochs: 1) }
    let wide = LabeledData(inputs: XOR.x, targets: Tensor([[0, 1], [1, 0], [1, 0], [0, 1], [1, 1]]))
    expectError("[4, 2]", "[5, 2]", "as many examples") { try trainer(network()).fit(wide, epochs: 1) }
  }

  @Test func aRunIsAFolder() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/runs/xor"
      try trainer(network()).fit(
        XOR.data, epochs: 3, validation: XOR.data, seed: 7,
        callbacks: [.run(path, configuration: ["hidden": "6"], monitor: "val_accuracy")])
      #expect(
        Set(files(in: path) ?? []) == [
          "run.json", "history.csv", "history.jsonl", "curves.svg", "checkpoints", "model.safetensors",
          "best.safetensors", "README.md",
        ])
      let record = try RunFolder.record(of: path)
      #expect(record.status == .finished && record.seed == 7 && record.epochsDone == 3 && record.parameters == 32)
      #expect(record.configuration == ["hidden": "6"] && record.measures["val_accuracy"] != nil)
      let card = try String(contentsOfFile: "\(path)/README.md", encoding: .utf8)
      #expect(card.contains("| hidden | 6 |") && card.contains("32 parameters"))
      try network(2).load("\(path)/model.safetensors")
    }
  }
}
