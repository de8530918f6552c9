import Foundation
import Testing

private let finishedKeys = [
  "event", "test_accuracy", "train_seconds", "peak_memory_bytes", "plans_compiled", "step_plans_compiled",
]

@Suite struct TrainTests {
  private let folder: Folder

  init() throws {
    folder = try Folder()
    try Rows.write(to: folder)
  }

  private func train(_ arguments: String..., environment: [String: String] = [:]) throws -> Outcome {
    let all = ["train", "--dataset", "rows", "--epochs", "3", "--batch-size", "32"] + arguments
    return try Cajal.start(all, in: folder, environment: environment).wait()
  }

  @Test func everyLineOfJSONIsOneObjectAndTheLastIsTheResult() throws {
    let outcome = try train("--json")
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
    let events = outcome.events
    #expect(events.allSatisfy { $0?["event"] is String })
    #expect(events.map { $0?["event"] as? String } == ["started", "epoch", "epoch", "epoch", "finished"])
    let last = try #require(events.last ?? nil)
    #expect(Set(last.keys) == Set(finishedKeys))
    let accuracy = try #require(last["test_accuracy"] as? Double)
    #expect(accuracy > 0.9 && accuracy <= 1)
    #expect(try #require(last["train_seconds"] as? Double) > 0)
    #expect(try #require(last["peak_memory_bytes"] as? Int) > 1 << 20)
    let (plans, stepPlans) = (
      try #require(last["plans_compiled"] as? Int), try #require(last["step_plans_compiled"] as? Int)
    )
    #expect(stepPlans >= 1 && stepPlans <= 3 && plans >= stepPlans)
    // Keys in the order that the documentation gives.
    let line = try #require(outcome.output.split(separator: "\n").last)
    let places = finishedKeys.map { line.range(of: "\"\($0)\":")?.lowerBound ?? line.endIndex }
    #expect(places == places.sorted())
  }

  @Test func peopleReadTheAccuracyLast() throws {
    let outcome = try train()
    let lines = outcome.output.split(separator: "\n")
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
    #expect(lines.first == "rows: 200 examples to train on, 60 to test with")
    #expect(lines.count { $0.hasPrefix("epoch ") } == 3)
    #expect(try #require(lines.last).hasPrefix("test accuracy "))
    #expect(try #require(lines.last).hasSuffix("%"))
  }

  @Test func aFolderNamedLikeACataloguesDataIsNotTakenForIt() throws {
    try Rows.write(to: folder, "mnist")
    let arguments = ["train", "./mnist", "--epochs", "1", "--hidden", "8", "--save", "model.safetensors"]
    #expect(try Cajal.start(arguments, in: folder).wait().status == 0)
    expectFailure(
      try Cajal.run("evaluate", "model.safetensors", in: folder), status: 64, "trained on a folder. Name it")
    #expect(try Cajal.run("evaluate", "model.safetensors", "./mnist", in: folder).status == 0)
  }

