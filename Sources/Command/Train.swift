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
        cajal train --model lenet
        cajal train cifar10 --model wide_resnet10_2 --save cifar10.safetensors

      Any flag may stand in a file instead: --config FILE, a JSON object of the flags' names and values; flags on the \
      command line come after it and count. Ctrl-C ends after the current step and saves what was learned so far; \
      a run with --run goes on with --resume, whatever ended it.
      """)

  @OptionGroup(title: "Data") var data: DataOptions
  @OptionGroup(title: "Tables") var table: TableOptions
  @OptionGroup(title: "Pictures") var pictures: PictureOptions
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
    // A name of nothing is a mistake of its own, which the run tells of.
    if let table = data.table, TableSource.exists(table), let flag = pictures.given {
      throw ValidationError("\(flag) is about pictures, and a table has none. Leave it out.")
    }
  }

  func run() async throws {
    try machine.run {
      Interrupt.install()
      let output = Output(isJSON: machine.json)
      let settings = RunSettings(
        network: network, pictures: pictures, optimization: optimization, keeping: keeping, device: machine.device,
        trace: profile)
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
  /// `nil` where there are none.
  var pictures: PictureOptions?
  var optimization: OptimizationOptions
  var keeping: KeepingOptions
  var device: String
  /// Where a trace of the training goes, if it is profiled.
  var trace: String?

  /// What was asked for by flags and makes a run what it is; the layers' sizes are told as they came out.
  var configuration: [String: String] {
    let all: [String: String?] = [
      "model": network.model.description, "activation": network.namedActivation,
      "dropout": network.dropout.map { "\($0)" }, "batch-size": optimization.batchSize.map { "\($0)" },
      "learning-rate": optimization.learningRate.map { "\($0)" }, "optimizer": optimization.optimizer?.rawValue,
      "schedule": optimization.schedule?.rawValue, "weight-decay": optimization.weightDecay.map { "\($0)" },
      "clip-norm": optimization.clipNorm.map { "\($0)" }, "warmup": "\(optimization.warmup)",
      "precision": optimization.precision, "augment": pictures?.augment,
      "label-smoothing": pictures?.labelSmoothing.map { "\($0)" },
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
