import ArgumentParser
import Cajal
import Foundation

struct Benchmark: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure what this machine can do at most: arithmetic, memory, threads.",
    discussion: """
      These are the figures that `cajal profile` takes its shares of. Arithmetic is multiply-adds in registers, \
      two operations each. Memory is gone over again and again in working sets of growing size, so that small \
      ones show the caches; bytes read and written both count. The triad is a = b + s · c.

      EXAMPLES
        cajal benchmark
        cajal benchmark --threads 1 --json
      """)

  @OptionGroup var options: CommonOptions

  func run() async throws {
    options.apply()
    let output = Output(isJSON: options.json)
    let peaks = try MachinePeaks.measured(secondsEach: 0.2, output)
    try output.say("cpu: \(Runtime.cpuDescription)")
    try say(peaks, output)
    try emit(peaks, output)
  }

  private func say(_ peaks: MachinePeaks, _ output: Output) throws {
    func rate(_ rate: Double?) -> String { rate.map { String(format: "%.1f GFLOP/s", $0 / 1e9) } ?? "not there" }
    try output.say("float32 multiply-adds: \(rate(peaks.float32))")
    try output.say("float64 multiply-adds: \(rate(peaks.float64))")
    try output.say("bfloat16 multiply-adds: \(rate(peaks.bfloat16))")
    let rows = peaks.bandwidths.map { set in
      [set.read, set.copy, set.triad].map { String(format: "%.1f", $0 / 1e9) } + ["of \(set.workingSet >> 20) MiB"]
    }
    try output.say("memory, GB/s:")
    try output.say(TextTable.lines(header: ["read", "copy", "triad", ""], rows).joined(separator: "\n"))
    try output.say(String(format: "setting %d threads to work: %.2f µs", peaks.threads, 1e6 * peaks.forkJoin))
  }

  private func emit(_ peaks: MachinePeaks, _ output: Output) throws {
    try output.emit(
      "peaks",
      [
        "cpu": .text(Runtime.cpuDescription), "threads": .integer(peaks.threads),
        "float32_flops_per_second": .number(peaks.float32), "float64_flops_per_second": .number(peaks.float64),
        "bfloat16_flops_per_second": peaks.bfloat16.map(JSON.number) ?? .null,
        "fork_join_seconds": .number(peaks.forkJoin),
      ])
    for set in peaks.bandwidths {
      try output.emit(
        "bandwidth",
        [
          "working_set_bytes": .integer(set.workingSet), "read_bytes_per_second": .number(set.read),
          "copy_bytes_per_second": .number(set.copy), "triad_bytes_per_second": .number(set.triad),
        ])
    }
  }
}

extension MachinePeaks {
  /// Measures them, and shows how far that is.
  static func measured(secondsEach: Double, _ output: Output) throws -> MachinePeaks {
    defer { output.clearProgress() }
    return try measure(secondsEach: secondsEach) { figure in
      try output.progress("measuring this machine: \(figure)", event: "measuring", ["figure": .text(figure)])
    }
  }
}
