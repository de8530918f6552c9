import CajalBase
import CajalEngine
import CajalOptimizers
import CajalTensor
import Foundation
import Testing

private struct TraceFile: Decodable {
  struct Event: Decodable {
    let name: String
    let ph: String
    let ts: Double
    let dur: Double
    let tid: Int
  }
  let traceEvents: [Event]
}

@Suite struct ProfileTests {
  /// A profile of so many training steps.
  private func profiled(steps: Int, _ profile: Profile = Profile()) throws -> Profile {
    let model = withSeed(1) { Classifier() }
    let optimizer = Adam()
    let (x, y) = makeBatch()
    try profile.measure {
      for _ in 0..<steps { step(model, optimizer, x, y) }
      _ = try model.weights()
    }
    return profile
  }

  @Test func everyStepOfEveryRunIsCounted() throws {
    let report = try profiled(steps: 6).report
    #expect(report.plans.map(\.runs).reduce(0, +) == report.counters.plansRun)
    #expect(report.counters.plansCompiled + report.counters.planHits == report.counters.plansRun)
    for plan in report.plans {
      #expect(plan.steps.allSatisfy { $0.calls == plan.runs && $0.seconds > 0 })
      #expect(Set(plan.steps.map(\.number)) == Set(1...plan.steps.count))
      #expect(plan.steps.map(\.seconds) == plan.steps.map(\.seconds).sorted(by: >))
    }
    #expect(report.plans.map(\.seconds) == report.plans.map(\.seconds).sorted(by: >))
    #expect(report.stepSeconds > 0 && report.stepSeconds <= report.seconds)
    // A hit is told from what was compiled at the first step alone.
    #expect(report.counters.planHits >= 3)
  }

  @Test func productsSayWhatTheyCompute() throws {
    let report = try profiled(steps: 2).report
    let names = report.plans.flatMap(\.steps)
    let product = try #require(names.first { $0.name.hasPrefix("matmul 12×8×16") })
    #expect(product.flops >= 2 * 12 * 8 * 16 && product.bytes >= 4 * (12 * 8 + 8 * 16 + 12 * 16))
    #expect(product.dtype == .float32)
    #expect(names.contains { $0.name.contains("group of ") })
  }

  @Test func whoIsNotProfiledIsNotHeard() throws {
    let profile = Profile()
    let other = try profiled(steps: 2)
    #expect(profile.report.plans.isEmpty && profile.report.activities.isEmpty)
    #expect(profile.report.seconds == 0 && profile.report.counters == EngineCounters())
    let runs = other.report.counters.plansRun
    _ = try profiled(steps: 1)
    #expect(other.report.counters.plansRun == runs)
  }

  @Test func aProfileChangesNoBit() throws {
    func weights(_ profile: Profile?) throws -> [Float] {
      let model = withSeed(1) { Classifier() }
      let optimizer = Adam()
      let (x, y) = makeBatch()
      func train() { for _ in 0..<4 { step(model, optimizer, x, y) } }
      if let profile { profile.measure(train) } else { train() }
      return try model.weights()
    }
    #expect(try weights(Profile()) == weights(nil))
  }

  @Test(arguments: [Device.cpu, .fake, .reference]) func eventsOfARowDoNotOverlap(_ device: Device) throws {
    let profile = Profile()
    try withDevice(device) { _ = try profiled(steps: 5, profile) }
    let events = try JSONDecoder().decode(TraceFile.self, from: profile.trace()).traceEvents
    #expect(Set(events.map(\.ph)) == ["M", "X"])
    for (_, row) in Dictionary(grouping: events.filter { $0.ph == "X" }, by: \.tid) {
      let sorted = row.sorted { $0.ts < $1.ts }
      #expect(sorted.allSatisfy { $0.ts >= 0 && $0.dur >= 0 })
      // Microseconds in double precision are exact to less than a nanosecond.
      #expect(zip(sorted, sorted.dropFirst()).allSatisfy { $0.ts + $0.dur <= $1.ts + 1e-3 })
    }
    let calls = profile.report.plans.flatMap(\.steps).map(\.calls).reduce(0, +)
    #expect(events.count { $0.ph == "X" && $0.tid < 1000 } == calls)
    #expect(events.contains { $0.name == "finding plans" })
  }

  @Test func severalThreadsShareAProfile() throws {
    let profile = Profile()
    DispatchQueue.concurrentPerform(iterations: 4) { index in
      _ = try? profile.measure { try (Tensor.arange(100) * Float(index) + 1).sum().item() }
    }
    let report = profile.report
    #expect(report.plans.map(\.runs).reduce(0, +) == report.counters.plansRun)
    #expect(report.plans.allSatisfy { plan in plan.steps.allSatisfy { $0.calls == plan.runs } })
    #expect(report.counters.plansRun >= 4)
  }

  @Test func aRunThatFailsLeavesTheRestInPlace() throws {
    let profile = Profile()
    let table = Tensor.arange(10)
    let bad = Tensor([3, 12])
    try eval(table, bad)
    #expect(throws: TensorError.self) { try profile.measure { try (table.take(bad) + 1).sum().item() } }
    _ = try profiled(steps: 1, profile)
    #expect(profile.report.stepSeconds > 0)
    #expect(try profile.trace().count > 100)
  }
}
