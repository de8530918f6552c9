import CajalBase
import Synchronization

/// What the engine did: public, so that tests and users see when a plan is compiled again.
public struct EngineCounters: Sendable, Hashable {
  /// Plans compiled: graphs that no cached plan fitted.
  public var plansCompiled = 0
  /// Materialisations that found their plan.
  public var planHits = 0
  /// Plans dropped because the cache was full.
  public var planEvictions = 0
  /// Plans run.
  public var plansRun = 0

  public init() {}
}

/// Counts what happens in a closure, on the task that runs it.
public final class EngineMeter: Sendable {
  private let state = Locked(EngineCounters())

  public init() {}

  public var counters: EngineCounters { state.withLock { $0 } }

  func count(_ change: (inout EngineCounters) -> Void) { state.withLock { change(&$0) } }

  @TaskLocal private static var ofTask: EngineMeter?
  /// Meters that measure now: mostly none, and then nobody needs to look for the task's.
  private static let measuring = Atomic<Int>(0)

  static var current: EngineMeter? { measuring.load(ordering: .relaxed) > 0 ? ofTask : nil }

  /// Counts into this meter while `body` runs.
  public func measure<Result>(_ body: () throws -> Result) rethrows -> Result {
    EngineMeter.measuring.wrappingAdd(1, ordering: .relaxed)
    defer { EngineMeter.measuring.wrappingSubtract(1, ordering: .relaxed) }
    return try EngineMeter.$ofTask.withValue(self, operation: body)
  }
}
