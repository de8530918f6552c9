import Cajal
import Foundation

/// What the commands print: lines for people, or one JSON object a line for programs.
struct Output {
  let isJSON: Bool
  private let isTerminal = isatty(STDERR_FILENO) != 0

  /// A line for people; with --json there is none.
  func say(_ line: String) {
    if !isJSON { write(line) }
  }

  /// An event for programs, keys in the order given; without --json there is none.
  func emit(_ event: String, _ fields: KeyValuePairs<String, JSON>) {
    guard isJSON else { return }
    let parts = ["\"event\":\"\(event)\""] + fields.map { "\"\($0.key)\":\($0.value.text)" }
    write("{" + parts.joined(separator: ",") + "}")
  }

  /// Written at once: whoever reads a pipe sees each line when it happens.
  private func write(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

  /// A line that the next one writes over, on a terminal; standard output stays clean.
  func progress(_ line: String) {
    guard isTerminal, !isJSON else { return }
    FileHandle.standardError.write(Data("\r\u{1B}[K\(line)".utf8))
  }

  func clearProgress() { progress("") }
}

/// A JSON value of the few kinds that events need.
enum JSON {
  case number(Double)
  case integer(Int)
  case text(String)
  case null

  var text: String {
    switch self {
    // JSON has no infinities and no NaN.
    case .number(let value): value.isFinite ? "\(value)" : "null"
    case .integer(let value): "\(value)"
    case .text(let value): JSON.quoted(value)
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
  var testAccuracy: Double
  var trainSeconds: Double
  var stepPlans: Int

  func report(_ output: Output) {
    output.emit(
      "finished",
      [
        "test_accuracy": .number(testAccuracy), "train_seconds": .number(trainSeconds),
        "peak_memory_bytes": .integer(Memory.peakBytes), "plans_compiled": .integer(Runtime.counters.plansCompiled),
        "step_plans_compiled": .integer(stepPlans),
      ])
    output.say(String(format: "test accuracy %.2f%%", testAccuracy * 100))
  }
}

enum Memory {
  /// The most memory that this process has had resident.
  static var peakBytes: Int {
    #if os(Linux)
      // getrusage's figure outlives exec on Linux and may be the parent's.
      if let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
        let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
        let kibibytes = line.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Int($0) })
      {
        return kibibytes * 1024
      }
    #endif
    #if canImport(Darwin)
      var usage = rusage()
      getrusage(RUSAGE_SELF, &usage)
      return usage.ru_maxrss
    #else
      return 0
    #endif
  }
}
