import ArgumentParser
import Cajal
import CajalFormats
import Foundation

/// Training on a table's rows.
struct TableTraining {
  private let path: String
  private let options: TableOptions
  private let settings: RunSettings
  private let output: Output

  init(_ path: String, _ options: TableOptions, _ settings: RunSettings, _ output: Output) {
    self.path = path
    self.options = options
    self.settings = settings
    self.output = output
  }

  /// - Returns: whether Ctrl-C ended it.
  func run() throws -> Bool {
    let split = try TableSplit(path, options, seed: settings.optimization.seed, output)
    if let folds = options.folds { return try crossValidate(split, folds) }
    let preprocessing = try split.preprocessing()
    try introduce(split, preprocessing)
    // Before the training, which would be in vain where the table to test with is another.
    let test = try preprocessing.data(split.test)
    let fit = TableFit(settings, output)
    let (predictor, report) = try fit.run(
      preprocessing, try preprocessing.data(split.train), isShown: true, configuration: configuration(preprocessing))
    if let save = settings.keeping.save {
      try predictor.save(save)
      try output.saved(save)
    }
    try output.say(String(format: "trained in %.1f s", report.seconds))
    let measures = try predictor.evaluate(test)
    try Finish(
      measures: Measures().adding(measures, prefix: "test_"), trainSeconds: report.seconds,
      stepPlans: report.stepCounters.plansCompiled
    ).report(output)
    return Interrupt.wasRequested
  }

  /// Trains and tests once a fold.
  private func crossValidate(_ split: TableSplit, _ count: Int) throws -> Bool {
    try introduce(split, try split.preprocessing())
    let folds = try split.train.folds(count, stratifiedBy: split.stratum, seed: settings.optimization.seed)
    var results: [Measures] = []
    var (seconds, plans) = (0.0, 0)
    for (index, fold) in folds.enumerated() where !Interrupt.wasRequested {
      let preprocessing = try split.preprocessing(of: fold.train)
      let (predictor, report) = try TableFit(settings, output).run(
        preprocessing, try preprocessing.data(fold.train), isShown: false, configuration: [:])
      if Interrupt.wasRequested { break }
      results.append(try predictor.evaluate(preprocessing.data(fold.test)))
      seconds += report.seconds
      plans += report.stepCounters.plansCompiled
      output.clearProgress()
      try output.say("fold \(index + 1)/\(count)  \(results[index].text)")
      try output.emit("fold", [("fold", .integer(index + 1))] + EventWriter.fields(results[index]))
    }
    guard results.count == count else { return true }
    let validation = CrossValidation(folds: results)
    var measures = Measures()
    for name in results[0].names {
      measures["test_\(name)"] = validation.mean(name)
      measures["test_\(name)_deviation"] = validation.standardDeviation(name)
    }
    try Finish(measures: measures, trainSeconds: seconds, stepPlans: plans).report(output)
    return false
  }

  private func configuration(_ preprocessing: Preprocessing) -> [String: String] {
    settings.configuration.merging(["data": plainPath, "target": preprocessing.target.column]) { $1 }
  }

  /// The table's path, however it was spelled: from the working folder if it is in that, otherwise from the root.
  private var plainPath: String {
    let file = URL(fileURLWithPath: path).standardizedFileURL.path
    let here = URL(fileURLWithPath: FileManager.default.currentDirectoryPath).standardizedFileURL.path + "/"
    return file.hasPrefix(here) ? String(file.dropFirst(here.count)) : file
  }

