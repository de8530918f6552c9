import CajalBackends
import CajalBase
import CajalCompiler
import Foundation
import Synchronization

/// What happened in a closure, and how long it took: steps of plans, and what the engine did beside them.
///
/// ```swift
/// let profile = Profile()
/// try profile.measure { try trainer.fit(data.train, epochs: 1) }
/// for plan in profile.report.plans { print(plan.runs, plan.seconds) }
/// ```
///
/// It hears of what the task that called ``measure(_:)`` records, wherever that runs. Results do not
/// change by a bit. Where nobody profiles, the engine looks for a profile a few times a run, and finds none.
public final class Profile: Sendable {
  /// What a thread did, steps aside.
  public enum Activity: String, CaseIterable, Sendable {
    /// Outside the engine: recording, and the program's own work.
    case recording
    /// Walking over what was recorded, and looking for its plan.
    case finding = "finding plans"
    case compiling
    /// For results, or for a device that has enough to do.
    case waiting
    /// Arguments, and memory for the results.
    case binding
    /// Steps.
    case running
    /// Handing out results.
    case publishing
  }

  @TaskLocal private static var ofTask: Profile?
  /// Profiles that measure now: mostly none, and then nobody needs to look for the task's.
  private static let measuring = Atomic<Int>(0)

  static var current: Profile? { measuring.load(ordering: .relaxed) > 0 ? ofTask : nil }

  let state = Locked(State())

  public init() {}

  /// Profiles what `body` records. What it starts and does not wait for counts as far as it is done when the
  /// report is asked for.
  public func measure<Result>(_ body: () throws -> Result) rethrows -> Result {
    let began = ContinuousClock.now
    state.withLock { $0.beginRecording(began) }
    defer { state.withLock { $0.endRecording(began, .now) } }
    Profile.measuring.wrappingAdd(1, ordering: .relaxed)
    defer { Profile.measuring.wrappingSubtract(1, ordering: .relaxed) }
    return try Profile.$ofTask.withValue(self, operation: body)
  }

  func count(_ change: (inout EngineCounters) -> Void) { state.withLock { change(&$0.counters) } }

  /// A run of `plan` ended.
  func ran(_ plan: Plan, _ times: StepTimes) { state.withLock { $0.add(plan, times.marks) } }
}

extension Profile? {
  /// Runs `body`, and says how long it took if somebody profiles.
  @inline(__always)
  func time<Result, Failure: Error>(_ activity: Profile.Activity, _ body: () throws(Failure) -> Result)
    throws(Failure) -> Result
  {
    guard let self else { return try body() }
    let began = ContinuousClock.now
    defer { self.state.withLock { $0.add(activity, began, .now) } }
    return try body()
  }
}

extension Profile {
  struct Span {
    let activity: Activity
    let thread: Int
    let began: ContinuousClock.Instant
    let ended: ContinuousClock.Instant
  }

  struct PlanRuns {
    let number: Int
    let steps: [StepSummary]
    var runs = 0
    var calls: [Int]
    var times: [Duration]
  }

  struct PlanRun {
    let plan: ObjectIdentifier
    let marks: ArraySlice<ContinuousClock.Instant>
  }

  struct State {
    var counters = EngineCounters()
    var measured = Duration.zero
    var activities: [Activity: Duration] = [:]
    var plans: [ObjectIdentifier: PlanRuns] = [:]
    /// For the trace, the first of them: a long run would fill memory.
    var spans: [Span] = []
    var runs: [PlanRun] = []
    private(set) var origin: ContinuousClock.Instant?
    private(set) var isTraceFull = false
    private(set) var recordingThreads: Set<Int> = []
    private var events = 0
    private var threads: [ObjectIdentifier: Int] = [:]
    /// Threads that record now, and since when.
    private var recordingSince: [Int: ContinuousClock.Instant] = [:]
    /// Plans are told apart by their identity, so they live as long.
    private var kept: [Plan] = []

    /// Some 50 MB of a trace file.
    private static let eventLimit = 500_000

    mutating func beginRecording(_ now: ContinuousClock.Instant) {
      origin = origin ?? now
      let thread = threadNumber()
      recordingThreads.insert(thread)
      recordingSince[thread] = now
    }

    mutating func endRecording(_ began: ContinuousClock.Instant, _ now: ContinuousClock.Instant) {
      let thread = threadNumber()
      if let since = recordingSince.removeValue(forKey: thread) { append(.recording, thread, since, now) }
      measured += began.duration(to: now)
    }

    /// What the calling thread did; since it last did anything else it recorded.
    mutating func add(
      _ activity: Activity, _ began: ContinuousClock.Instant, _ ended: ContinuousClock.Instant
    ) {
      let thread = threadNumber()
      if let since = recordingSince[thread] {
        if since < began { append(.recording, thread, since, began) }
        recordingSince[thread] = ended
      }
      append(activity, thread, began, ended)
    }

    mutating func add(_ plan: Plan, _ marks: [ContinuousClock.Instant]) {
      let id = ObjectIdentifier(plan)
      if plans[id] == nil {
        let steps = plan.executable.steps
        kept.append(plan)
        plans[id] = PlanRuns(
          number: plans.count + 1, steps: steps, calls: [Int](repeating: 0, count: steps.count),
          times: [Duration](repeating: .zero, count: steps.count))
      }
      guard marks.count > 1 else { return }
      let stepMarks = marks.dropFirst()
      plans[id]?.add(stepMarks)
      add(.binding, marks[0], marks[1])
      add(.running, marks[1], marks[marks.count - 1])
      if isTraceFull { return }
      events += stepMarks.count
      runs.append(PlanRun(plan: id, marks: stepMarks))
    }

    private mutating func append(
      _ activity: Activity, _ thread: Int, _ began: ContinuousClock.Instant, _ ended: ContinuousClock.Instant
    ) {
      activities[activity, default: .zero] += began.duration(to: ended)
      if isTraceFull { return }
      events += 1
      isTraceFull = events > State.eventLimit
      spans.append(Span(activity: activity, thread: thread, began: began, ended: ended))
    }

    private mutating func threadNumber() -> Int {
      let id = ObjectIdentifier(Thread.current)
      if let number = threads[id] { return number }
      threads[id] = threads.count
      return threads.count - 1
    }
  }
}

extension Profile.PlanRuns {
  fileprivate mutating func add(_ marks: ArraySlice<ContinuousClock.Instant>) {
    runs += 1
    for (step, pair) in zip(marks, marks.dropFirst()).enumerated() where step < times.count {
      calls[step] += 1
      times[step] += pair.0.duration(to: pair.1)
    }
  }
}
