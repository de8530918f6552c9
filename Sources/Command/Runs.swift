import ArgumentParser
import Cajal
import Foundation

/// What `cajal train --run` kept.
struct Runs: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look at the runs that `cajal train --run` kept.",
    discussion: """
      EXAMPLES
        cajal train --run runs/first
        cajal train --run runs/second --hidden 256
        cajal runs list
        cajal runs show runs/first
        cajal runs compare runs/first runs/second
        cajal runs plot runs/first runs/second --measure val_loss --out losses.svg
      """,
    subcommands: [List.self, Show.self, Compare.self, Plot.self], defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "One line a run.")

    @Argument(help: "The folder that the runs' folders are in.", completion: .directory)
    var folder = "runs"

    @Flag(help: "One JSON object a line.")
    var json = false

    func run() throws {
      let output = Output(isJSON: json)
      let runs = try KeptRun.all(in: folder)
      for run in runs { try output.emit("run", run.fields) }
      let rows = runs.map { run in
        let record = run.record
        return [
          run.path, record.status.rawValue, "\(record.epochsDone)/\(record.epochs)", run.summary(of: record.measures),
        ]
      }
      let lines = TextTable.lines(header: ["run", "state", "epochs", "last epoch"], rows, left: [0, 1, 3])
      try output.say(lines.joined(separator: "\n"))
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "All that a run's folder says.")

    @Argument(help: "The run's folder.", completion: .directory)
    var folder: String

    @Flag(help: "One JSON object a line.")
    var json = false

    func run() throws {
      let output = Output(isJSON: json)
      let run = try KeptRun(folder)
      try output.emit("run", run.fields)
      for epoch in run.history.epochs { try output.emit("epoch", epoch.fields) }
      let record = run.record
      try output.say(
        "\(record.name): \(record.status.rawValue), \(record.epochsDone) of \(record.epochs) epochs, \(record.steps) steps, "
          + "\(record.parameters) parameters, seed \(record.seed)" + (record.stopReason.map { "; \($0)" } ?? ""))
      for (key, value) in record.configuration.sorted(by: { $0.key < $1.key }) { try output.say("  \(key): \(value)") }
      for (key, value) in record.environment.sorted(by: { $0.key < $1.key }) { try output.say("  \(key): \(value)") }
      let names = run.history.names
      let rows = run.history.epochs.map { epoch in
        ["\(epoch.epoch)"] + names.map { epoch[$0].map { String(format: "%.4f", $0) } ?? "" }
      }
      try output.say(TextTable.lines(header: ["epoch"] + names, rows).joined(separator: "\n"))
    }
  }

  struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Runs beside each other: what differs in their configuration, and how they ended.")

    @Argument(help: "The runs' folders.", completion: .directory)
    var folders: [String]

    func validate() throws {
      if folders.count < 2 { throw ValidationError("Name at least two runs.") }
    }

    func run() throws {
      let runs = try folders.map { try KeptRun($0) }
      let settings = Set(runs.flatMap(\.record.configuration.keys)).sorted().filter { key in
        Set(runs.map { $0.record.configuration[key] }).count > 1
      }
      var rows = settings.map { key in [key] + runs.map { $0.record.configuration[key] ?? "" } }
      rows.append(["epochs"] + runs.map { "\($0.record.epochsDone)" })
      rows.append(["parameters"] + runs.map { "\($0.record.parameters)" })
      for name in runs[0].history.names {
        let monitor = Monitor(name)
        rows.append(
          ["best \(name)"]
            + runs.map { run in
              let values = run.history[name].filter(\.isFinite)
              return (monitor.shouldRise ? values.max() : values.min()).map { String(format: "%.4f", $0) } ?? ""
            })
      }
      print(TextTable.lines(header: [""] + folders, rows).joined(separator: "\n"))
    }
  }

  struct Plot: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Draw one measure of some runs, as SVG.")

    @Argument(help: "The runs' folders.", completion: .directory)
    var folders: [String]

    @Option(help: "Which measure: loss, val_loss, accuracy, …")
    var measure = "loss"

    @Option(help: "Where to write the picture.")
    var out = "runs.svg"

    func validate() throws {
      if folders.isEmpty { throw ValidationError("Name at least one run.") }
      try checkWritable(out, option: "--out")
    }

    func run() throws {
      var plot = Cajal.Plot(measure, x: "epoch", y: measure)
      for folder in folders {
        let run = try KeptRun(folder)
        let values = run.history[measure]
        if values.isEmpty {
          throw ValidationError(
            "\(folder) has no \(measure). It has \(run.history.names.joined(separator: ", ")).")
        }
        plot.line(folder, values)
      }
      try plot.save(out)
      print("wrote \(out)")
    }
  }
}

/// A run that a folder holds.
struct KeptRun {
  let path: String
  let record: RunFolder.Record
  let history: History

  init(_ path: String) throws {
    self.path = path
    record = try RunFolder.record(of: path)
    history = try RunFolder.history(of: path)
  }

  /// The runs in a folder, by name.
  static func all(in folder: String) throws -> [KeptRun] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
      throw ValidationError("there is no folder \(folder). Keep a run: cajal train --run \(folder)/first.")
    }
    return try names.sorted().map { "\(folder)/\($0)" }
      .filter { FileManager.default.fileExists(atPath: "\($0)/run.json") }.map { try KeptRun($0) }
  }

  var fields: [(String, JSON)] {
    [
      ("run", .text(path)), ("status", .text(record.status.rawValue)), ("epochs", .integer(record.epochs)),
      ("epochs_done", .integer(record.epochsDone)), ("steps", .integer(record.steps)),
      ("parameters", .integer(record.parameters)), ("seed", .text("\(record.seed)")),
      ("configuration", .object(record.configuration.sorted { $0.key < $1.key }.map { ($0.key, .text($0.value)) })),
      ("measures", .object(record.measures.sorted { $0.key < $1.key }.map { ($0.key, .number($0.value)) })),
    ]
  }

  func summary(of measures: [String: Double]) -> String {
    measures.sorted { $0.key < $1.key }.map { "\($0.key) " + String(format: "%.4f", $0.value) }.joined(separator: "  ")
  }
}
