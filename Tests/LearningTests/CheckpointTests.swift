import Cajal
import CajalFormats
import Foundation
import Testing

/// A network that draws in its steps, so that a resumed run must draw the same.
private func network() -> Sequential {
  withSeed(3) {
    Sequential {
      Dense(8, inputs: 2, activation: .relu)
      Activation { $0 * (1 + 0.1 * Tensor.normal([8])) }
      Dense(2, inputs: 8)
    }
  }
}

private let examples = withSeed(5) {
  LabeledData(inputs: Tensor.normal([37, 2]), labels: Tensor((0..<37).map { $0 % 2 }), classes: 2)
}

/// A run of six epochs of five steps, of which some process makes a part.
private struct Run {
  let model = network()
  let trainer: Trainer<Sequential>

  init() {
    trainer = Trainer(
      model, loss: .softmaxCrossEntropy, optimizer: Adam(learningRate: 0.02), metrics: [.accuracy])
  }

  /// - Parameter stop: the step after which the run ends, as if the process were killed.
  func fit(_ callbacks: [any Callback], dying stop: Int? = nil) throws {
    struct Killed: Error {}
    do {
      try trainer.fit(
        examples, epochs: 6, batchSize: 8, validation: examples, seed: 11,
        schedule: Schedule { step, _ in 1 / Double(1 + step) },
        callbacks: callbacks + [
          .onEvent { event, run in
            if case .stepFinished(let report) = event, report.totalSteps == stop { throw Killed() }
          }
        ])
    } catch is Killed {}
  }

  var weights: [[Double]] { model.parameters.map(\.value.numbers) }
  var losses: [Double] { trainer.history["loss"] + trainer.history["accuracy"] + trainer.history["val_loss"] }
}

@Suite struct CheckpointTests {
  @Test func aRunThatDiesAfterAnyStepGoesOnBitForBit() throws {
    let undisturbed = Run()
    try undisturbed.fit([])
    for every in [1, 3] {
      for stop in [1, 2, 4, 5, 6, 11, 29, 30] {
        try withTemporaryFolder { folder in
          let checkpoint = { Checkpoint(folder + "/run", resumes: true, everySteps: every) }
          try Run().fit([checkpoint()], dying: stop)
          let resumed = Run()
          try resumed.fit([checkpoint()])
          #expect(resumed.weights == undisturbed.weights, "every \(every), stop \(stop)")
          #expect(resumed.losses == undisturbed.losses, "every \(every), stop \(stop)")
        }
      }
    }
  }

  @Test func callbacksRememberToo() throws {
    try withTemporaryFolder { folder in
      let all = { [EarlyStopping("val_loss", patience: 2), Checkpoint(folder, resumes: true)] as [any Callback] }
      let whole = Run()
      let stopping = EarlyStopping("val_loss", patience: 2)
      try whole.fit([stopping])
      try Run().fit(all(), dying: 11)
      let resumed = Run()
      let callbacks = all()
      try resumed.fit(callbacks)
      #expect((callbacks[0] as? EarlyStopping)?.bestEpoch == stopping.bestEpoch)
      #expect(resumed.weights == whole.weights)
    }
  }

  @Test func aRunThatHadStoppedByItselfDoesNotGoOn() throws {
    struct Killed: Error {}
    try withTemporaryFolder { folder in
      func fit(_ run: Run, dying: Bool) throws -> Int {
        do {
          try run.trainer.fit(
            examples, epochs: 60, batchSize: 8, validation: examples, seed: 11,
            callbacks: [
              EarlyStopping("val_loss", patience: 1), Checkpoint(folder, resumes: true),
              .onEvent { event, _ in if case .finished = event, dying { throw Killed() } },
            ])
        } catch is Killed {}
        return run.trainer.history.epochs.count
      }
      let epochs = try fit(Run(), dying: true)
      #expect(epochs < 60 && epochs > 1)
      #expect(try fit(Run(), dying: false) == epochs)
    }
  }