  @Test func aSavedNetworkIsTestedToTheSameAccuracy() throws {
    let trained = try train("--save", "model.safetensors", "--json")
    let tested = try Cajal.run("evaluate", "model.safetensors", "--dataset", "rows", "--json", in: folder)
    #expect(tested.status == 0, "\(tested)")
    let (a, b) = (try #require(trained.events.last ?? nil), try #require(tested.events.last ?? nil))
    #expect(a["test_accuracy"] as? Double == b["test_accuracy"] as? Double)
    #expect(Set(b.keys) == Set(finishedKeys))
    let people = try Cajal.run("evaluate", "model.safetensors", "--dataset", "rows", in: folder)
    #expect(people.output.hasPrefix("test accuracy ") && people.output.split(separator: "\n").count == 1)
    #expect(folder.files == ["model.safetensors", "rows"])
  }

  @Test func theSameSeedSavesTheSameBytesWhateverTheThreads() throws {
    #expect(try train("--seed", "3", "--threads", "1", "--save", "one").status == 0)
    #expect(try train("--seed", "3", "--threads", "2", "--save", "two").status == 0)
    #expect(try train("--seed", "4", "--threads", "2", "--save", "other").status == 0)
    #expect(try folder.bytes("one") == folder.bytes("two"))
    #expect(try folder.bytes("one") != folder.bytes("other"))
  }

  @Test func theFakeAcceleratorSavesTheBytesOfTheCPU() throws {
    #expect(try train("--device", "cpu", "--save", "cpu").status == 0)
    let fake = try train("--device", "fake", "--save", "fake")
    #expect(fake.status == 0, "\(fake)")
    #expect(try folder.bytes("cpu") == folder.bytes("fake"))
  }

  @Test func theReferenceJudgesTheSame() throws {
    try Rows.write(to: folder, "few", train: 8, test: 8)
    #expect(try train("--save", "model").status == 0)
    func accuracy(_ device: String) throws -> Double? {
      let outcome = try Cajal.run(
        "evaluate", "model", "--dataset", "few", "--device", device, "--json", in: folder)
      return outcome.events.last??["test_accuracy"] as? Double
    }
    let expected = try #require(try accuracy("cpu"))
    #expect(try accuracy("reference") == expected)
  }

  // Plain loops in a debug build take their time.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["CAJAL_FULL"] == "1", "slow: set CAJAL_FULL=1"))
  func theReferenceTrainsToo() throws {
    try Rows.write(to: folder, "few", train: 16, test: 8)
    let outcome = try Cajal.run(
      "train", "--dataset", "few", "--epochs", "1", "--batch-size", "8", "--device", "reference", "--json", in: folder)
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.events.last??["event"] as? String == "finished")
  }

  @Test func aLongRunShowsPlainLinesWhereThereIsNoTerminal() throws {
    try Rows.write(to: folder, "many", train: 4000, test: 8)
    let running = try Cajal.start(
      ["train", "--dataset", "many", "--epochs", "100000", "--batch-size", "4"], in: folder)
    let outcome = try interrupt(running, after: 4)
    let lines = outcome.errors.split(separator: "\n")
    #expect(
      !lines.isEmpty && lines.allSatisfy { $0.hasPrefix("epoch ") || $0.hasPrefix("testing ") }, "\(outcome.errors)")
    #expect(!outcome.errors.contains("\u{1B}"))
  }

  @Test func ctrlCSavesWhatWasLearnedAndExitsWith130() throws {
    try Rows.write(to: folder, "many", train: 4000, test: 8)
    let running = try Cajal.start(
      ["train", "--dataset", "many", "--epochs", "100000", "--batch-size", "64", "--save", "model", "--json"],
      in: folder)
    let outcome = try interrupt(running, after: 1)
    #expect(outcome.events.last??["event"] as? String == "finished", "\(outcome)")
    let names = outcome.events.compactMap { $0?["event"] as? String }
    #expect(names.suffix(2) == ["saved", "finished"] || names.suffix(3) == ["saved", "testing", "finished"])
    #expect(folder.files == ["many", "model", "rows"])
    #expect(try Cajal.run("evaluate", "model", "--dataset", "rows", in: folder).status == 0)
  }

  /// Interrupts a run so many seconds after it began to train, or at most 60 s after its start.
  private func interrupt(_ running: Running, after seconds: Double) throws -> Outcome {
    for _ in 0..<600 where running.output.split(separator: "\n").count < 2 { usleep(100_000) }
    usleep(UInt32(seconds * 1e6))
    running.process.interrupt()
    let outcome = try running.wait()
    #expect(outcome.status == 130 && !outcome.wasSignalled, "\(outcome)")
    return outcome
  }

  @Test func enormousNumbersAreNoTrouble() throws {
    #expect(try train("--batch-size", "\(Int.max)", "--seed", "\(UInt64.max)").status == 0)
    #expect(try train("--threads", "100000").status == 0)
  }
}
