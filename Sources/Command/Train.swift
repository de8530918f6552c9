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

  func validate() throws {
    if epochs < 1 { throw ValidationError("--epochs must be at least 1.") }
    if batchSize < 1 { throw ValidationError("--batch-size must be at least 1.") }
    if !(learningRate > 0 && learningRate.isFinite) { throw ValidationError("--learning-rate must be a positive number.") }
    if let save { try checkWritable(save) }
  }

  /// A wrong place to save is known before the training, not after it.
  private func checkWritable(_ path: String) throws {
    let folder = (path as NSString).deletingLastPathComponent
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: folder.isEmpty ? "." : folder, isDirectory: &isFolder)
    if !exists || !isFolder.boolValue { throw ValidationError("--save \(path): there is no folder \(folder); make it first.") }
  }

  func run() async throws {
    try machine.run {
      Interrupt.install()
      let output = Output(isJSON: machine.json)
      let dataset = try data.load()
      let model = withSeed(seed) { Perceptron(inputs: dataset.train.inputs.shape.suffix(from: 1).count, classes: dataset.classes) }
      output.say("\(dataset.name): \(dataset.train.count) examples to train on, \(dataset.test.count) to test with")
      output.say("perceptron \(model.sizes.map(String.init).joined(separator: "-")): \(model.parameterCount) parameters, on \(machine.device)")
      let report = try train(model, dataset, output)
      let accuracy = try accuracy(of: model, on: dataset.test)
      if let save {
        try model.save(save, metadata: ["cajal.model": "perceptron", "cajal.dataset": dataset.name])
        output.say("saved \(save)")
      }
      output.say(String(format: "trained in %.1f s", report.seconds))
      Finish(testAccuracy: accuracy, trainSeconds: report.seconds, stepPlans: report.stepCounters.plansCompiled).report(output)
      if report.wasStopped { throw ExitCode(130) }
    }
  }

  private func train(_ model: Perceptron, _ dataset: ImageDataset, _ output: Output) throws -> TrainingReport {
    let trainer = Trainer(model, optimizer: Adam(learningRate: learningRate)) { model, x, y in
      softmaxCrossEntropy(model(x), y)
    }
    return try trainer.fit(
      dataset.train, epochs: epochs, batchSize: batchSize, seed: seed, schedule: { 1 - $0 },
      validate: { try accuracy(of: model, on: dataset.test) }, shouldStop: { Interrupt.wasRequested },
      onEvent: { show($0, output) })
  }

  private func show(_ event: TrainingEvent, _ output: Output) {
    switch event {
    case .started(let epochs, let steps, let examples):
      output.emit("started", ["version": .integer(TrainingEvent.version), "epochs": .integer(epochs), "steps": .integer(steps), "examples": .integer(examples)])
    case .progress(let epoch, let step, let steps, let loss, let rate):
      output.progress(String(format: "epoch %d/%d  step %d/%d  loss %.4f  %.0f examples/s", epoch, epochs, step, steps, loss, rate))
    case .epochFinished(let report):
      output.clearProgress()
      let accuracy = report.validationAccuracy ?? .nan
      output.say(
        String(
          format: "epoch %d/%d  loss %.4f  test accuracy %.2f%%  %.1f s", report.epoch, report.epochs, report.loss, accuracy * 100,
          report.seconds))
      output.emit(
        "epoch",
        [
          "epoch": .integer(report.epoch), "loss": .number(Double(report.loss)), "test_accuracy": .number(accuracy),
          "seconds": .number(report.seconds),
        ])
    case .finished: output.clearProgress()
    }
  }
}
