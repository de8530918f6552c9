import Cajal
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
  Trainer(model, loss: .softmaxCrossEntropy, optimizer: Adam(learningRate: rate), metrics: [.accuracy])
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
    func tell(_ event: TrainingEvent, _ run: TrainingRun) {
      switch event {
      case .started(let report): story.append("start \(report.epochs) \(report.steps ?? -1)")
      case .stepFinished(let report): story.append("step \(report.step)")
      case .progress: break
      case .epochFinished(let report):
        story.append("epoch \(report.epoch)/\(report.epochs) \(report.measures.names) \(report.examples)")
        #expect(report.loss > 0 && report.seconds >= report.waitSeconds)
      case .warning(let text): story.append(text)
      case .finished(let report): story.append("end \(report.epochs) \(report.steps)")
      }
    }
    try trainer(network()).fit(
      XOR.data, epochs: 2, batchSize: 3, validation: XOR.data, callbacks: [.onEvent(tell)])
    let names = #"["loss", "accuracy", "val_loss", "val_accuracy"]"#
    #expect(
      story == [
        "start 2 2", "step 1", "step 2", "epoch 1/2 \(names) 4", "step 1", "step 2", "epoch 2/2 \(names) 4", "end 2 4",
      ])
  }

  @Test func measuresAreMeansOverExamplesNotOverBatches() throws {
    let model = network()
    let trainer = Trainer(model, loss: .softmaxCrossEntropy, optimizer: SGD(learningRate: 0), metrics: [.accuracy])
    try trainer.fit(XOR.data, epochs: 1, batchSize: 3, validation: XOR.data)
    let report = trainer.history.epochs[0]
    let whole = try Double(softmaxCrossEntropy(model(XOR.x), XOR.y).item())
    #expect(abs(report.loss - whole) < 1e-6 && abs((report["val_loss"] ?? 0) - whole) < 1e-6)
    #expect(report["accuracy"] == report["val_accuracy"])
    #expect(try trainer.evaluate(XOR.data.batched(3))["accuracy"] == report["accuracy"])
  }

  @Test func theScheduleScalesTheRateAndIsUndoneAtTheEnd() throws {
    let model = network()
    let optimizer = SGD(learningRate: 0.5)
    var seen: [Double] = []
    let trainer = Trainer(model, optimizer: optimizer) { model, x, y in
      seen.append(optimizer.learningRate)
      return softmaxCrossEntropy(model(x), y)
    }
    try trainer.fit(XOR.data, epochs: 2, batchSize: 2, schedule: Schedule { 1 - Double($0) / Double($1) })
    #expect(seen == [0.5, 0.375, 0.25, 0.125])
    #expect(optimizer.learningRate == 0.5)
  }

  @Test func aRunEndsWhenAsked() throws {
    let report = try trainer(network()).fit(
      XOR.data, epochs: 10, batchSize: 1,
      callbacks: [.onEvent { _, run in if run.totalSteps == 6 { run.stop("six steps") } }])
    #expect(report.wasStopped && report.steps == 6 && report.epochs == 1 && report.stopReason == "six steps")
  }

  @Test func aScheduleOfTheRunsLengthNeedsOne() throws {
    let stream = Dataset<Batch> {
      var left = 3
      return {
        left -= 1
        return left >= 0 ? Batch(inputs: XOR.x, targets: XOR.y) : nil
      }
    }
    expectError("length of the run", "over:") { try trainer(network()).fit(stream, epochs: 2, schedule: .linear()) }
    #expect(try trainer(network()).fit(stream, epochs: 2, schedule: .linear(over: 6)).steps == 6)
    #expect(try trainer(network()).fit(stream, epochs: 2).steps == 6)
  }

  @Test func callbacksBeginAnewWithEachRun() throws {
    let stopping = EarlyStopping("val_loss", patience: 100)
    let (first, second) = (network(1), network(2))
    try trainer(first).fit(XOR.data, epochs: 80, batchSize: 4, validation: XOR.data, callbacks: [stopping])
    try trainer(second).fit(XOR.data, epochs: 1, batchSize: 4, validation: XOR.data, callbacks: [stopping])
    #expect(stopping.bestEpoch == 1)
    #expect(first.parameters.map(\.value.numbers) != second.parameters.map(\.value.numbers))
  }

  @Test func batchesThatAreAccumulatedMakeTheStepOfOneBatch() throws {
    func trained(_ batchSize: Int, _ accumulated: Int) throws -> [Double] {
      let model = network()
      let trainer = Trainer(model, loss: .softmaxCrossEntropy, optimizer: SGD(learningRate: 0.1))
      trainer.accumulatedBatches = accumulated
      let report = try trainer.fit(XOR.data.batched(batchSize), epochs: 3)
      #expect(report.steps == 3)
      return model.parameters.flatMap(\.value.numbers)
    }
    for (a, b) in zip(try trained(4, 1), try trained(2, 2)) { #expect(abs(a - b) < 1e-6) }
  }

  @Test func aStepOfOnesOwnUsesSeveralOptimizers() throws {
    let model = network()
    let (first, second) = (SGD(learningRate: 0.1), SGD(learningRate: 0.2))
    let trainer = Trainer(model, optimizers: ["first": first, "second": second]) { model, batch in
      let (loss, gradients) = valueAndGradient(of: model) { softmaxCrossEntropy(model(batch.inputs), batch.targets) }
      (batch.count == 3 ? first : second).update(model, gradients)
      return StepResult(loss: loss, measures: ["double": loss * 2])
    }
    try trainer.fit(XOR.data, epochs: 2, batchSize: 3)
    let report = trainer.history.epochs[1]
    #expect(abs((report["double"] ?? 0) - 2 * report.loss) < 1e-6)
    let error = #expect(throws: TrainingError.self) { try trainer.evaluate(XOR.data.batched(2)) }
    #expect("\(error.map { "\($0)" } ?? "")".contains("evaluation:"))
  }

  @Test func aLossThatIsNoNumberEndsTheRunWithPlaceAndRemedy() throws {
    let model = network()
    let trainer = Trainer(model, optimizer: SGD(learningRate: 1e30)) { model, x, y in model(x).squared().sum() }
    let error = #expect(throws: TrainingError.self) { try trainer.fit(XOR.data, epochs: 5, batchSize: 4) }
    let text = error.map { "\($0)" } ?? ""
    #expect(text.contains("epoch") && text.contains("step") && text.contains("1e+30"), "\(text)")
    #expect(text.contains("learning rate"))
    #expect(trainer.optimizers["optimizer"]?.learningRate == 1e30)
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
    let report = try trainer(network()).fit(
      XOR.data, epochs: 20, batchSize: 3, schedule: Schedule { 1 - Double($0) / Double($1) })
    // Two sizes of batches, each in the first step of an epoch or later.
    #expect(report.stepCounters.plansCompiled <= 4)
  }
}
