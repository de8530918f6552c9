import Cajal
import Foundation
import Testing

private func network() -> Sequential {
  withSeed(1) {
    Sequential {
      Dense(6, inputs: 2, activation: .tanh)
      Dense(2, inputs: 6)
    }
  }
}

private func trainer(_ model: Sequential, _ rate: Double = 0.05) -> Trainer<Sequential> {
  Trainer(model, loss: .softmaxCrossEntropy, optimizer: SGD(learningRate: rate), metrics: [.accuracy])
}

/// Callbacks that change rates and weights, and the one that shows a run in TensorBoard.
@Suite struct CallbackRateTests {
  @Test func aPlateauOfTheMeasureReducesTheRate() throws {
    // No rate, no change: every epoch but the first is no better.
    let trainer = trainer(network(), 0)
    var factors: [Double] = []
    try trainer.fit(
      XOR.data, epochs: 5, batchSize: 4,
      callbacks: [
        .reduceOnPlateau("loss", reduction: 0.5, patience: 1),
        .onEvent { event, run in if case .epochFinished = event { factors.append(run.learningRateFactor) } },
      ])
    #expect(factors == [1, 1, 0.5, 0.5, 0.25])
  }

  @Test func aMeasureThatShouldRiseIsWatchedForRising() throws {
    let trainer = trainer(network(), 0)
    let plateau = Plateau("accuracy", ReduceOnPlateau(reduction: 0.5, patience: 0))
    var factor = 0.0
    try trainer.fit(
      XOR.data, epochs: 2, batchSize: 4,
      callbacks: [
        plateau, .onEvent { event, run in if case .epochFinished = event { factor = run.learningRateFactor } },
      ])
    #expect(factor == 0.5)
  }

  @Test func anAveragedRunEndsWithTheMeanOfItsWeights() throws {
    let (model, twin) = (network(), network())
    try trainer(model).fit(XOR.data, epochs: 4, batchSize: 4, callbacks: [.averaging(decay: nil, from: 3)])
    var sum = [[Double]](repeating: [], count: 4)
    try trainer(twin).fit(
      XOR.data, epochs: 4, batchSize: 4,
      callbacks: [
        .onEvent { event, _ in
          guard case .stepFinished(let report) = event, report.epoch >= 3 else { return }
          for (index, parameter) in twin.parameters.enumerated() {
            let numbers = parameter.value.numbers
            sum[index] = sum[index].isEmpty ? numbers : zip(sum[index], numbers).map { $0 + $1 }
          }
        }
      ])
    for (parameter, total) in zip(model.parameters, sum) {
      #expect(!total.isEmpty)
      for (a, b) in zip(parameter.value.numbers, total) { #expect(abs(a - b / 2) < 1e-6) }
    }
  }

  @Test func averagesAndPlateausGoOnFromACheckpoint() throws {
    func run(_ folder: String?, dying stop: Int?) throws -> [[Double]] {
      struct Killed: Error {}
      let model = network()
      var callbacks: [any Callback] = [
        .averaging(decay: 0.9), .reduceOnPlateau("loss", reduction: 0.5, patience: 0),
        .onEvent { event, _ in
          if case .stepFinished(let report) = event, report.totalSteps == stop { throw Killed() }
        },
      ]
      if let folder { callbacks.append(Checkpoint(folder + "/run", resumes: true, everySteps: 1)) }
      // So fast that the loss rises now and then.
      do { try trainer(model, 4).fit(XOR.data, epochs: 8, batchSize: 2, callbacks: callbacks) } catch is Killed {}
      return model.parameters.map(\.value.numbers)
    }
    let undisturbed = try run(nil, dying: nil)
    for stop in [1, 6, 15] {
      try withTemporaryFolder { folder in
        _ = try run(folder, dying: stop)
        #expect(try run(folder, dying: nil) == undisturbed, "killed after step \(stop)")
      }
    }
  }

  @Test func aRunIsShownInTensorBoard() throws {
    try withTemporaryFolder { folder in
      try trainer(network()).fit(
        XOR.data, epochs: 2, batchSize: 4, validation: XOR.data, callbacks: [.tensorBoard(folder + "/board")])
      let names = try #require(files(in: folder + "/board"))
      #expect(names.count == 1)
      let text = String(
        decoding: try Data(contentsOf: URL(fileURLWithPath: folder + "/board/" + names[0])), as: Unicode.ASCII.self)
      for tag in ["loss/train", "loss/validation", "accuracy/train", "learning_rate", "weights/layers.0.kernel"] {
        #expect(text.components(separatedBy: tag).count == 3, "\(tag) is there once an epoch")
      }
    }
  }

  @Test func aBoardThatCannotBeWrittenIsToldOnceAndTrainingGoesOn() throws {
    try withTemporaryFolder { folder in
      try Data().write(to: URL(fileURLWithPath: folder + "/file"))
      var warnings: [String] = []
      let report = try trainer(network()).fit(
        XOR.data, epochs: 3,
        callbacks: [
          .tensorBoard(folder + "/file/board"),
          .onEvent { event, _ in if case .warning(let text) = event { warnings.append(text) } },
        ])
      #expect(report.epochs == 3)
      #expect(warnings.count == 1 && warnings[0].contains("Training goes on without"))
    }
  }
}
