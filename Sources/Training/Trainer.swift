import CajalBase
import CajalData
import CajalEngine
import CajalNN
import CajalOptimizers
import CajalTensor
import Foundation

/// Runs a training loop whose step is yours: from a model and a batch to the loss.
///
/// ```swift
/// let trainer = Trainer(model, optimizer: Adam()) { model, x, y in softmaxCrossEntropy(model(x), y) }
/// try trainer.fit(data.train, epochs: 5)
/// ```
public final class Trainer<Model: Module>: Sendable {
  public typealias Step = @Sendable (_ model: Model, _ x: Tensor, _ y: Tensor) -> Tensor

  public let model: Model
  public let optimizer: any Optimizer
  private let step: Step
  private let meter = EngineMeter()

  /// - Parameter loss: the step: one number for a batch, to be made small.
  public init(_ model: Model, optimizer: any Optimizer, loss: @escaping Step) {
    self.model = model
    self.optimizer = optimizer
    step = loss
  }

  /// Trains for `epochs` passes over `data`, each in an order of its own that `seed` says.
  ///
  /// - Parameters:
  ///   - schedule: a factor for the optimizer's learning rate, from the fraction of the run that is done.
  ///   - validate: called after each epoch; the accuracy that it returns stands in the epoch's report.
  ///   - shouldStop: asked after each step; the run then ends early, with everything learned so far.
  ///   - onEvent: hears of everything; what it throws ends the run.
  /// - Throws: ``TrainingError`` where the loss is no number any more; ``TensorError`` where a step failed.
  @discardableResult
  public func fit(
    _ data: LabeledData, epochs: Int, batchSize: Int = 128, seed: UInt64 = 0,
    schedule: @escaping (_ progress: Double) -> Double = { _ in 1 },
    validate: () throws -> Double? = { nil }, shouldStop: () -> Bool = { false },
    onEvent: (TrainingEvent) throws -> Void = { _ in }
  ) throws -> TrainingReport {
    try eval(model.trainableParameters.filter { $0.shape != nil }.map(\.value))
    var run = Progress(
      epochs: epochs, steps: data.batches(of: batchSize).count, learningRate: optimizer.learningRate, schedule: schedule
    )
    defer { optimizer.learningRate = run.learningRate }
    try onEvent(.started(epochs: epochs, steps: run.stepsPerEpoch, examples: data.count))
    for epoch in 1...max(1, epochs) where epochs > 0 && !run.wasStopped {
      let batches = data.batches(of: batchSize, shuffled: true, seed: seed, epoch: epoch)
      let loss = try train(batches, epoch, &run, shouldStop, onEvent)
      let accuracy = try validate()
      try onEvent(
        .epochFinished(
          EpochReport(epoch: epoch, epochs: epochs, loss: loss, validationAccuracy: accuracy, seconds: run.epochSeconds)
        ))
    }
    let report = TrainingReport(
      epochs: run.epochsDone, steps: run.stepsDone, seconds: run.seconds, stepCounters: meter.counters,
      wasStopped: run.wasStopped)
    try onEvent(.finished(report))
    return report
  }

  /// One epoch; returns its mean loss.
  private func train(
    _ batches: Batches, _ epoch: Int, _ run: inout Progress, _ shouldStop: () -> Bool,
    _ onEvent: (TrainingEvent) throws -> Void
  ) throws -> Float {
    run.beginEpoch()
    var total = Tensor.zeros([])
    var examples = 0
    var steps = 0
    for (x, y) in batches {
      optimizer.learningRate = run.scheduledLearningRate
      let loss = meter.measure { () -> Tensor in
        // The sum is made inside, where it is part of the step's plan.
        let (loss, gradients, sum) = valueAndGradient(of: model) { () -> (Tensor, Tensor) in
          let loss = step(model, x, y)
          return (loss, total + loss.stoppingGradient())
        }
        total = sum
        optimizer.update(model, gradients)
        return loss
      }
      steps += 1
      examples += x.shape[0]
      run.stepsDone += 1
      if run.isReportDue {
        let current = try check(loss, epoch, steps)
        try onEvent(
          .progress(
            epoch: epoch, step: steps, steps: run.stepsPerEpoch, loss: current,
            examplesPerSecond: Double(examples) / run.secondsInEpoch))
        run.reported()
      }
      if shouldStop() {
        run.wasStopped = true
        break
      }
    }
    let mean = try check(total / Float(max(1, steps)), epoch, steps)
    // The last update is part of the epoch.
    try eval(model.trainableParameters.map(\.value))
    run.endEpoch()
    return mean
  }

  /// The loss as a number, which it must be.
  private func check(_ loss: Tensor, _ epoch: Int, _ step: Int) throws -> Float {
    let number = try loss.item()
    if number.isFinite { return number }
    throw TrainingError(
      problem: "the loss became \(number) by step \(step) of epoch \(epoch)",
      remedy:
        "Lower the learning rate (it is \(optimizer.learningRate)), or set CAJAL_CHECK_NAN=1 to see which operation made it"
    )
  }
}

/// Time and counts of a run.
private struct Progress {
  let epochs: Int
  let stepsPerEpoch: Int
  let learningRate: Double
  private let schedule: (Double) -> Double
  var stepsDone = 0
  var epochsDone = 0
  var seconds = 0.0
  var epochSeconds = 0.0
  var wasStopped = false
  private var epochStart = ContinuousClock.now
  private var lastReport = ContinuousClock.now

  init(epochs: Int, steps: Int, learningRate: Double, schedule: @escaping (Double) -> Double) {
    self.epochs = epochs
    stepsPerEpoch = steps
    self.learningRate = learningRate
    self.schedule = schedule
  }

  var scheduledLearningRate: Double {
    learningRate * schedule(Double(stepsDone) / max(1, Double(epochs) * Double(stepsPerEpoch)))
  }

  mutating func beginEpoch() {
    epochStart = .now
    lastReport = .now
  }

  /// Ten times a second: often enough for an eye, too rarely to cost anything.
  var isReportDue: Bool { lastReport.duration(to: .now) > .milliseconds(100) }
  mutating func reported() { lastReport = .now }

  var secondsInEpoch: Double {
    let duration = epochStart.duration(to: .now)
    return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }

  mutating func endEpoch() {
    epochSeconds = secondsInEpoch
    seconds += epochSeconds
    epochsDone += 1
  }
}
