import ArgumentParser
import Cajal
import Foundation

struct SearchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search",
    abstract: "Look for the hyperparameters that suit a table best.",
    discussion: """
      Each candidate is trained on nine tenths of the training part and judged by its loss on the rest; the test \
      part is not looked at. By default candidates are drawn at random and halved: all get a few epochs, the best \
      third three times as many, and so on. What to vary is said by --vary, once a hyperparameter: NAME=A,B,C for \
      choices, NAME=A..B for a range on a logarithmic scale. Names are those of flags: learning-rate, weight-decay, \
      dropout, batch-size, hidden (one layer of so many neurons).

      EXAMPLES
        cajal search iris.csv --target species
        cajal search wine.csv --target -1 --vary learning-rate=0.0001..0.1 --vary hidden=16,64,256 --trials 30
        cajal search wine.csv --target -1 --vary dropout=0,0.2,0.4 --method grid
      """)

  enum Method: String, CaseIterable, ExpressibleByArgument { case halving, random, grid }

  @OptionGroup var experiment: ExperimentOptions

  @Option(help: "What to vary, as NAME=A,B,C or NAME=A..B; may be repeated.")
  var vary: [String] = ["learning-rate=0.0003..0.03", "hidden=32,64,128,256", "dropout=0,0.1,0.2,0.4"]

  @Option(help: "halving, random or grid.")
  var method = Method.halving

  @Option(help: "How many candidates are drawn.")
  var trials = 18

  static let names = ["learning-rate", "weight-decay", "dropout", "batch-size", "hidden"]

  func validate() throws {
    if trials < 1 { throw ValidationError("--trials must be at least 1.") }
    _ = try domains()
  }

  private func domains() throws -> [String: Search.Domain] {
    var domains: [String: Search.Domain] = [:]
    for text in vary {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, SearchCommand.names.contains(parts[0]) else {
        throw ValidationError(
          "--vary \(text): write NAME=VALUES with one of \(SearchCommand.names.joined(separator: ", ")).")
      }
      let ends = parts[1].components(separatedBy: "..").map { Double($0) }
      if ends.count == 2 {
        guard let low = ends[0], let high = ends[1], low > 0, high > low else {
          throw ValidationError("--vary \(text): a range is A..B with 0 < A < B.")
        }
        try check([low, high], parts[0], text)
        domains[parts[0]] = .logarithmic(low...high)
        continue
      }
      let choices = parts[1].split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
      guard !choices.contains(nil) else { throw ValidationError("--vary \(text): choices are numbers, as 1,2,3.") }
      try check(choices.compactMap { $0 }, parts[0], text)
      domains[parts[0]] = .choices(choices.compactMap { $0 })
    }
    return domains
  }

  /// What a flag of that name would take.
  private func check(_ values: [Double], _ name: String, _ text: String) throws {
    let range: ClosedRange<Double> =
      switch name {
      case "learning-rate": .leastNormalMagnitude...1e6
      case "weight-decay": 0...1e6
      case "dropout": 0...0.9
      case "batch-size": 1...1e9
      default: 1...1e6
      }
    if let wrong = values.first(where: { !range.contains($0) }) {
      throw ValidationError("--vary \(text): \(wrong) is outside \(range.lowerBound)...\(range.upperBound).")
    }
  }

  func run() async throws {
    try experiment.run { output, split, preprocessing in
      let data = try preprocessing.data(split.train)
      let (search, seed) = (Search(try domains(), shouldRise: false), experiment.optimization.seed)
      let candidates = method == .grid ? search.grid() : search.drawn(trials, seed: seed)
      let budget = experiment.optimization.epochs ?? 30
      let tell = { (trial: Search.Trial, done: Int, count: Int) in try self.tell(trial, done, count, output) }
      let loss = { (candidate: Search.Candidate, epochs: Int) in
        try self.loss(candidate, epochs, preprocessing, data, output)
      }
      let ranked =
        method == .halving
        ? try search.halving(candidates, budget: budget, onTrial: tell, loss)
        : try search.run(candidates, budget: budget, onTrial: tell, loss)
      output.clearProgress()
      try show(ranked[0], preprocessing, data, split, output)
    }
  }

  private func tell(_ trial: Search.Trial, _ done: Int, _ count: Int, _ output: Output) throws {
    if Interrupt.wasRequested { throw ExitCode(130) }
    output.clearProgress()
    let values = SearchCommand.text(trial.candidate)
    try output.say(String(format: "\(done)/\(count)  \(trial.budget) epochs  val_loss %.4f  ", trial.score) + values)
    try output.emit(
      "trial",
      [("epochs", .integer(trial.budget)), ("val_loss", .number(trial.score))]
        + trial.candidate.values.sorted { $0.key < $1.key }.map { ($0.key, .number($0.value)) })
  }

  private static func text(_ candidate: Search.Candidate) -> String {
    candidate.values.sorted { $0.key < $1.key }.map { name, value in
      "--\(name) " + (value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : String(format: "%.4g", value))
    }.joined(separator: " ")
  }

  private func fit(
    _ candidate: Search.Candidate, _ epochs: Int, _ preprocessing: Preprocessing, _ data: LabeledData, _ output: Output
  ) throws -> (TablePredictor, TrainingReport) {
    var (network, optimization) = (experiment.network, experiment.optimization)
    optimization.epochs = epochs
    for (name, value) in candidate.values {
      switch name {
      case "learning-rate": optimization.learningRate = value
      case "weight-decay": optimization.weightDecay = value
      case "dropout": network.dropout = value
      case "batch-size": optimization.batchSize = max(1, Int(value))
      default: network.hidden = "\(max(1, Int(value)))"
      }
    }
    return try experiment.fit(network, optimization, preprocessing, data, output)
  }

  /// The loss on a tenth of `data` after training on the rest.
  private func loss(
    _ candidate: Search.Candidate, _ epochs: Int, _ preprocessing: Preprocessing, _ data: LabeledData, _ output: Output
  ) throws -> Double {
    let (train, rest) = try experiment.optimization.heldOut(data)
    let predictor: TablePredictor
    do {
      (predictor, _) = try fit(candidate, epochs, preprocessing, train, output)
    } catch is TrainingError {
      // A candidate that diverges is the worst, and no reason to end.
      return .nan
    }
    return Double(try predictor.loss(predictor.model.predict(rest.inputs), rest.targets).item(as: Float.self))
  }

  /// The best once more, on the whole training part, and tested.
  private func show(
    _ best: Search.Trial, _ preprocessing: Preprocessing, _ data: LabeledData, _ split: TableSplit, _ output: Output
  ) throws {
    try output.say("best: " + SearchCommand.text(best.candidate))
    let (predictor, report) = try fit(best.candidate, best.budget, preprocessing, data, output)
    try Finish(
      measures: Measures().adding(try predictor.evaluate(preprocessing.data(split.test)), prefix: "test_"),
      trainSeconds: report.seconds, stepPlans: report.stepCounters.plansCompiled
    ).report(output)
  }
}
