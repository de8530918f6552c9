import CajalFormats
import Foundation

/// Keeps a run's epochs in a file: CSV with a header, or a JSON object a line, by the name's ending (`.csv`, `.jsonl`).
///
/// The file is written anew, whole, after each epoch: a resumed run leaves no epoch in it twice.
public final class HistoryFile: Callback {
  private let path: String

  public init(_ path: String) { self.path = path }

  public func on(_ event: TrainingEvent, in run: TrainingRun) throws {
    switch event {
    case .epochFinished, .finished: break
    default: return
    }
    do {
      let text = path.hasSuffix(".csv") ? run.history.csv : run.history.jsonLines
      try AtomicFile.write(to: path) { try $0.write(Array(text.utf8)) }
    } catch {
      run.warn("the history was not written: \(error) Training goes on.")
    }
  }
}

extension Callback where Self == HistoryFile {
  /// See ``HistoryFile``.
  public static func history(_ path: String) -> HistoryFile { HistoryFile(path) }
}

extension History {
  /// A line an epoch behind a header; what an epoch lacks is empty.
  public var csv: String {
    let names = names
    let rows = epochs.map { epoch in
      ([Double(epoch.epoch), epoch.learningRate, epoch.seconds] + names.map { epoch[$0] ?? .nan })
        .enumerated().map { $0 == 0 ? "\(Int($1))" : ($1.isNaN ? "" : "\($1)") }.joined(separator: ",")
    }
    return ((["epoch", "learning_rate", "seconds"] + names).joined(separator: ",") + "\n")
      + rows.map { $0 + "\n" }.joined()
  }

  /// An object an epoch: `epoch`, `epochs`, `learning_rate`, `seconds`, `wait_seconds`, `examples`, `measures`.
  public var jsonLines: String { epochs.map { HistoryLine($0).text }.joined() }
}

/// An epoch, as a line of a file has it.
struct HistoryLine: Decodable {
  let report: EpochReport

  init(_ report: EpochReport) { self.report = report }

  var text: String {
    // JSON has no infinities and no NaN.
    func number(_ value: Double) -> String { value.isFinite ? "\(value)" : "null" }
    let measures = report.measures.map { "\"\($0.name)\":" + number($0.value) }.joined(separator: ",")
    return """
      {"epoch":\(report.epoch),"epochs":\(report.epochs),"learning_rate":\(number(report.learningRate)),\
      "seconds":\(number(report.seconds)),"wait_seconds":\(number(report.waitSeconds)),\
      "examples":\(report.examples),"measures":{\(measures)}}

      """
  }

  private enum Key: String, CodingKey {
    case epoch, epochs, seconds, examples, measures
    case learningRate = "learning_rate"
    case waitSeconds = "wait_seconds"
  }

  init(from decoder: any Decoder) throws {
    let line = try decoder.container(keyedBy: Key.self)
    func number(_ key: Key) throws -> Double { try line.decodeIfPresent(Double.self, forKey: key) ?? .nan }
    let found = try line.decode([String: Double?].self, forKey: .measures)
    var measures = Measures()
    // The order of an object's members is lost: the loss first, training before validation.
    for name in found.keys.sorted(by: { HistoryLine.place($0) < HistoryLine.place($1) }) {
      measures[name] = (found[name] ?? nil) ?? .nan
    }
    report = EpochReport(
      epoch: try line.decode(Int.self, forKey: .epoch), epochs: try line.decode(Int.self, forKey: .epochs),
      measures: measures, learningRate: try number(.learningRate), seconds: try number(.seconds),
      waitSeconds: try number(.waitSeconds), examples: try line.decode(Int.self, forKey: .examples))
  }

  private static func place(_ name: String) -> (Int, Int, String) {
    (name.hasPrefix("val_") ? 1 : 0, name.hasSuffix("loss") ? 0 : 1, name)
  }
}
