import Cajal
import Foundation

/// Shows a run: lines for people, or an event a line for programs.
final class EventWriter: Callback {
  private let output: Output

  init(_ output: Output) { self.output = output }

  func on(_ event: TrainingEvent, in run: TrainingRun) throws {
    switch event {
    case .started(let report):
      try output.emit(
        "started",
        [
          "version": .integer(TrainingEvent.version), "epochs": .integer(report.epochs),
          "epochs_done": .integer(report.epochsDone), "steps": report.steps.map(JSON.integer) ?? .null,
        ])
      if report.epochsDone > 0 { try output.say("goes on after epoch \(report.epochsDone)") }
    case .progress(let report):
      try output.progress(report.line(bar: output.hasBar), event: "progress", fields(report))
    case .epochFinished(let report): try show(report)
    case .warning(let text):
      output.clearProgress()
      output.warn(text)
    case .finished: output.clearProgress()
    case .stepFinished: break
    }
  }

  private func fields(_ report: ProgressReport) -> [(String, JSON)] {
    [("epoch", .integer(report.epoch)), ("step", .integer(report.step))] + EventWriter.fields(report.measures)
      + [
        ("examples_per_second", .number(report.examplesPerSecond)), ("wait_share", .number(report.waitShare)),
        ("seconds_left", report.secondsLeft.map(JSON.number) ?? .null),
      ]
  }

  private func show(_ report: EpochReport) throws {
    output.clearProgress()
    try output.say(report.line)
    try output.emit("epoch", report.fields)
  }

  static func fields(_ measures: Measures) -> [(String, JSON)] { measures.map { ($0.name, .number($0.value)) } }
}

extension EpochReport {
  /// What an event says of it.
  var fields: [(String, JSON)] {
    [("epoch", .integer(epoch))] + EventWriter.fields(measures)
      + [
        ("learning_rate", .number(learningRate)), ("seconds", .number(seconds)), ("wait_seconds", .number(waitSeconds)),
      ]
  }
}

/// Ends a run that Ctrl-C asked to end, after its step.
final class InterruptCallback: Callback {
  func on(_ event: TrainingEvent, in run: TrainingRun) {
    switch event {
    case .stepFinished, .epochFinished: if Interrupt.wasRequested { run.stop("Ctrl-C") }
    default: break
    }
  }
}
