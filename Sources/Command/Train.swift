import ArgumentParser
import Cajal
import Foundation

struct Train: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a network, and test it on examples that it has not seen.",
    discussion: """
      Without arguments: a network with layers of 784, 512, 256 and 10 neurons learns MNIST's 60,000 \
      handwritten digits in 5 passes (epochs), and is tested on 10,000 others.

      With a table (CSV or JSON lines, .gz or not) and the column to predict: text, booleans and whole numbers of at \
      most 20 different values are classes, other numbers are predicted as numbers. Numbers are standardised, \
      categories become one column each, missing values are filled. A fifth of the rows is held out as a test, \
      the same for the same --seed.

      EXAMPLES
        cajal train
        cajal train iris.csv --target species --save iris.safetensors
        cajal train houses.csv --target -1 --hidden 64,64 --epochs 100
        cajal train adult.csv.gz --target income --test adult-test.csv.gz
        cajal train iris.csv --target species --folds 5
        cajal train --epochs 10 --learning-rate 0.0005 --save digits.safetensors
        cajal train --run runs/first --resume
        cajal train --dataset ~/fashion-mnist --json

      Any flag may stand in a file instead: --config FILE, a JSON object of the flags' names and values; flags on the \
      command line come after it and count. Ctrl-C ends after the current step and saves what was learned so far; \
      a run with --run goes on with --resume, whatever ended it.
      """)

  @OptionGroup(title: "Data") var data: DataOptions
  @OptionGroup(title: "Tables") var table: TableOptions
  @OptionGroup(title: "Model") var network: NetworkOptions
  @OptionGroup(title: "Learning") var optimization: OptimizationOptions
  @OptionGroup(title: "Keeping") var keeping: KeepingOptions
  @OptionGroup(title: "Machine") var machine: MachineOptions

  @Option(
    defaultAsFlag: "profile.json",
    help: "Show where the time went, and write a trace of it to this file (see `cajal help profile`).")
  var profile: String?

  func validate() throws {
    if table.folds != nil, keeping.save != nil || keeping.run != nil {
      throw ValidationError("--folds trains several models and keeps none: leave out --save and --run.")
    }
    if let profile { try checkWritable(profile, option: "--profile") }
    if data.table == nil, let flag = table.given {
      throw ValidationError("\(flag) is about a table. Name its file: cajal train FILE.csv \(flag) …")
    }
  }

  func run() async throws {
    try machine.run {
      Interrupt.install()
      let output = Output(isJSON: machine.json)
      let settings = RunSettings(
        network: network, optimization: optimization, keeping: keeping, device: machine.device, trace: profile)
      let wasStopped =
        try data.table.map { try TableTraining($0, table, settings, output).run() }
        ?? PictureTraining(data.load(output), catalogued: data.catalogued, settings, output).run()
      if wasStopped { throw ExitCode(130) }
    }
  }
}

/// The flags that say how to train, whatever the data.
struct RunSettings {
  var network: NetworkOptions
  var optimization: OptimizationOptions
  var keeping: KeepingOptions
  var device: String
  /// Where a trace of the training goes, if it is profiled.
  var trace: String?

  /// What was asked for by flags and makes a run what it is; the layers' sizes are told as they came out.
  var configuration: [String: String] {
    let all: [String: String?] = [
      "model": network.model.rawValue, "activation": network.activation,
      "dropout": network.dropout.map { "\($0)" }, "batch-size": optimization.batchSize.map { "\($0)" },
      "learning-rate": optimization.learningRate.map { "\($0)" }, "optimizer": optimization.optimizer?.rawValue,
      "schedule": optimization.schedule.rawValue, "weight-decay": optimization.weightDecay.map { "\($0)" },
      "clip-norm": optimization.clipNorm.map { "\($0)" }, "warmup": "\(optimization.warmup)",
      "precision": optimization.precision,
    ]
    return all.compactMapValues { $0 }
  }

  /// Runs `body`, which trains; then shows where its time went, if that is wanted.
  func profiled(_ output: Output, _ body: () throws -> TrainingReport) throws -> TrainingReport {
    guard let trace else { return try body() }
    let profile = Profile()
    let report = try profile.measure(body)
    try ProfileReport.show(profile, trace: trace, output)
    return report
  }
}

/// Training on pictures in memory.
struct PictureTraining {
  private let dataset: ImageDataset
  /// The catalogue's name of the data, if it is from there.
  private let catalogued: String?
  private let settings: RunSettings
  private let output: Output

  init(_ dataset: ImageDataset, catalogued: String?, _ settings: RunSettings, _ output: Output) {
    self.dataset = dataset
    self.catalogued = catalogued
    self.settings = settings
    self.output = output
  }

  /// - Returns: whether Ctrl-C ended it.
  func run() throws -> Bool {
    let optimization = settings.optimization
    let classes = dataset.classes
    let example = dataset.train.inputs.shape.suffix(from: 1)
    let isLeNet = settings.network.model == .lenet
    let model = try withSeed(optimization.seed) {
      let model = try settings.network.network(pictures: example, outputs: classes)
      // Layers learn what they take from what they see first.
      _ = try model(Tensor.zeros(Shape([1] + example.array))).evaluated()
      return model
    }
    try introduce(model)
    let trainer = Trainer(
      model, loss: .softmaxCrossEntropy, optimizer: optimization.makeOptimizer((.adam, isLeNet ? 2e-3 : 1e-3, 0)),
      metrics: [.accuracy])
    optimization.configure(trainer)
    var metadata = [
      "cajal.task": "pictures", PictureModel.exampleKey: example.array.map(String.init).joined(separator: " "),
    ]
    metadata["cajal.dataset"] = catalogued
    let (train, held) = try optimization.parts(dataset.train)
    var callbacks: [any Callback] = [InterruptCallback(), EventWriter(output)]
    if let patience = optimization.earlyStopping { callbacks.append(EarlyStopping("val_loss", patience: patience)) }
    callbacks += settings.keeping.callbacks(
      configuration: settings.configuration.merging(
        ["dataset": dataset.name, "sizes": model.sizes.map(String.init).joined(separator: "-")]) { $1 },
      monitor: held == nil ? nil : "val_loss", metadata: metadata)
    let report = try settings.profiled(output) {
      try trainer.fit(
        train, epochs: optimization.epochs ?? (isLeNet ? 12 : 5), batchSize: optimization.batchSize ?? 128,
        validation: held ?? dataset.test, seed: optimization.seed, schedule: optimization.makeSchedule(),
        callbacks: callbacks)
    }
    if let save = settings.keeping.save {
      try model.save(save, metadata: metadata)
      try output.saved(save)
    }
    try output.say(String(format: "trained in %.1f s", report.seconds))
    let last = held == nil && !report.wasStopped ? trainer.history["val_accuracy"].last : nil
    let accuracy = try last ?? measuredAccuracy(of: model, on: dataset.test, output)
    try Finish(
      measures: ["test_accuracy": accuracy], trainSeconds: report.seconds,
      stepPlans: report.stepCounters.plansCompiled
    ).report(output)
    return Interrupt.wasRequested
  }

  private func introduce(_ model: Sequential) throws {
    let name =
      settings.network.model == .lenet ? "LeNet-5" : "network " + model.sizes.map(String.init).joined(separator: "-")
    try output.say("\(dataset.name): \(dataset.train.count) examples to train on, \(dataset.test.count) to test with")
    try output.say("\(name): \(model.parameterCount) parameters, on \(settings.device)")
  }
}
