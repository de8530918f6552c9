import Cajal
import Synchronization
import Testing

private func network(_ seed: UInt64 = 1) -> Sequential {
  withSeed(seed) {
    Sequential {
      Dense(8, inputs: 2, activation: .tanh)
      Dense(2, inputs: 8)
    }
  }
}

private func trainer(_ model: Sequential, rate: Double = 0.05) -> Trainer<Sequential> {
  Trainer(model, optimizer: Adam(learningRate: rate)) { model, x, y in softmaxCrossEntropy(model(x), y) }
}

@Suite struct TrainerTests {
  @Test func aHiddenLayerLearnsXOR() throws {
    let model = network()
    let report = try trainer(model).fit(XOR.data, epochs: 60, batchSize: 4)
    #expect(try accuracy(of: model, on: XOR.data) == 1)
    #expect(report.epochs == 60 && report.steps == 60 && !report.wasStopped)
  }

  @Test func oneNeuronCannotLearnXOR() throws {
    let model = withSeed(1) { Dense(2, inputs: 2) }
    let trainer = Trainer(model, optimizer: Adam(learningRate: 0.05)) { softmaxCrossEntropy($0($1), $2) }
    try trainer.fit(XOR.data, epochs: 60, batchSize: 4)
    #expect(try accuracy(of: model, on: XOR.data) < 1)
  }

  @Test func theSameSeedTrainsTheSameWeights() throws {
    func trained(_ seed: UInt64) throws -> [[Double]] {
      let model = network()
      try trainer(model).fit(XOR.data, epochs: 5, batchSize: 3, seed: seed)
      return model.parameters.map(\.value.numbers)
    }
    #expect(try trained(1) == trained(1))
    #expect(try trained(1) != trained(2))
  }

  @Test func eventsTellTheWholeStory() throws {
    var story: [String] = []
    func tell(_ event: TrainingEvent) {
      switch event {
      case .started(let epochs, let steps, let examples): story.append("start \(epochs) \(steps) \(examples)")
      case .progress: break
      case .epochFinished(let report):
        story.append("epoch \(report.epoch)/\(report.epochs) \(report.validationAccuracy ?? -1)")
        #expect(report.loss > 0 && report.seconds >= 0)
      case .finished(let report): story.append("end \(report.epochs) \(report.steps)")
      }
    }
    try trainer(network()).fit(XOR.data, epochs: 2, batchSize: 3, validate: { 0.25 }, onEvent: tell)
    #expect(story == ["start 2 2 4", "epoch 1/2 0.25", "epoch 2/2 0.25", "end 2 4"])
  }

  @Test func theScheduleScalesTheRateAndIsUndoneAtTheEnd() throws {
    let model = network()
    let optimizer = SGD(learningRate: 0.5)
    let seen = Mutex<[Double]>([])
    let trainer = Trainer(model, optimizer: optimizer) { model, x, y in
      seen.withLock { $0.append(optimizer.learningRate) }
      return softmaxCrossEntropy(model(x), y)
    }
    try trainer.fit(XOR.data, epochs: 2, batchSize: 2, schedule: { 1 - $0 })
    #expect(seen.withLock { $0 } == [0.5, 0.375, 0.25, 0.125])
    #expect(optimizer.learningRate == 0.5)
  }

  @Test func aRunEndsWhenAsked() throws {
    var steps = 0
    let report = try trainer(network()).fit(
      XOR.data, epochs: 10, batchSize: 1,
      shouldStop: {
        steps += 1
        return steps == 6
      })
    #expect(report.wasStopped && report.steps == 6)
    #expect(report.epochs <= 2)
  }

  @Test func aLossThatIsNoNumberEndsTheRunWithPlaceAndRemedy() throws {
    let model = network()
    let trainer = Trainer(model, optimizer: SGD(learningRate: 1e30)) { model, x, y in model(x).squared().sum() }
    let error = #expect(throws: TrainingError.self) { try trainer.fit(XOR.data, epochs: 5, batchSize: 4) }
    let text = error.map { "\($0)" } ?? ""
    #expect(text.contains("epoch") && text.contains("step") && text.contains("1e+30"), "\(text)")
    #expect(text.contains("learning rate"))
    #expect(trainer.optimizer.learningRate == 1e30)
  }

  @Test func anErrorInTheStepIsThrown() throws {
    let bad = LabeledData(inputs: XOR.x, labels: Tensor([0, 1, 2, 0]), classes: 3)
    let model = network()
    let before = model.parameters.map(\.value.numbers)
    #expect(throws: TensorError.self) { try trainer(model).fit(bad, epochs: 1, batchSize: 4) }
    #expect(model.parameters.map(\.value.numbers) == before)
  }

  @Test func noEpochsAndNoExamplesTrainNothing() throws {
    let model = network()
    #expect(try trainer(model).fit(XOR.data, epochs: 0).steps == 0)
    let nothing = LabeledData(inputs: Tensor.zeros([0, 2]), labels: Tensor([Int]()), classes: 2)
    #expect(try trainer(model).fit(nothing, epochs: 2).steps == 0)
    #expect(try accuracy(of: model, on: nothing) == 0)
  }

  @Test func aRunCompilesItsStepOnce() throws {
    let report = try trainer(network()).fit(XOR.data, epochs: 20, batchSize: 3, schedule: { 1 - $0 })
    #expect(report.stepCounters.plansCompiled <= 3)
  }
}
