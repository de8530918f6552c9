import Cajal
import CajalFormats
import Foundation
import Synchronization
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

  @Test func aRunThatWasRefusedMayBeTriedAgain() throws {
    let undisturbed = Run()
    try undisturbed.fit([])
    try withTemporaryFolder { folder in
      try Run().fit([.checkpoint(folder)], dying: 12)
      let run = Run()
      try run.trainer.resume(from: folder)
      expectError("seed 11, not 4") { try run.trainer.fit(examples, epochs: 6, batchSize: 8, seed: 4) }
      try run.fit([])
      #expect(run.weights == undisturbed.weights && run.losses == undisturbed.losses)
    }
  }

  @Test func ofTwoCheckpointsTheFirstSaysWhereTheRunGoesOn() throws {
    try withTemporaryFolder { folder in
      let (newer, older) = (folder + "/newer", folder + "/older")
      try Run().fit([.checkpoint(newer)], dying: 12)
      try Run().fit([.checkpoint(older)], dying: 7)
      for (folders, step) in [([newer, older], 11), ([older, newer], 6), ([folder + "/none", older], 6)] {
        var steps: [Int] = []
        let watch = EventCallback { event, _ in
          if case .stepFinished(let report) = event { steps.append(report.totalSteps) }
        }
        try Run().fit(folders.map { Checkpoint($0, resumes: true) as any Callback } + [watch], dying: step)
        #expect(steps == [step], "\(folders)")
      }
    }
  }

  @Test func checkpointsOfAnotherVersionAreRefused() throws {
    try withTemporaryFolder { folder in
      try Run().fit([.checkpoint(folder)], dying: 12)
      let name = try #require(files(in: folder)?.max())
      let url = URL(fileURLWithPath: "\(folder)/\(name)/training.safetensors")
      var bytes = try Data(contentsOf: url)
      let place = try #require(bytes.range(of: Data(#"version\":2"#.utf8)))
      bytes.replaceSubrange(place, with: Data(#"version\":1"#.utf8))
      try bytes.write(to: url)
      expectError("version 1", "the version that wrote it") { try Run().trainer.resume(from: folder) }
    }
  }

  @Test func whatMakesItAnotherRunIsRefusedByName() throws {
    try withTemporaryFolder { folder in
      try Run().fit([.checkpoint(folder)], dying: 12)
      let others = withSeed(6) {
        LabeledData(inputs: Tensor.normal([37, 2]), labels: Tensor((0..<37).map { $0 % 2 }), classes: 2)
      }
      func refused(_ reason: String, _ data: LabeledData, batch: Int = 8, _ change: (Run) -> Void = { _ in }) {
        let run = Run()
        let before = run.weights
        change(run)
        expectError(reason, "another folder") {
          try run.trainer.fit(
            data, epochs: 6, batchSize: batch, seed: 11, callbacks: [.checkpoint(folder, resumes: true)])
        }
        #expect(run.weights == before)
      }
      refused("shape of batches: inputs [8, 2]", examples, batch: 9)
      refused("its first batch holds other numbers", others)
      refused("accumulated batches: 1, not 2", examples) { $0.trainer.accumulatedBatches = 2 }
      refused("precision: none, not bfloat16", examples) { $0.trainer.precision = .bfloat16 }
    }
  }

  @Test func dataOfAnotherLengthIsRefused() throws {
    try withTemporaryFolder { folder in
      func fit(_ data: Dataset<Batch>, epochs: Int) throws {
        try Run().trainer.fit(data, epochs: epochs, callbacks: [.checkpoint(folder, resumes: true)])
      }
      try fit(examples.batched(8), epochs: 1)
      expectError("number of steps: 5, not 4") { try fit(examples.batched(8, droppingLast: true), epochs: 2) }
    }
  }

  @Test func whatIsHarmlessIsToldAndTheRunGoesOn() throws {
    try withTemporaryFolder { folder in
      func fit(_ epochs: Int, rate: Double, _ schedule: Schedule, _ more: [any Callback] = []) throws -> [String] {
        let trainer = Trainer(network(), loss: .softmaxCrossEntropy, optimizer: Adam(learningRate: rate))
        var warnings: [String] = []
        try trainer.fit(
          examples, epochs: epochs, batchSize: 8, validation: examples, seed: 1, schedule: schedule,
          callbacks: more + [
            .onEvent { event, _ in if case .warning(let text) = event { warnings.append(text) } },
            .checkpoint(folder, resumes: true),
          ])
        #expect(trainer.history.epochs.count == epochs)
        return warnings
      }
      #expect(try fit(1, rate: 0.02, .constant(), [.earlyStopping()]) == [])
      #expect(try fit(2, rate: 0.02, .constant(), [.earlyStopping()]) == [])
      let warnings = try fit(3, rate: 0.01, .linear())
      #expect(warnings.count == 2 && warnings.last?.contains("0.01 from here on; it was 0.02") == true, "\(warnings)")
      #expect(warnings.first?.contains("EarlyStopping.0") == true)
      #expect(try fit(4, rate: 0.01, .linear()).contains { $0.contains("of 4 epochs from here on") })
    }
  }

  @Test func dataThatIsDrawnWithoutASeedMayGoOn() throws {
    try withTemporaryFolder { folder in
      let data = Dataset(indices: 0..<3) { _ in
        Batch(
          inputs: Tensor((0..<8).map { _ in Float.random(in: 0...1) }, shape: [4, 2]), targets: Tensor([0, 1, 1, 0]))
      }
      for epochs in 1...2 {
        let trainer = Trainer(network(), loss: .softmaxCrossEntropy, optimizer: Adam())
        try trainer.fit(data, epochs: epochs, callbacks: [.checkpoint(folder, resumes: true)])
        #expect(trainer.history.epochs.count == epochs)
      }
    }
  }

  @Test func batchesOfAnotherSizeEachTimeMayGoOn() throws {
    try withTemporaryFolder { folder in
      let reads = Mutex(0)
      let data = Dataset(indices: 0..<3) { _ in
        let count = reads.withLock { number in
          number += 1
          return number
        }
        return Batch(inputs: Tensor.ones([count, 2]), targets: Tensor.zeros([count], dtype: .int32))
      }
      for epochs in 1...2 {
        let trainer = Trainer(network(), loss: .softmaxCrossEntropy, optimizer: Adam())
        try trainer.fit(data, epochs: epochs, callbacks: [.checkpoint(folder, resumes: true)])
        #expect(trainer.history.epochs.count == epochs)
      }
    }
  }

  @Test func aFolderOfARunGoesOnWithItsOwnSettingsAlone() throws {
    try withTemporaryFolder { folder in
      try Run().fit([.run(folder, configuration: ["hidden": "8", "rate": "1"])], dying: 12)
      let refused = Run()
      let before = refused.weights
      expectError("rate was 1 and is 2", "size was not given and is 3", "another folder") {
        try refused.fit([.run(folder, resumes: true, configuration: ["hidden": "8", "rate": "2", "size": "3"])])
      }
      #expect(refused.weights == before && refused.trainer.history.epochs.isEmpty)
      #expect(try RunFolder.record(of: folder).configuration == ["hidden": "8", "rate": "1"])
      try Run().fit([.run(folder, resumes: true, configuration: ["hidden": "8", "rate": "1"])])
      #expect(try RunFolder.record(of: folder).status == .finished)
    }
  }

  @Test func callbacksSayTheirOwnNames() throws {
    final class Memory: Callback {
      let name: String
      var number = 0
      init(_ name: String) { self.name = name }
      func on(_ event: TrainingEvent, in run: TrainingRun) { if case .stepFinished = event { number += 1 } }
      func savedState() throws -> CallbackState? { try CallbackState([number]) }
      func restore(_ state: CallbackState) throws { number = try state.decode([Int].self)[0] }
    }
    try withTemporaryFolder { folder in
      let (first, second) = (Memory("first"), Memory("second"))
      second.number = 100
      try Run().fit([first, second, .checkpoint(folder)], dying: 10)
      let (again, other) = (Memory("second"), Memory("first"))
      try Run().fit([again, other, .checkpoint(folder, resumes: true)], dying: 11)
      #expect(again.number == 111 && other.number == 11)
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
