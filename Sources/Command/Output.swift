import Cajal
import Foundation

/// What the commands print: lines for people, or one JSON object a line for programs.
final class Output {
  let isJSON: Bool
  private let isTerminal = isatty(STDERR_FILENO) != 0
  private var lastProgress = ContinuousClock.now

  init(isJSON: Bool) { self.isJSON = isJSON }

  /// A line for people; with --json there is none.
  func say(_ line: String) throws {
    if !isJSON { try write(line) }
  }

  /// An event for programs, keys in the order given; without --json there is none.
  func emit(_ event: String, _ fields: KeyValuePairs<String, JSON>) throws {
    try emit(event, fields.map { ($0.key, $0.value) })
  }

  func emit(_ event: String, _ fields: [(String, JSON)]) throws {
    guard isJSON else { return }
    try write(JSON.object([("event", .text(event))] + fields).text)
  }

  /// A file that was written.
  func saved(_ path: String) throws {
    try say("saved \(path)")
    try emit("saved", ["path": .text(path)])
  }

  /// Something to know that ends nothing.
  func warn(_ text: String) { complete("warning: \(text)\n") }

  /// Whether progress is shown in place.
  var hasBar: Bool { isTerminal && !isJSON }

  /// Written at once: whoever reads a pipe sees each line when it happens.
  private func write(_ line: String) throws {
    do {
      try FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
    } catch {
      throw OutputError()
    }
  }

  /// How a long task is going. On a terminal a line that the next one writes over; elsewhere, and as
  /// JSON, a line now and then. Standard output stays clean of the lines for people.
  func progress(_ line: String, event: String, _ fields: KeyValuePairs<String, JSON>) throws {
    try progress(line, event: event, fields.map { ($0.key, $0.value) })
  }

  func progress(_ line: String, event: String, _ fields: [(String, JSON)]) throws {
    if isTerminal, !isJSON { return complete("\r\u{1B}[K\(line)") }
    guard lastProgress.duration(to: .now) > .seconds(2) else { return }
    lastProgress = .now
    if isJSON { try emit(event, fields) } else { complete(line + "\n") }
  }

  func clearProgress() {
    if isTerminal, !isJSON { complete("\r\u{1B}[K") }
  }

  /// Progress that cannot be shown ends nothing.
  private func complete(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }
}

/// Standard output is full or closed.
struct OutputError: Error, CustomStringConvertible {
  var description: String { "standard output cannot be written. Free space there, or direct it elsewhere." }
}

/// A JSON value, for writing.
enum JSON {
  case number(Double)
  case integer(Int)
  case text(String)
  case flag(Bool)
  case array([JSON])
  case object([(String, JSON)])
  case null

  var text: String {
    switch self {
    // JSON has no infinities and no NaN.
    case .number(let value): value.isFinite ? "\(value)" : "null"
    case .integer(let value): "\(value)"
    case .text(let value): JSON.quoted(value)
    case .flag(let value): "\(value)"
    case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { JSON.quoted($0.0) + ":" + $0.1.text }.joined(separator: ",") + "}"
    case .null: "null"
    }
  }

  private static func quoted(_ text: String) -> String {
    let escaped = text.unicodeScalars.map { scalar -> String in
      switch scalar {
      case "\"": "\\\""
      case "\\": "\\\\"
      case _ where scalar.value < 0x20: String(format: "\\u%04x", scalar.value)
      default: String(scalar)
      }
    }
    return "\"" + escaped.joined() + "\""
  }
}

/// What a run ends with: the same for training and evaluation.
struct Finish {
  /// `test_accuracy` and the like.
  var measures: Measures
  var trainSeconds: Double
  var stepPlans: Int

  func report(_ output: Output) throws {
    try output.emit(
      "finished",
      EventWriter.fields(measures) + [
        ("train_seconds", .number(trainSeconds)), ("peak_memory_bytes", .integer(Memory.peakBytes)),
        ("plans_compiled", .integer(Runtime.counters.plansCompiled)), ("step_plans_compiled", .integer(stepPlans)),
      ])
    for (name, value) in measures {
      let words = name.replacingOccurrences(of: "_", with: " ")
      try output.say(
        name.hasSuffix("accuracy")
          ? String(format: "\(words) %.2f%%", value * 100) : String(format: "\(words) %.4f", value))
    }
  }
}

/// The accuracy on pictures, which may take a while.
func measuredAccuracy(of model: some Layer, on data: LabeledData, _ output: Output) throws -> Double {
  defer { output.clearProgress() }
  return try accuracy(of: model, on: data, batchSize: PictureTraining.testBatchSize) { done in
    try output.progress(
      "testing \(done)/\(data.count)", event: "testing", ["done": .integer(done), "examples": .integer(data.count)])
  }
}