  private func introduce(_ split: TableSplit, _ preprocessing: Preprocessing) throws {
    let tested = options.folds.map { "in \($0) folds" } ?? "to train on, \(split.test.count) to test with"
    try output.say("\(URL(fileURLWithPath: path).lastPathComponent): \(split.train.count) rows \(tested)")
    let goal = preprocessing.target
    if let labels = goal.labels {
      let listed = labels.prefix(6).joined(separator: ", ") + (labels.count > 6 ? ", …" : "")
      let unit = labels.count == 2 ? "one sigmoid unit" : "softmax"
      try output.say("\(goal.column): \(labels.count) classes (\(listed)): \(unit)")
    } else {
      try output.say("\(goal.column): a number: a linear unit")
    }
    let columns = preprocessing.features.count
    try output.say("\(columns) columns become \(preprocessing.width) numbers")
    for note in preprocessing.notes { try output.say("  \(note)") }
    try output.emit(
      "data",
      [
        ("rows", .integer(split.train.count)), ("test_rows", .integer(split.test.count)),
        ("target", .text(goal.column)), ("task", .text(preprocessing.task.rawValue)),
        ("classes", goal.labels.map { .array($0.map(JSON.text)) } ?? .null), ("columns", .integer(columns)),
        ("inputs", .integer(preprocessing.width)), ("notes", .array(preprocessing.notes.map(JSON.text))),
      ])
  }
}

/// A table, cut into a part to train on and one to test with.
struct TableSplit {
  let train: Table
  /// Empty where folds will be made.
  let test: Table
  /// The column whose values both parts have alike shares of.
  let stratum: Int?
  private let target: String
  /// As asked for, or as the catalogue has it; inferred if `nil`.
  private let task: Preprocessing.Task?
  private let options: TableOptions

  init(_ path: String, _ options: TableOptions, seed: UInt64, _ output: Output) throws {
    self.options = options
    let source = try TableSource(path, header: options.header, output)
    let whole = source.train
    guard let target = options.target ?? source.target else {
      throw ValidationError(
        "--target is missing: which column of \(path) is to be predicted? Its name, or its number; -1 is the last.")
    }
    self.target = target
    let column = try whole.column(target)
    let known = whole.droppingMissing(in: column)
    if known.count < whole.count {
      try output.say("\(whole.count - known.count) rows without \(whole.names[column]) are left out")
    }
    task = options.preprocessingTask ?? (target == source.target ? source.task : nil)
    stratum = (task ?? Preprocessing.inferredTask(known, column)) == .classification ? column : nil
    let named = try options.test.map { try TableSource($0, header: options.header, output).train }
    if let other = named ?? (options.folds == nil ? source.test : nil) {
      train = known
      test = other.droppingMissing(in: try other.column(target))
    } else if options.folds != nil {
      (train, test) = (known, known.selecting([]))
    } else {
      let share = options.testShare ?? 0.2
      let parts = try TableSplit.parts(known.count, stratum.map(known.codes), share, seed)
      (train, test) = (known.selecting(parts.train), known.selecting(parts.test))
    }
    if options.folds != nil, let column = stratum { try TableSplit.check(known, column, options.folds ?? 2) }
    if options.folds == nil, train.count == 0 || test.count == 0 {
      throw FormatError(
        path: path, problem: "its \(known.count) rows cannot be cut into a part to train on and one to test with",
        remedy: "Use a table with more rows, or name one to test with (--test)")
    }
  }

  /// Indices of the rows to train on and to test with; of a class that has one row, that is to train on.
  private static func parts(_ count: Int, _ strata: [Int]?, _ share: Double, _ seed: UInt64) throws -> (
    train: [Int], test: [Int]
  ) {
    let parts = try Partition.split(count, [1 - share, share], strata: strata, seed: seed)
    guard let strata else { return (parts[0], parts[1]) }
    let known = Set(parts[0].map { strata[$0] })
    let alone = parts[1].filter { !known.contains(strata[$0]) }
    return ((parts[0] + alone).sorted(), parts[1].filter { known.contains(strata[$0]) })
  }

