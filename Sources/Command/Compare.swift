import ArgumentParser
import Cajal
import Foundation

struct Compare: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ask whether a network is worth it: beside simpler methods, on the same rows.",
    discussion: """
      Trains the network, a linear model (logistic regression for classes) and k-nearest neighbours on the same part \
      of a table, and tests them on the same other part. Where the simple ones are as good, take them.

      EXAMPLES
        cajal compare iris.csv --target species
        cajal compare houses.csv --target price --neighbors 10
      """)

  @OptionGroup var experiment: ExperimentOptions

  @Option(help: "How many of the most similar rows are asked.")
  var neighbors = 5

  func validate() throws {
    if neighbors < 1 { throw ValidationError("--neighbors must be at least 1.") }
  }

  func run() async throws {
    try experiment.run { output, split, preprocessing in
      let (train, test) = (try preprocessing.data(split.train), try preprocessing.data(split.test))
      var rows: [(String, Measures, Double)] = []
      for kind in [NetworkOptions.Kind.mlp, preprocessing.target.classes == nil ? .linear : .logistic] {
        var network = experiment.network
        network.model = kind
        if kind != .mlp { network.hidden = nil }
        try output.progress("training: \(kind)", event: "training", [("model", .text("\(kind)"))])
        let (predictor, report) = try experiment.fit(network, experiment.optimization, preprocessing, train, output)
        if Interrupt.wasRequested { throw ExitCode(130) }
        rows.append(("\(kind)", try predictor.evaluate(test), report.seconds))
      }
      try output.progress("asking neighbours", event: "training", [("model", .text("neighbors"))])
      rows.append(try neighborsRow(preprocessing, train, test))
      output.clearProgress()
      try show(rows, output)
    }
  }

  private func neighborsRow(_ preprocessing: Preprocessing, _ train: LabeledData, _ test: LabeledData) throws -> (
    String, Measures, Double
  ) {
    let start = ContinuousClock.now
    let measures = try neighborsMeasures(preprocessing, NearestNeighbors(train, k: neighbors), test)
    let time = start.duration(to: .now)
    let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
    return ("\(neighbors) nearest neighbours", measures, seconds)
  }

  private func neighborsMeasures(
    _ preprocessing: Preprocessing, _ nearest: NearestNeighbors, _ test: LabeledData
  ) throws -> Measures {
    var measures = Measures()
    guard let classes = preprocessing.target.classes else {
      let said = preprocessing.inverse(try nearest.predictions(test.inputs))
      let right = preprocessing.inverse(test.targets)
      for metric in [Metric.r2, .rmse, .mae] { measures[metric.name] = try metric(said, right) }
      return measures
    }
    let chances = try nearest.probabilities(test.inputs)
    measures["accuracy"] = try Metric.accuracy(chances, test.targets)
    if classes.count == 2 { measures["auc"] = try Metric.auc(chances[.all, 1], test.targets) }
    return measures
  }

  private func show(_ rows: [(String, Measures, Double)], _ output: Output) throws {
    for (name, measures, seconds) in rows {
      try output.emit(
        "compared",
        [("model", .text(name))] + EventWriter.fields(Measures().adding(measures, prefix: "test_"))
          + [("seconds", .number(seconds))])
    }
    let names = rows[0].1.names
    let lines = rows.map { name, measures, seconds in
      [name] + names.map { measures[$0].map { String(format: "%.4f", $0) } ?? "" } + [String(format: "%.2f s", seconds)]
    }
    try output.say(TextTable.lines(header: ["model"] + names + ["time"], lines, left: [0]).joined(separator: "\n"))
  }
}
