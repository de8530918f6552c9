import CajalData
import CajalNN
import CajalOptimizers
import CajalPlot
import CajalTensor
import Foundation

/// How the loss goes as the learning rate grows: Smith 2017, "Cyclical learning rates for training neural networks".
public struct LearningRateSweep: Sendable {
  public let rates: [Double]
  /// Smoothed.
  public let losses: [Double]

  /// The rate at which the loss fell fastest, as it grew by a factor.
  public var suggestion: Double? {
    guard losses.count > 2 else { return nil }
    let slopes = (1..<losses.count).map { losses[$0] - losses[$0 - 1] }
    guard let best = slopes.indices.min(by: { slopes[$0] < slopes[$1] }), slopes[best] < 0 else { return nil }
    return rates[best + 1]
  }

  public var plot: Plot {
    var plot = Plot("Learning rates", x: "learning rate", y: "loss")
    plot.xScale = .logarithmic
    plot.line("loss", x: rates, losses)
    if let suggestion { plot.marker(String(format: "suggested: %.2g", suggestion), x: suggestion) }
    return plot
  }
}

extension Trainer {
  /// Takes `steps` steps while the learning rate grows from the one end of `rates` to the other, and puts everything
  /// back as it was. Ends early where the loss grows beyond four times its least.
  ///
  /// ```swift
  /// let sweep = try trainer.sweepLearningRates(data.train.batched(128, shuffled: true))
  /// try sweep.plot.save("learning-rates.svg")
  /// optimizer.learningRate = sweep.suggestion ?? 1e-3
  /// ```
  public func sweepLearningRates(
    _ data: Dataset<Batch>, over rates: ClosedRange<Double> = 1e-7...10, steps: Int = 100, seed: UInt64 = 0
  ) throws -> LearningRateSweep {
    let growth = pow(rates.upperBound / rates.lowerBound, 1 / Double(max(1, steps - 1)))
    let first = rates.lowerBound
    let sweep = Sweep(steps)
    // Layers that learn their shapes from an example do so before anything is kept.
    var pass = data.pass()
    if let batch = pass.next() { try learnShapes(batch) }
    try keepingEverything {
      // Its rates are the sweep's own, whatever the optimizers' are.
      for optimizer in optimizers.values { optimizer.learningRate = 1 }
      do {
        // Epochs enough for the steps, however few batches there are.
        try fit(
          data, epochs: steps, seed: seed, schedule: Schedule { step, _ in first * pow(growth, Double(step)) },
          callbacks: [sweep])
      } catch let error as TrainingError where sweep.rates.isEmpty {
        throw error
      } catch is TrainingError {}
    }
    return LearningRateSweep(rates: sweep.rates, losses: sweep.losses)
  }

  /// Runs `body`, and puts the model and the optimizers back as they were.
  private func keepingEverything(_ body: () throws -> Void) throws {
    let values = model.namedParameters.filter { $0.parameter.shape != nil }.map { ($0.parameter, $0.parameter.value) }
    let states = optimizers.mapValues { $0.state(of: model) }
    let learningRates = optimizers.mapValues(\.learningRate)
    let before = history
    let result = Result { try body() }
    for (parameter, value) in values { parameter.value = value }
    for (name, state) in states { try optimizers[name]?.restore(state, to: model) }
    for (name, rate) in learningRates { optimizers[name]?.learningRate = rate }
    forget(to: before)
    try result.get()
  }
}

/// Follows the losses of a sweep.
private final class Sweep: Callback {
  private(set) var rates: [Double] = []
  private(set) var losses: [Double] = []
  private var average = 0.0
  private let steps: Int

  init(_ steps: Int) { self.steps = steps }

  func on(_ event: TrainingEvent, in run: TrainingRun) throws {
    guard case .stepFinished(let report) = event else { return }
    let loss = try report.loss.item(as: Double.self)
    // A moving average of 0.9 a step, freed from its start at 0.
    average = 0.9 * average + 0.1 * loss
    let smooth = average / (1 - pow(0.9, Double(report.totalSteps)))
    let isLost = !smooth.isFinite || losses.min().map { smooth > $0 + 3 * abs($0) } ?? false
    if !isLost {
      rates.append(report.learningRate)
      losses.append(smooth)
    }
    if isLost || report.totalSteps >= steps { run.stop("the sweep is done") }
  }
}