  @Test func aFolderThatIsRefusedKeepsItsRecord() throws {
    try withTemporaryFolder { folder in
      try Run().fit([.run(folder, configuration: ["first": "1"])])
      expectError("of an earlier run") { try Run().fit([.run(folder, configuration: ["second": "2"])]) }
      let record = try RunFolder.record(of: folder)
      #expect(record.status == .finished && record.configuration == ["first": "1"] && record.epochsDone == 6)
    }
  }

  @Test func weightsThatDivergedPushNoCheckpointOut() throws {
    try withTemporaryFolder { folder in
      let run = Run()
      let trainer = Trainer(run.model, optimizer: SGD(learningRate: 1e30)) { model, x, _ in model(x).squared().sum() }
      #expect(throws: TrainingError.self) {
        try trainer.fit(examples, epochs: 3, batchSize: 8, callbacks: [.checkpoint(folder, everySteps: 1)])
      }
      for name in files(in: folder) ?? [] {
        try run.model.load("\(folder)/\(name)/model.safetensors")
        #expect(run.model.parameters.allSatisfy { $0.value.numbers.allSatisfy(\.isFinite) }, "\(name)")
      }
    }
  }

  @Test func onlyTheNewestAreKeptAndTheModelAloneCanBeLoaded() throws {
    try withTemporaryFolder { folder in
      let run = Run()
      try run.fit([.checkpoint(folder, keeps: 3)])
      let names = (files(in: folder) ?? []).sorted()
      #expect(names == ["step-00000020-4", "step-00000025-5", "step-00000030-6"])
      let other = network()
      try other.load("\(folder)/step-00000030-6/model.safetensors")
      #expect(other.parameters.map(\.value.numbers) == run.weights)
    }
  }

  @Test func anotherRunsFolderIsLeftAlone() throws {
    try withTemporaryFolder { folder in
      try Run().fit([.checkpoint(folder)])
      let before = Set(files(in: folder) ?? [])
      expectError("of an earlier run", "resumes: true") { try Run().fit([.checkpoint(folder)]) }
      #expect(Set(files(in: folder) ?? []) == before)
    }
  }

  @Test func anotherSeedOrModelIsRefused() throws {
    try withTemporaryFolder { folder in
      try Run().fit([.checkpoint(folder)], dying: 12)
      let run = Run()
      try run.trainer.resume(from: folder)
      expectError("seed 11, not 4") { try run.trainer.fit(examples, epochs: 6, batchSize: 8, seed: 4) }
      let other = Dense(2, inputs: 3)
      let before = other.kernel.value.numbers
      expectError("it has no") {
        try Trainer(other, loss: .softmaxCrossEntropy, optimizer: Adam()).resume(from: folder)
      }
      #expect(other.kernel.value.numbers == before)
      expectError("no checkpoint") { try run.trainer.resume(from: folder + "/nowhere") }
    }
  }

  @Test func damagedCheckpointsAreRefusedByName() throws {
    try withTemporaryFolder { folder in
      try Run().fit([.checkpoint(folder)], dying: 12)
      let name = try #require(files(in: folder)?.max())
      let path = "\(folder)/\(name)/training.safetensors"
      let bytes = [UInt8](try #require(FileManager.default.contents(atPath: path)))
      for count in [0, 7, 8, 100, bytes.count - 1] {
        try Data(bytes.prefix(count)).write(to: URL(fileURLWithPath: path))
        expectError("training.safetensors") { try Run().trainer.resume(from: folder) }
      }
    }
  }

  @Test func leftoversOfAKilledProcessGo() throws {
    try withTemporaryFolder { folder in
      try FileManager.default.createDirectory(
        atPath: "\(folder)/.cajal-1234/deep", withIntermediateDirectories: true)
      try Run().fit([.checkpoint(folder)])
      #expect(files(in: folder)?.contains { $0.hasPrefix(".") } == false)
    }
  }
}
