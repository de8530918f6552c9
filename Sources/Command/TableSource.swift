import ArgumentParser
import Cajal
import Foundation

/// A table as users name it: by its file, or by the name that the catalogue has for it.
struct TableSource {
  /// All rows, or those to train on where others are to test with.
  let train: Table
  let test: Table?
  /// The column to be learned, where the catalogue knows it.
  let target: String?
  /// What it is to be learned as, where the rows alone do not tell.
  let task: Preprocessing.Task?

  /// Whether there is a file or data set of that name.
  static func exists(_ name: String) -> Bool {
    FileManager.default.fileExists(atPath: name) || DataCatalog.all.contains { $0.name == name }
  }

  /// Downloads it if it must be.
  init(_ name: String, header: Bool?, _ output: Output) throws {
    guard Self.exists(name) else {
      throw FormatError(
        path: name, problem: "there is no such file, folder or data set",
        remedy: "Check the path, or take a name that `cajal data list` shows")
    }
    guard !FileManager.default.fileExists(atPath: name) else {
      (train, test, target, task) = (try Table(contentsOf: name, options: .init(hasHeader: header)), nil, nil, nil)
      return
    }
    try DataCommand.fetch(name, output)
    (train, test, target) = try DataCatalog.table(name)
    task = try DataCatalog.entry(name).task
  }
}

/// Flags of commands that train on a table several times.
struct ExperimentOptions: ParsableArguments {
  @Argument(help: "A table: CSV or JSON lines, .gz or not; or the name of one (see `cajal data`).", completion: .file())
  var path: String

  @OptionGroup(title: "Tables") var table: TableOptions
  @OptionGroup(title: "Model") var network: NetworkOptions
  @OptionGroup(title: "Learning") var optimization: OptimizationOptions
  @OptionGroup(title: "Machine") var machine: MachineOptions

  func validate() throws {
    if table.folds != nil {
      throw ValidationError("--folds is for `cajal train`; this tests with one held-out part: leave it out.")
    }
  }

  /// Runs `body` on the machine asked for, with the table cut in two.
  func run(_ body: (Output, TableSplit, Preprocessing) throws -> Void) throws {
    try machine.run {
      Interrupt.install()
      let output = Output(isJSON: machine.json)
      let split = try TableSplit(path, table, seed: optimization.seed, output)
      try body(output, split, try split.preprocessing())
    }
  }

  /// Trains one model, and keeps nothing of it but what it returns.
  func fit(
    _ network: NetworkOptions, _ optimization: OptimizationOptions, _ preprocessing: Preprocessing, _ data: LabeledData,
    _ output: Output
  ) throws -> (TablePredictor, TrainingReport) {
    let settings = RunSettings(
      network: network, optimization: optimization, keeping: try KeepingOptions.parse([]), device: machine.device)
    return try TableFit(settings, output).run(preprocessing, data, isShown: false, configuration: [:])
  }
}
