import Foundation

/// Shows a run on standard error: on a terminal a bar that moves, with the measures so far, the rate, the time left
/// and the share of time in which no data was there; elsewhere a line an epoch, and one now and then within.
public final class ProgressBar: Callback {
  private let isTerminal = isatty(STDERR_FILENO) != 0
  private var lastLine = ContinuousClock.now

  public init() {}

  public func on(_ event: TrainingEvent, in run: TrainingRun) {
    switch event {
    case .started: lastLine = .now
    case .progress(let report):
      if isTerminal { return write("\r\u{1B}[K" + report.line(bar: true)) }
      guard lastLine.duration(to: .now) > .seconds(5) else { return }
      lastLine = .now
      write(report.line(bar: false) + "\n")
    case .epochFinished(let report): write((isTerminal ? "\r\u{1B}[K" : "") + report.line + "\n")
    case .warning(let text): write((isTerminal ? "\r\u{1B}[K" : "") + "warning: \(text)\n")
    case .finished(let report):
      if isTerminal { write("\r\u{1B}[K") }
      if let reason = report.stopReason { write("stopped: \(reason)\n") }
    case .stepFinished: break
    }
  }

  /// What cannot be shown ends nothing.
  private func write(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }
}

extension Callback where Self == ProgressBar {
  /// See ``ProgressBar``.
  public static var progress: ProgressBar { ProgressBar() }
}

extension ProgressReport {
  /// `epoch 3/10  step 120/469  loss 0.1234  accuracy 0.9612  51000 examples/s  0:07 left`, without a bar.
  public func line(bar: Bool) -> String {
    var parts = ["epoch \(epoch)/\(epochs)"]
    if bar, let steps { parts.append(ProgressReport.bar(Double(step) / Double(max(1, steps)))) }
    parts.append("step \(step)" + (steps.map { "/\($0)" } ?? ""))
    parts += [measures.text, String(format: "%.0f examples/s", examplesPerSecond)]
    if waitShare >= 0.05 { parts.append(String(format: "waits for data %.0f%%", waitShare * 100)) }
    if let secondsLeft { parts.append("\(ProgressReport.clock(secondsLeft)) left") }
    return parts.joined(separator: "  ")
  }

  private static func bar(_ share: Double) -> String {
    let width = 20
    let full = Int(share.clamped(to: 0...1) * Double(width))
    return String(repeating: "━", count: full) + String(repeating: "─", count: width - full)
  }

  /// `1:02:03`, `2:03`, `0:03`.
  static func clock(_ seconds: Double) -> String {
    let whole = Int(seconds.clamped(to: 0...1e9).rounded(.up))
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
    return hours > 0 ? String(format: "%d:%02d:%02d", hours, minutes, rest) : String(format: "%d:%02d", minutes, rest)
  }
}

extension EpochReport {
  /// `epoch 3/10  loss 0.1234  val_accuracy 0.9612  0.8 s`.
  public var line: String { "epoch \(epoch)/\(epochs)  \(measures.text)" + String(format: "  %.1f s", seconds) }
}

extension Double {
  fileprivate func clamped(to range: ClosedRange<Double>) -> Double {
    isNaN ? range.lowerBound : Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
  }
}
