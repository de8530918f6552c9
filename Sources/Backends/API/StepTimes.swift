import CajalCompiler

/// When the steps of one run began and ended, for a profile. A run has one only while somebody profiles.
public final class StepTimes: @unchecked Sendable {
  /// The run's beginning, that of its first step, and then the end of each step.
  public private(set) var marks: [ContinuousClock.Instant] = []

  public init() {}

  func mark() { marks.append(.now) }
}

extension Executable {
  /// Of runs that do not tell.
  public var steps: [StepSummary] { [] }
}
