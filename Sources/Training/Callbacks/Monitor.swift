/// Which of an epoch's measures is watched, and whether it should rise or fall.
public struct Monitor: Sendable, Hashable, Codable, ExpressibleByStringLiteral {
  public let name: String
  public let shouldRise: Bool

  /// - Parameter shouldRise: known by the name if `nil`: accuracies and scores rise, losses and errors fall.
  public init(_ name: String, shouldRise: Bool? = nil) {
    self.name = name
    self.shouldRise = shouldRise ?? Monitor.rising.contains { name.contains($0) }
  }

  public init(stringLiteral name: String) { self.init(name) }

  /// Parts of the names of what is better when it is more.
  private static let rising = [
    "accuracy", "auc", "precision", "recall", "f1", "r2", "score", "top", "Accuracy", "Precision",
  ]

  /// Whether `value` is better than `other` by more than `delta`.
  func isBetter(_ value: Double, than other: Double, by delta: Double = 0) -> Bool {
    shouldRise ? value > other + delta : value < other - delta
  }

  /// Its number in an epoch.
  ///
  /// - Throws: ``TrainingError`` where the epoch has none.
  func value(in report: EpochReport) throws -> Double {
    if let value = report[name] { return value }
    let names = report.measures.names.joined(separator: ", ")
    throw TrainingError(
      problem: "there is no \(name) to watch",
      remedy: "Watch one of \(names)" + (name.hasPrefix("val_") ? ", or pass a validation part" : ""))
  }
}
