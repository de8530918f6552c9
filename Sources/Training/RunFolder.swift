import CajalEngine
import CajalFormats
import CajalPlot
import CajalTensor
import Foundation

/// Keeps a run in a folder, for people and programs to look at later:
///
/// - `run.json`: its configuration, seed, environment, state and result
/// - `history.csv`, `history.jsonl`: a line an epoch; `curves.svg`: the same as a picture
/// - `checkpoints`: what going on needs (``Checkpoint``)
/// - `model.safetensors`: the model at the end; `best.safetensors`: that of the best epoch
/// - `README.md`: a model card (Mitchell et al. 2019)
///
/// ```swift
/// try trainer.fit(data.train, epochs: 20, validation: data.test, callbacks: [.progress, .run("runs/mnist")])
/// ```
public final class RunFolder: Callback {
  /// What `run.json` says.
  public struct Record: Codable, Sendable {
    public enum Status: String, Codable, Sendable {
      case running, finished, stopped, failed
    }

    public var version = 1
    public var name: String
    public var status: Status
    public var began: Date
    public var ended: Date?
    public var seed: UInt64
    public var epochs: Int
    public var epochsDone: Int
    public var steps: Int
    public var parameters: Int
    public var configuration: [String: String]
    public var environment: [String: String]
    /// The last epoch's.
    public var measures: [String: Double]
    public var stopReason: String?
  }

  public let folder: String
  public let members: [any Callback]
  private let configuration: [String: String]
  private let metadata: [String: String]
  private var began = Date()
  /// Whether this run may write here.
  private var isOurs = false

  /// - Parameters:
  ///   - resumes: whether a run goes on with what the folder holds; otherwise it must hold none.
  ///   - configuration: what made this run what it is, for whoever compares it with others; one that goes on must have
  ///     the same.
  ///   - monitor: by which the best model is chosen; none is kept if `nil`.
  ///   - everySteps, everySeconds: checkpoints also in the middle of epochs.
  ///   - metadata: for the model files, as `Module.save` takes it.
  public init(
    _ folder: String, resumes: Bool = false, configuration: [String: String] = [:], monitor: Monitor? = nil,
    everySteps: Int? = nil, everySeconds: Double? = nil, metadata: [String: String] = [:]
  ) {
    self.folder = folder
    self.configuration = configuration
    self.metadata = metadata
    var members: [any Callback] = [
      HistoryFile("\(folder)/history.csv"), HistoryFile("\(folder)/history.jsonl"),
      Checkpoint(
        "\(folder)/checkpoints", resumes: resumes, everySteps: everySteps, everySeconds: everySeconds,
        metadata: metadata),
    ]
    if let monitor { members.append(BestModel("\(folder)/best.safetensors", monitor, metadata: metadata)) }
    self.members = members
  }

  public func on(_ event: TrainingEvent, in run: TrainingRun) throws {
    switch event {
    case .started:
      try AtomicFolder.create(folder)
      if let earlier = try? RunFolder.record(of: folder), run.totalSteps > 0 { began = earlier.began }
      isOurs = true
      try write(record(run, .running))
    case .epochFinished:
      keep(run) {
        try write(record(run, .running))
        try run.history.plot.save("\(folder)/curves.svg")
      }
    case .finished(let report):
      keep(run) {
        try run.model.save("\(folder)/model.safetensors", metadata: metadata)
        var record = record(run, report.wasStopped ? .stopped : .finished)
        record.stopReason = report.stopReason
        record.ended = Date()
        try write(record)
        try AtomicFile.write(to: "\(folder)/README.md") { try $0.write(Array(record.card.utf8)) }
      }
    case .stepFinished, .progress, .warning: break
    }
  }

  /// A run that goes on has the settings that it began with; it is asked before anything of it changes.
  func checkSettings() throws {
    guard let earlier = try? RunFolder.record(of: folder) else { return }
    let (old, new) = (earlier.configuration, configuration)
    let differences = Set(old.keys).union(new.keys).sorted().filter { old[$0] != new[$0] }.map { name in
      "\(name) was \(old[name] ?? "not given") and is \(new[name] ?? "not given")"
    }
    guard !differences.isEmpty else { return }
    throw TrainingError(
      problem: "\(folder) holds a run with other settings: " + differences.joined(separator: "; "),
      remedy: "Give what it was begun with, or another folder to begin anew")
  }

