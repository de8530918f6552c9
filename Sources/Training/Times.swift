/// Where a run's time goes.
struct Times {
  /// In all epochs, without validation.
  private(set) var training = 0.0
  private(set) var inLastEpoch = 0.0
  /// In this epoch, for batches.
  private(set) var waited = 0.0
  /// Of this epoch, in this process.
  var examples = 0
  private(set) var steps = 0
  private var epochStart = ContinuousClock.now
  private var lastReport = ContinuousClock.now

  mutating func beginEpoch() {
    (waited, examples, steps) = (0, 0, 0)
    epochStart = .now
    lastReport = .now
  }

  /// Runs `body`, which gets the batches of a step, as time without one.
  mutating func waiting<Element>(_ body: () -> [Element]) -> [Element] {
    let start = ContinuousClock.now
    let result = body()
    waited += start.duration(to: .now).seconds
    steps += result.isEmpty ? 0 : 1
    return result
  }

  /// Ten times a second: often enough for an eye, too rarely to cost anything.
  var isReportDue: Bool { lastReport.duration(to: .now) > .milliseconds(100) }
  mutating func reported() { lastReport = .now }

  var inEpoch: Double { epochStart.duration(to: .now).seconds }

  mutating func endEpoch() {
    inLastEpoch = inEpoch
    training += inLastEpoch
  }
}

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
