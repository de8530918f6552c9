import CajalBase
import CajalCompiler

extension Profile {
  /// A profile in numbers.
  public struct Report: Sendable {
    /// Of the measured closures.
    public let seconds: Double
    /// What threads spent on what, together: they do more than one thing at a time.
    public let activities: [Activity: Double]
    public let counters: EngineCounters
    /// Those that take longest first.
    public let plans: [Plan]

    /// In steps of plans.
    public var stepSeconds: Double { plans.reduce(0) { $0 + $1.seconds } }

    /// The fraction of the time in which no step ran.
    public var shareOutsideSteps: Double { seconds > 0 ? max(0, 1 - stepSeconds / seconds) : 0 }

    public struct Plan: Sendable {
      /// In the order in which they were first run, from 1.
      public let number: Int
      public let runs: Int
      /// Those that take longest first.
      public let steps: [Step]

      public var seconds: Double { steps.reduce(0) { $0 + $1.seconds } }
    }

    public struct Step: Sendable {
      /// Its place in the plan, from 1.
      public let number: Int
      /// `matmul 128×784×512 and group of 3 [128, 512]`.
      public let name: String
      /// The module that recorded it, if one did.
      public let module: String?
      /// What it computes in.
      public let dtype: DType
      public let calls: Int
      /// Of all calls.
      public let seconds: Double
      /// Floating-point operations of one call.
      public let flops: Int
      /// Bytes that one call must move.
      public let bytes: Int

      /// Floating-point operations a second.
      public var flopRate: Double { seconds > 0 ? Double(flops) * Double(calls) / seconds : 0 }
      /// Bytes a second.
      public var byteRate: Double { seconds > 0 ? Double(bytes) * Double(calls) / seconds : 0 }
    }
  }

  public var report: Report {
    state.withLock { state in
      Report(
        seconds: state.measured.seconds, activities: state.activities.mapValues(\.seconds), counters: state.counters,
        plans: state.plans.values.map(Report.Plan.init).sorted { ($1.seconds, $0.number) < ($0.seconds, $1.number) })
    }
  }
}

extension Profile.Report.Plan {
  fileprivate init(_ plan: Profile.PlanRuns) {
    number = plan.number
    runs = plan.runs
    steps = plan.steps.indices.map { index in
      let step = plan.steps[index]
      return Profile.Report.Step(
        number: index + 1, name: step.name, module: step.module, dtype: step.dtype, calls: plan.calls[index],
        seconds: plan.times[index].seconds, flops: step.cost.flops, bytes: step.cost.bytes)
    }
    .sorted { ($1.seconds, $0.number) < ($0.seconds, $1.number) }
  }
}

extension Duration {
  var seconds: Double { self / .seconds(1) }
}