  /// A folder that cannot be written to ends nothing.
  private func keep(_ run: TrainingRun, _ body: () throws -> Void) {
    do { try body() } catch { run.warn("the run's folder was not written: \(error) Training goes on.") }
  }

  /// The run ended by an error.
  func fail(_ run: TrainingRun, _ error: any Error) {
    // A folder of another run, which this one was refused, stays as it is.
    guard isOurs else { return }
    var record = record(run, .failed)
    record.stopReason = "\(error)"
    record.ended = Date()
    try? write(record)
  }

  private func record(_ run: TrainingRun, _ status: Record.Status) -> Record {
    var measures: [String: Double] = [:]
    for (name, value) in run.history.epochs.last?.measures ?? [:] where value.isFinite { measures[name] = value }
    return Record(
      name: URL(fileURLWithPath: folder).lastPathComponent, status: status, began: began, seed: run.seed,
      epochs: run.epochs, epochsDone: run.history.epochs.count, steps: run.totalSteps,
      parameters: run.model.parameterCount, configuration: configuration, environment: RunFolder.environment,
      measures: measures)
  }

  private func write(_ record: Record) throws {
    let encoder = JSONEncoder()
    encoder.dateEncodingStrategy = .iso8601
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let bytes = [UInt8](try encoder.encode(record)) + [UInt8(ascii: "\n")]
    try AtomicFile.write(to: "\(folder)/run.json") { try $0.write(bytes) }
  }

  /// What a run's folder says of it.
  public static func record(of folder: String) throws -> Record {
    let path = "\(folder)/run.json"
    guard let data = FileManager.default.contents(atPath: path) else {
      throw FormatError(path: path, problem: "there is no such file", remedy: "Name a folder that a run was kept in")
    }
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    do {
      return try decoder.decode(Record.self, from: data)
    } catch {
      throw FormatError(
        path: path, problem: "it does not describe a run", remedy: "Name a folder that a run was kept in")
    }
  }

  /// The epochs of the run that a folder holds.
  public static func history(of folder: String) throws -> History {
    let path = "\(folder)/history.jsonl"
    guard let data = FileManager.default.contents(atPath: path) else { return History() }
    do {
      let decoder = JSONDecoder()
      var history = History()
      for line in data.split(separator: UInt8(ascii: "\n")) {
        history.epochs.append(try decoder.decode(HistoryLine.self, from: line).report)
      }
      return history
    } catch {
      throw FormatError(
        path: path, problem: "it is no history of a run", remedy: "Name a folder that a run was kept in")
    }
  }

  private static var environment: [String: String] {
    [
      "cpu": Runtime.cpuDescription, "threads": "\(Runtime.threads)",
      "system": ProcessInfo.processInfo.operatingSystemVersionString,
    ]
  }
}

extension Callback where Self == RunFolder {
  /// See ``RunFolder``.
  public static func run(
    _ folder: String, resumes: Bool = false, configuration: [String: String] = [:], monitor: Monitor? = nil,
    metadata: [String: String] = [:]
  ) -> RunFolder {
    RunFolder(folder, resumes: resumes, configuration: configuration, monitor: monitor, metadata: metadata)
  }
}

extension RunFolder.Record {
  /// A model card in Markdown.
  var card: String {
    func table(_ head: String, _ rows: [(String, String)]) -> String {
      rows.isEmpty ? "" : "\n| \(head) | |\n|---|---|\n" + rows.map { "| \($0.0) | \($0.1) |\n" }.joined()
    }
    let sorted = configuration.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    return """
      # \(name)

      A model of \(parameters) parameters, trained for \(epochsDone) of \(epochs) epochs (\(steps) steps) with \
      seed \(seed)\(stopReason.map { "; \($0)" } ?? "").

      ![Curves](curves.svg)

      ## Results
      \(table("measure of the last epoch", measures.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }))
      ## Configuration
      \(table("setting", sorted))
      ## Environment
      \(table("", environment.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
      ## Intended use, limits

      Say here what this model is for, what it must not be used for, and whom its mistakes would hurt.

      """
  }
}

extension History {
  /// The losses, and behind them the other measures, epoch by epoch.
  public var plot: Plot {
    var plot = Plot("Training", x: "epoch")
    for name in names {
      plot.line(name, x: epochs.map { Double($0.epoch) }, epochs.map { $0[name] ?? .nan })
    }
    return plot
  }
}
