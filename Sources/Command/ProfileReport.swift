import Cajal
import CajalFormats
import Foundation

/// Shows a profile beside the peaks of the machine, and writes its trace.
struct ProfileReport {
  let report: Profile.Report
  let peaks: MachinePeaks

  /// - Parameter trace: the file to write the trace to.
  static func show(_ profile: Profile, trace: String?, _ output: Output) throws {
    let peaks = try MachinePeaks.measured(secondsEach: 0.05, output)
    let shown = ProfileReport(report: profile.report, peaks: peaks)
    try shown.say(output)
    try shown.emit(output)
    guard let trace else { return }
    let bytes = [UInt8](try profile.trace())
    try AtomicFile.write(to: trace) { try $0.write(bytes) }
    try output.say("trace: \(trace), for https://ui.perfetto.dev or chrome://tracing")
    try output.emit("trace", ["file": .text(trace)])
  }

  /// Of the time in steps; plans with less are not shown to people.
  private static let leastShare = 0.01

  private func share(_ seconds: Double) -> Double { report.seconds > 0 ? seconds / report.seconds : 0 }

  // MARK: For people

  private func say(_ output: Output) throws {
    try output.say(
      String(
        format: "profile of %.2f s: %.1f%% in steps of plans, %.1f%% outside", report.seconds,
        100 * (1 - report.shareOutsideSteps), 100 * report.shareOutsideSteps))
    let activities = Profile.Activity.allCases.compactMap { activity in
      report.activities[activity].map { String(format: "%@ %.1f%%", activity.rawValue, 100 * share($0)) }
    }
    try output.say("the threads: " + activities.joined(separator: ", "))
    try output.say("plans: \(report.counters.plansCompiled) compiled, \(report.counters.planHits) found")
    try output.say(
      String(
        format: "peaks of %d threads: %.1f GFLOP/s in float32, %@", peaks.threads, peaks.float32 / 1e9,
        peaks.bandwidths.map { String(format: "%.1f GB/s in %d MiB", $0.best / 1e9, $0.workingSet >> 20) }
          .joined(separator: ", ")))
    let shown = report.plans.filter { $0.seconds >= ProfileReport.leastShare * report.stepSeconds }
    for plan in shown { try say(plan, output) }
    let rest = report.plans.dropFirst(shown.count)
    if !rest.isEmpty {
      let seconds = rest.reduce(0) { $0 + $1.seconds }
      try output.say(String(format: "\n%d other plans: %.2f%% of the time", rest.count, 100 * share(seconds)))
    }
  }

  private func say(_ plan: Profile.Report.Plan, _ output: Output) throws {
    try output.say(
      String(
        format: "\nplan %d: %d runs of %d steps, %.3f ms each, %.1f%% of the time", plan.number, plan.runs,
        plan.steps.count, 1000 * plan.seconds / Double(max(1, plan.runs)), 100 * share(plan.seconds)))
    let header = ["step", "calls", "µs each", "time", "GFLOP/s", "of peak", "GB/s", "of peak", ""]
    try output.say(TextTable.lines(header: header, plan.steps.map(row)).joined(separator: "\n"))
  }

  private func row(_ step: Profile.Report.Step) -> [String] {
    [
      "\(step.number)", "\(step.calls)", String(format: "%.1f", 1e6 * step.seconds / Double(max(1, step.calls))),
      String(format: "%.1f%%", 100 * share(step.seconds)), String(format: "%.1f", step.flopRate / 1e9),
      String(format: "%.0f%%", 100 * flopShare(step)), String(format: "%.1f", step.byteRate / 1e9),
      String(format: "%.0f%%", 100 * byteShare(step)), step.name + (step.module.map { " in \($0)" } ?? ""),
    ]
  }

  private func flopShare(_ step: Profile.Report.Step) -> Double { step.flopRate / peaks.operations(in: step.dtype) }
  private func byteShare(_ step: Profile.Report.Step) -> Double { step.byteRate / peaks.bandwidth(of: step.bytes) }

  // MARK: For programs

  private func emit(_ output: Output) throws {
    func seconds(_ activity: Profile.Activity) -> JSON { .number(report.activities[activity] ?? 0) }
    try output.emit(
      "profile",
      [
        "seconds": .number(report.seconds), "step_seconds": .number(report.stepSeconds),
        "share_outside": .number(report.shareOutsideSteps), "recording_seconds": seconds(.recording),
        "finding_seconds": seconds(.finding), "compiling_seconds": seconds(.compiling),
        "waiting_seconds": seconds(.waiting), "binding_seconds": seconds(.binding),
        "publishing_seconds": seconds(.publishing), "plans_compiled": .integer(report.counters.plansCompiled),
        "plans_hit": .integer(report.counters.planHits),
      ])
    for plan in report.plans {
      try output.emit(
        "plan",
        [
          "plan": .integer(plan.number), "runs": .integer(plan.runs), "steps": .integer(plan.steps.count),
          "seconds": .number(plan.seconds), "share": .number(share(plan.seconds)),
        ])
      for step in plan.steps { try emit(step, plan.number, output) }
    }
  }

  private func emit(_ step: Profile.Report.Step, _ plan: Int, _ output: Output) throws {
    try output.emit(
      "step",
      [
        "plan": .integer(plan), "step": .integer(step.number), "name": .text(step.name),
        "module": step.module.map(JSON.text) ?? .null, "calls": .integer(step.calls),
        "seconds": .number(step.seconds), "share": .number(share(step.seconds)), "flops": .integer(step.flops),
        "bytes": .integer(step.bytes), "flops_per_second": .number(step.flopRate),
        "share_of_peak_flops": .number(flopShare(step)), "bytes_per_second": .number(step.byteRate),
        "share_of_peak_bytes": .number(byteShare(step)),
      ])
  }
}

/// Columns of text: numbers stand right, the last column left.
enum TextTable {
  ///
  /// - Parameter left: columns of words, besides the last; numbers stand at the right.
  static func lines(header: [String], _ rows: [[String]], left: Set<Int> = []) -> [String] {
    let all = [header] + rows
    let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      let cells = row.indices.dropLast().map { column -> String in
        let room = String(repeating: " ", count: widths[column] - row[column].count)
        return left.contains(column) ? row[column] + room : room + row[column]
      }
      let line = "  " + cells.joined(separator: "  ") + "  " + (row.last ?? "")
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
  }
}
