import Foundation
import Testing

@Suite struct ProfileTests {
  private let folder: Folder

  init() throws {
    folder = try Folder()
    try Rows.write(to: folder)
  }

  private func numbers(_ events: [[String: Any]?], _ event: String, _ key: String) -> [Double] {
    events.compactMap { $0?["event"] as? String == event ? $0?[key] as? Double : nil }
  }

  @Test func theBenchmarkPrintsPositiveNumbers() throws {
    let outcome = try Cajal.run("benchmark", "--threads", "1", "--json", in: folder)
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
    let events = outcome.events
    #expect(events.allSatisfy { $0?["event"] is String })
    for key in ["float32_flops_per_second", "float64_flops_per_second", "fork_join_seconds"] {
      #expect(numbers(events, "peaks", key).allSatisfy { $0 > 0 } && numbers(events, "peaks", key).count == 1, "\(key)")
    }
    let sets = numbers(events, "bandwidth", "working_set_bytes")
    #expect(sets.count >= 3 && sets == sets.sorted())
    for key in ["read", "copy", "triad"] {
      let rates = numbers(events, "bandwidth", "\(key)_bytes_per_second")
      #expect(rates.count == sets.count && rates.allSatisfy { $0 > 1e8 }, "\(key)")
    }
  }

  @Test func peopleReadTheBenchmark() throws {
    let outcome = try Cajal.run("benchmark", in: folder)
    #expect(outcome.status == 0)
    for part in ["GFLOP/s", "GB/s", "triad", "µs"] { #expect(outcome.output.contains(part), "\(part)") }
  }

  @Test func theProfileNamesProductsAndGroups() throws {
    let outcome = try Cajal.run("profile", "--dataset", "rows", "--steps", "12", "--batch-size", "32", in: folder)
    // Where others keep the machine busy, progress may show.
    #expect(outcome.status == 0 && !outcome.errors.contains("error"), "\(outcome)")
    for part in ["matmul 32×64×512", "group of ", "GFLOP/s", "of peak", "compiled", "recording", "outside"] {
      #expect(outcome.output.contains(part), "\(part)")
    }
    #expect(folder.files == ["rows"])
  }

  @Test func sharesAreWithinSense() throws {
    let outcome = try Cajal.run(
      "profile", "--layers", "20-30-4", "--steps", "25", "--batch-size", "8", "--json", in: folder)
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
    let events = outcome.events
    #expect(events.allSatisfy { $0?["event"] is String })
    let total = try #require(numbers(events, "profile", "seconds").first)
    let inSteps = try #require(numbers(events, "profile", "step_seconds").first)
    #expect(inSteps > 0 && inSteps <= total)
    let outside = try #require(numbers(events, "profile", "share_outside").first)
    #expect(outside >= 0 && outside < 1)
    let shares = numbers(events, "step", "share")
    #expect(shares.allSatisfy { $0 > 0 && $0 < 1 } && shares.reduce(0, +) <= 1.000001)
    #expect(abs(shares.reduce(0, +) - inSteps / total) < 1e-6)
    #expect(numbers(events, "step", "share_of_peak_flops").allSatisfy { $0 >= 0 })
    let plans = numbers(events, "plan", "runs")
    #expect(plans.max() == 24 || plans.max() == 25)
    let (compiled, hit) = (numbers(events, "profile", "plans_compiled"), numbers(events, "profile", "plans_hit"))
    #expect(compiled[0] + hit[0] == plans.reduce(0, +))
  }

  @Test func theTraceIsOneForChrome() throws {
    let outcome = try Cajal.run(
      "profile", "--dataset", "rows", "--steps", "10", "--batch-size", "32", "--trace", "trace.json", in: folder)
    #expect(outcome.status == 0, "\(outcome)")
    let trace = try JSONSerialization.jsonObject(with: Data(folder.bytes("trace.json"))) as? [String: Any]
    let events = try #require(trace?["traceEvents"] as? [[String: Any]]).filter { $0["ph"] as? String == "X" }
    #expect(events.contains { ($0["name"] as? String)?.hasPrefix("matmul") == true })
    for name in ["recording", "compiling", "finding plans"] {
      #expect(events.contains { $0["name"] as? String == name }, "\(name)")
    }
    for (_, row) in Dictionary(grouping: events, by: { $0["tid"] as? Int ?? -1 }) {
      let times = row.compactMap { event -> (Double, Double)? in
        guard let start = event["ts"] as? Double, let length = event["dur"] as? Double else { return nil }
        return (start, start + length)
      }
      .sorted { $0.0 < $1.0 }
      #expect(times.count == row.count)
      #expect(zip(times, times.dropFirst()).allSatisfy { $0.1 <= $1.0 + 1e-3 })
    }
  }

  @Test func aProfiledTrainingSavesTheSameBytes() throws {
    func train(_ arguments: String...) throws -> Outcome {
      let all = ["train", "--dataset", "rows", "--epochs", "2", "--batch-size", "32"] + arguments
      return try Cajal.start(all, in: folder).wait()
    }
    #expect(try train("--save", "plain").status == 0)
    let outcome = try train("--save", "profiled", "--profile", "--json")
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
    #expect(try folder.bytes("plain") == folder.bytes("profiled"))
    #expect(folder.files == ["plain", "profile.json", "profiled", "rows"])
    #expect(outcome.events.last??["event"] as? String == "finished")
    #expect(!numbers(outcome.events, "step", "seconds").isEmpty)
    #expect(try train("--profile", "named.json").output.contains("trace: named.json"))
  }

  @Test(arguments: [
    ["profile", "--steps", "0"], ["profile", "--layers", "10"], ["profile", "--layers", "10-x"],
    ["profile", "--layers", "10--3"], ["profile", "--layers", "0-3"], ["profile", "--layers", "10-99999"],
    ["profile", "--trace", "none/trace.json"], ["profile", "--trace", "rows"], ["profile", "--batch-size", "0"],
    ["train", "--profile", "none/trace.json"], ["benchmark", "--threads", "0"], ["benchmark", "--device", "cpu"],
  ]) func wrongArgumentsAreRefusedBeforeAnyWork(_ arguments: [String]) throws {
    let outcome = try Cajal.start(arguments, in: folder).wait()
    expectFailure(outcome, status: 64)
    #expect(outcome.output.isEmpty)
    #expect(folder.files == ["rows"])
  }
}
