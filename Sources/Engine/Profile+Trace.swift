import CajalCompiler
import Foundation

extension Profile {
  /// The profile as a trace that `chrome://tracing` and https://ui.perfetto.dev show: steps on one row (one
  /// more for each run beside them), and a row for each thread. Of a long run it holds the beginning.
  ///
  /// Google's Trace Event Format: complete events, times in microseconds.
  public func trace() throws -> Data {
    let (events, names) = state.withLock { ($0.stepEvents + $0.threadEvents, $0.rowNames) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
    return try encoder.encode(Trace(traceEvents: names + events))
  }

  fileprivate struct Trace: Encodable {
    let traceEvents: [TraceEvent]
    let displayTimeUnit = "ms"
  }

  fileprivate struct TraceEvent: Encodable {
    struct Arguments: Encodable {
      var name: String?
      var plan: Int?
      var step: Int?
      var gflops: Double?
      var gigabytes: Double?

      enum CodingKeys: String, CodingKey {
        case name, plan, step
        case gflops = "GFLOP/s"
        case gigabytes = "GB/s"
      }
    }

    let name: String
    let cat: String
    let ph: String
    let ts: Double
    let dur: Double
    let pid = 1
    let tid: Int
    let args: Arguments
  }

  /// Rows of steps are numbered from 1, those of threads from here.
  fileprivate static let firstThreadRow = 1000
}

extension Profile.State {
  private func microseconds(_ instant: ContinuousClock.Instant) -> Double {
    (origin ?? instant).duration(to: instant) / .microseconds(1)
  }

  private func event(
    _ name: String, _ category: String, _ began: ContinuousClock.Instant, _ ended: ContinuousClock.Instant, row: Int,
    _ arguments: Profile.TraceEvent.Arguments = .init()
  ) -> Profile.TraceEvent {
    let start = microseconds(began)
    return Profile.TraceEvent(
      name: name, cat: category, ph: "X", ts: start, dur: microseconds(ended) - start, tid: row, args: arguments)
  }

  fileprivate var threadEvents: [Profile.TraceEvent] {
    spans.map { span in
      event(
        span.activity.rawValue, "engine", span.began, span.ended, row: Profile.firstThreadRow + span.thread)
    }
  }

  fileprivate var stepEvents: [Profile.TraceEvent] {
    zip(runs, stepRows).flatMap { run, row -> [Profile.TraceEvent] in
      guard let plan = plans[run.plan] else { return [] }
      return zip(run.marks, run.marks.dropFirst()).enumerated().compactMap { index, marks in
        guard index < plan.steps.count else { return nil }
        let step = plan.steps[index]
        let nanoseconds = max(1, marks.0.duration(to: marks.1) / .nanoseconds(1))
        return event(
          step.name, "step", marks.0, marks.1, row: row,
          .init(
            plan: plan.number, step: index + 1, gflops: Double(step.cost.flops) / nanoseconds,
            gigabytes: Double(step.cost.bytes) / nanoseconds))
      }
    }
  }

  /// For each run the first row on which nothing else runs meanwhile.
  private var stepRows: [Int] {
    var ends: [ContinuousClock.Instant] = []
    var rows = [Int](repeating: 1, count: runs.count)
    for index in runs.indices.sorted(by: { runs[$0].began < runs[$1].began }) {
      let row = ends.firstIndex { $0 <= runs[index].began } ?? ends.count
      if row == ends.count { ends.append(runs[index].ended) } else { ends[row] = runs[index].ended }
      rows[index] = row + 1
    }
    return rows
  }

  fileprivate var rowNames: [Profile.TraceEvent] {
    let steps = Set(stepRows).sorted().map { ($0, $0 == 1 ? "steps" : "steps (\($0))") }
    let threads = Set(spans.map(\.thread)).sorted().map { thread in
      let does = recordingThreads.contains(thread) ? "records" : "runs"
      return (Profile.firstThreadRow + thread, "thread \(thread + 1), which \(does)")
    }
    return (steps + threads).map { row, name in
      Profile.TraceEvent(name: "thread_name", cat: "", ph: "M", ts: 0, dur: 0, tid: row, args: .init(name: name))
    }
  }
}

extension Profile.PlanRun {
  // A run has at least the beginning of its steps.
  fileprivate var began: ContinuousClock.Instant { marks[marks.startIndex] }
  fileprivate var ended: ContinuousClock.Instant { marks[marks.endIndex - 1] }
}