  /// Every class must be in what is trained on, whichever fold is left out.
  private static func check(_ table: Table, _ column: Int, _ folds: Int) throws {
    let codes = table.codes(column)
    let counts = Dictionary(codes.map { ($0, 1) }, uniquingKeysWith: +)
    guard let row = codes.firstIndex(where: { counts[$0] == 1 }) else { return }
    throw FormatError(
      path: table.path,
      problem: "one row alone is \"\(table.text(row, column))\": the fold that tests it would not have learned it",
      remedy: "Add rows of that class, or leave it out")
  }

  func preprocessing() throws -> Preprocessing { try preprocessing(of: train) }

  /// Fitted on a part to train on.
  func preprocessing(of table: Table) throws -> Preprocessing {
    let ignored = try Set((options.ignore ?? "").split(separator: ",").map { try table.column(String($0)) })
    let features = table.names.indices.filter { !ignored.contains($0) }.map { table.names[$0] }
    return try Preprocessing.fit(
      table, target: target, task: task, features: ignored.isEmpty ? nil : features)
  }
}

/// One training on numbers that were a table's rows.
struct TableFit {
  private let settings: RunSettings
  private let output: Output

  init(_ settings: RunSettings, _ output: Output) {
    self.settings = settings
    self.output = output
  }

  /// - Parameter isShown: whether each epoch has its line.
  func run(
    _ preprocessing: Preprocessing, _ data: LabeledData, isShown: Bool, configuration: [String: String]
  ) throws -> (TablePredictor, TrainingReport) {
    let optimization = settings.optimization
    // Classes are soon learned by heart; numbers suffer from noise, and gain from more and smaller steps. Small tables
    // are learned by heart whatever they tell of: fewer than about a thousand rows hold less than weights can.
    let isNumber = preprocessing.target.classes == nil
    let scarcity = 1000 / Double(max(1, data.count))
    let dropout = max(isNumber ? 0 : 0.1, 0.3 * min(1, scarcity))
    let model = try withSeed(optimization.seed) {
      try settings.network.network(
        inputs: preprocessing.width, outputs: TablePredictor.outputs(for: preprocessing), standard: [128, 64],
        dropout: dropout, flattens: false, initializer: .lecunUniform)
    }
    let predictor = TablePredictor(model: model, preprocessing: preprocessing)
    let isLinear = settings.network.model != .mlp
    let optimizer = optimization.makeOptimizer(isLinear ? (.adamw, 1e-2, 1e-2) : (.adamw, 3e-3, min(2, scarcity)))
    let trainer = Trainer(model, loss: predictor.loss, optimizer: optimizer, metrics: predictor.metrics)
    optimization.configure(trainer)
    let (train, validation) = try optimization.parts(data)
    var callbacks: [any Callback] = [InterruptCallback()]
    if isShown {
      let sizes = model.sizes.map(String.init).joined(separator: "-")
      try output.say("network \(sizes): \(model.parameterCount) parameters, on \(settings.device)")
      callbacks.append(EventWriter(output))
    }
    if let patience = optimization.earlyStopping { callbacks.append(EarlyStopping("val_loss", patience: patience)) }
    callbacks += settings.keeping.callbacks(
      configuration: configuration.merging(["sizes": model.sizes.map(String.init).joined(separator: "-")]) { $1 },
      monitor: validation == nil ? nil : "val_loss", metadata: try predictor.metadata)
    // About forty steps an epoch, of batches that are neither noise nor slow.
    let usual = min(isNumber ? 128 : 256, max(16, train.count / 40))
    let batch = max(1, min(optimization.batchSize ?? usual, train.count))
    // Enough steps for a small table, enough passes for a large one.
    let steps = (train.count + batch - 1) / batch
    let epochs = optimization.epochs ?? min(100, max(isNumber ? 40 : 20, 1500 / max(1, steps)))
    let report = try settings.profiled(output) {
      try trainer.fit(
        train, epochs: epochs, batchSize: batch, validation: validation, seed: optimization.seed,
        schedule: optimization.makeSchedule(), callbacks: callbacks)
    }
    return (predictor, report)
  }
}
