import ArgumentParser
import Cajal
import Foundation

struct Train: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a network, and test it on examples that it has not seen.",
    discussion: """
      Without arguments: a perceptron with layers of 784, 512, 256 and 10 neurons learns MNIST's 60,000 \
      handwritten digits in 5 passes (epochs), and is tested on 10,000 others.

      EXAMPLES
        cajal train
        cajal train --epochs 10 --learning-rate 0.0005 --save digits.safetensors
        cajal train --dataset ~/fashion-mnist --json
        cajal train --epochs 1 --profile trace.json

      Ctrl-C ends after the current step and saves what was learned so far.
      """)

  @OptionGroup var data: DataOptions
  @OptionGroup var machine: MachineOptions

  @Option(help: "Passes over the training examples.")
  var epochs = 5

  @Option(help: "Examples that one step looks at.")
  var batchSize = 128

  @Option(help: "The size of Adam's first step; it shrinks linearly to nothing over the run.")
  var learningRate = 0.001

  @Option(help: "Fixes all random numbers: the same seed gives the same weights, bit for bit.")
  var seed: UInt64 = 0

  @Option(help: "Write the trained network to this file (safetensors).")
  var save: String?

  @Option(
    defaultAsFlag: "profile.json",
    help: "Show where the time went, and write a trace of it to this file (see `cajal help profile`).")
  var profile: String?

  func validate() throws {
    if epochs < 1 { throw ValidationError("--epochs must be at least 1.") }
    if batchSize < 1 { throw ValidationError("--batch-size must be at least 1.") }
    if !(learningRate > 0 && learningRate.isFinite) {
      throw ValidationError("--learning-rate must be a positive number.")
    }
    if let save { try checkWritable(save, option: "--save") }
    if let profile { try checkWritable(profile, option: "--profile") }
  }

  func run() async throws {
    try machine.run {
      Interrupt.install()
      let output = Output(isJSON: machine.json)
      let dataset = try data.load()
      let inputs = dataset.train.inputs.shape.suffix(from: 1).count
      let model = withSeed(seed) { Perceptron(inputs: inputs, classes: dataset.classes) }
      try introduce(model, dataset, output)
      let meter = profile.map { _ in Profile() }
      let (report, last) = try meter.measure { try train(model, dataset, output) }
      if let save {
        try model.save(save, metadata: ["cajal.model": "perceptron", "cajal.dataset": dataset.name])
        try output.say("saved \(save)")
      }
      try output.say(String(format: "trained in %.1f s", report.seconds))
      let accuracy = try last ?? measuredAccuracy(of: model, on: dataset.test, output)
      if let meter { try ProfileReport.show(meter, trace: profile, output) }
      let plans = report.stepCounters.plansCompiled
      try Finish(testAccuracy: accuracy, trainSeconds: report.seconds, stepPlans: plans).report(output)
      if report.wasStopped { throw ExitCode(130) }
    }
  }

  private func introduce(_ model: Perceptron, _ dataset: ImageDataset, _ output: Output) throws {
    let sizes = model.sizes.map(String.init).joined(separator: "-")
    try output.say("\(dataset.name): \(dataset.train.count) examples to train on, \(dataset.test.count) to test with")
    try output.say("perceptron \(sizes): \(model.parameterCount) parameters, on \(machine.device)")
  }

  /// Trains; returns the report, and the accuracy unless Ctrl-C ended the run: then saving comes first.
  private func train(_ model: Perceptron, _ dataset: ImageDataset, _ output: Output) throws -> (TrainingReport, Double?)
  {
    let trainer = Trainer(model, optimizer: Adam(learningRate: learningRate)) { model, x, y in
      softmaxCrossEntropy(model(x), y)
    }
    var last: Double?
    let report = try trainer.fit(
      dataset.train, epochs: epochs, batchSize: batchSize, seed: seed, schedule: { 1 - $0 },
      validate: {
        last = Interrupt.wasRequested ? nil : try measuredAccuracy(of: model, on: dataset.test, output)
        return last
      }, shouldStop: { Interrupt.wasRequested }, onEvent: { try show($0, output) })
    return (report, last)
  }

  private func show(_ event: TrainingEvent, _ output: Output) throws {
    switch event {
    case .started(let epochs, let steps, let examples):
      try output.emit(
        "started",
        [
          "version": .integer(TrainingEvent.version), "epochs": .integer(epochs), "steps": .integer(steps),
          "examples": .integer(examples),
        ])
    case .progress(let epoch, let step, let steps, let loss, let rate):
      try output.progress(
        String(
          format: "epoch %d/%d  step %d/%d  loss %.4f  %.0f examples/s", epoch, epochs, step, steps, loss, rate),
        event: "progress",
        [
          "epoch": .integer(epoch), "step": .integer(step), "loss": .number(Double(loss)),
          "examples_per_second": .number(rate),
        ])
    case .epochFinished(let report): try show(report, output)
    case .finished: output.clearProgress()
    }
  }

  private func show(_ report: EpochReport, _ output: Output) throws {
    output.clearProgress()
    let accuracy = report.validationAccuracy
    let tested = accuracy.map { String(format: "  test accuracy %.2f%%", $0 * 100) } ?? ""
    try output.say(
      String(format: "epoch %d/%d  loss %.4f", report.epoch, report.epochs, report.loss) + tested
        + String(format: "  %.1f s", report.seconds))
    try output.emit(
      "epoch",
      [
        "epoch": .integer(report.epoch), "loss": .number(Double(report.loss)),
        "test_accuracy": accuracy.map(JSON.number) ?? .null,
        "seconds": .number(report.seconds),
      ])
  }
}

extension Profile? {
  /// Runs `body`, profiled if there is a profile.
  fileprivate func measure<Result>(_ body: () throws -> Result) rethrows -> Result {
    try self?.measure(body) ?? body()
  }
}
