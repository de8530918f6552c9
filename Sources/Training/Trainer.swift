import CajalBase
import CajalData
import CajalEngine
import CajalIR
import CajalLosses
import CajalMetrics
import CajalNN
import CajalOptimizers
import CajalTensor

/// Trains a model, tests it, and remembers how it went.
///
/// ```swift
/// let trainer = Trainer(model, loss: .softmaxCrossEntropy, optimizer: Adam(), metrics: [.accuracy])
/// try trainer.fit(data.train, epochs: 5, validation: data.test, callbacks: [.progress])
/// print(trainer.history["val_accuracy"])
/// ```
///
/// With a loss of one's own, from a model and a batch:
///
/// ```swift
/// let trainer = Trainer(model, optimizer: Adam()) { model, x, y in softmaxCrossEntropy(model(x), y) }
/// ```
///
/// With a step of one's own, which updates whatever it likes by as many optimizers as it needs:
///
/// ```swift
/// let trainer = Trainer(model, optimizers: ["optimizer": sgd]) { model, batch in
///   let (loss, gradients) = valueAndGradient(of: model) { meanSquaredError(model(batch.inputs), batch.targets) }
///   sgd.update(model, gradients)
///   return StepResult(loss: loss)
/// }
/// ```
public final class Trainer<Model: Module> {
  /// One training step on a batch, updates included.
  public typealias Step = (_ model: Model, _ batch: Batch) throws -> StepResult
  /// What the model makes of a batch, without learning from it.
  public typealias Forward = (_ model: Model, _ batch: Batch) -> StepResult

  public let model: Model
  public let optimizers: [String: any Optimizer]
  public let metrics: [Metric]
  /// The epochs so far, resumed ones among them.
  public private(set) var history = History()
  /// Changes gradients before the update: `{ $0.clipped(toGlobalNorm: 1) }`.
  public var transformGradients: (Gradients) -> Gradients = { $0 }
  /// Batches whose gradients make one step, as one batch of their sizes together would (if all are of one size).
  public var accumulatedBatches = 1
  /// The dtype of matrix products: `.bfloat16` for mixed precision, `nil` for that of their operands.
  public var precision: DType?

  /// Without it the step is one's own.
  private let forward: Forward?
  private let customStep: Step?
  private let meter = EngineMeter()
  private var resumed: SavedRun?

  private init(
    _ model: Model, _ optimizers: [String: any Optimizer], _ metrics: [Metric], forward: Forward?, step: Step?
  ) {
    self.model = model
    self.optimizers = optimizers
    self.metrics = metrics
    self.forward = forward
    customStep = step
  }

  /// - Parameters:
  ///   - loss: from the model's outputs and the batch's targets one number, to be made small.
  ///   - metrics: measured on what the model gives while it learns, and on the validation part.
  public convenience init(_ model: Model, loss: Loss, optimizer: any Optimizer, metrics: [Metric] = [])
  where Model: Layer {
    self.init(
      model, ["optimizer": optimizer], metrics,
      forward: { model, batch in
        let outputs = model(batch.inputs)
        return StepResult(loss: loss(outputs, batch.targets), outputs: outputs)
      }, step: nil)
  }

  /// - Parameter loss: from the model and a batch's inputs and targets one number, to be made small.
  public convenience init(
    _ model: Model, optimizer: any Optimizer, loss: @escaping (_ model: Model, _ x: Tensor, _ y: Tensor) -> Tensor
  ) {
    self.init(
      model, ["optimizer": optimizer], [],
      forward: { StepResult(loss: loss($0, $1.inputs, $1.targets)) }, step: nil)
  }

  /// - Parameters:
  ///   - optimizers: those that the step uses, by names for checkpoints; a schedule scales the rates of all.
  ///   - evaluation: what ``evaluate(_:onProgress:)`` and validation measure; without it there is none.
  public convenience init(
    _ model: Model, optimizers: [String: any Optimizer], metrics: [Metric] = [], evaluation: Forward? = nil,
    step: @escaping Step
  ) {
    self.init(model, optimizers, metrics, forward: evaluation, step: step)
  }

  // MARK: Training

  /// Trains for `epochs` passes over `data`.
  ///
  /// The same seed, data and model give the same weights, bit for bit, also where the run was resumed between.
  ///
  /// - Parameters:
  ///   - epochs: in all; of a resumed run those that it made before count too.
  ///   - validation: measured after each epoch.
  ///   - seed: of what the model draws in its steps, as dropout does. The order of examples is the data's.
  ///   - schedule: a factor for the optimizers' learning rates, from step to step.
  ///   - callbacks: told of everything, in this order; ``Checkpoint`` comes last.
  /// - Throws: ``TrainingError`` where the loss is no number any more; ``TensorError`` where a step failed; what a
  ///   callback throws.
  @discardableResult
  public func fit(
    _ data: Dataset<Batch>, epochs: Int, validation: Dataset<Batch>? = nil, seed: UInt64 = 0,
    schedule: Schedule = .constant(), callbacks: [any Callback] = []
  ) throws -> TrainingReport {
    try eval(model.trainableParameters.filter { $0.shape != nil }.map(\.value))
    let callbacks = callbacks.flatMap { [$0] + $0.members }
    var found: SavedRun?
    // The first that has something to go on with says where.
    for case let checkpoint as Checkpoint in callbacks where checkpoint.resumes && resumed == nil && found == nil {
      let folder = CheckpointFolder(checkpoint.folder)
      if folder.latest != nil { found = try folder.load() }
    }
    let accumulated = max(1, accumulatedBatches)
    let steps = data.count.map { ($0 + accumulated - 1) / accumulated }
    guard steps != nil || !schedule.dependsOnTotal else {
      throw TrainingError(
        problem: "the schedule goes by the length of the run, and nobody knows how many batches the data has",
        remedy: "Give the schedule a length in steps (`over:`), or use data that knows its count")
    }
    let rates = optimizers.mapValues(\.learningRate)
    let run = try begin(epochs: epochs, steps: steps, seed: seed, callbacks, from: found) {
      RunPlan(
        epochs: schedule.dependsOnTotal ? epochs : nil, stepsPerEpoch: steps, accumulatedBatches: accumulated,
        precision: precision.map { "\($0)" }, learningRates: rates, firstBatch: BatchDigest(firstOf: data))
    }
    defer {
      for (name, rate) in rates { optimizers[name]?.learningRate = rate }
      history = run.history
    }
    do {
      return try passes(run, data, validation, rates, schedule)
    } catch {
      for case let folder as RunFolder in callbacks { folder.fail(run, error) }
      throw error
    }
  }

  private func passes(
    _ run: TrainingRun, _ data: Dataset<Batch>, _ validation: Dataset<Batch>?, _ rates: [String: Double],
    _ schedule: Schedule
  ) throws -> TrainingReport {
    var times = Times()
    try run.tell(
      .started(StartReport(epochs: run.epochs, epochsDone: run.history.epochs.count, steps: run.stepsPerEpoch)))
    // Not before: whoever was refused may try again.
    resumed = nil
    while run.history.epochs.count < run.epochs, run.stopReason == nil {
      try train(run, data, rates, schedule, &times)
      // A run that was stopped in the middle of an epoch goes on there if it is resumed.
      if run.stopReason != nil, run.stepInEpoch != run.stepsPerEpoch { break }
      try finishEpoch(run, validation, &times)
    }
    let report = TrainingReport(
      epochs: run.history.epochs.count, steps: run.totalSteps, seconds: times.training,
      stepCounters: meter.counters, stopReason: run.stopReason)
    try run.tell(.finished(report))
    return report
  }

  /// Trains on examples in memory, each epoch in an order of its own that `seed` says.
  @discardableResult
  public func fit(
    _ data: LabeledData, epochs: Int, batchSize: Int = 128, validation: LabeledData? = nil, seed: UInt64 = 0,
    schedule: Schedule = .constant(), callbacks: [any Callback] = []
  ) throws -> TrainingReport {
    try fit(
      data.batched(batchSize, shuffled: true, seed: seed), epochs: epochs, validation: validation?.batched(1000),
      seed: seed, schedule: schedule, callbacks: callbacks)
  }

  /// That of the first optimizer by name.
  private var learningRate: Double { optimizers.min { $0.key < $1.key }?.value.learningRate ?? 0 }

  private func begin(
    epochs: Int, steps: Int?, seed: UInt64, _ callbacks: [any Callback], from found: SavedRun?,
    _ makePlan: () -> RunPlan
  ) throws -> TrainingRun {
    let saved = resumed ?? found
    let plan = saved != nil || callbacks.contains { $0 is Checkpoint } ? makePlan() : nil
    var differences: [String] = []
    if let saved, let plan { differences = try saved.differences(seed: seed, plan, makePlan) }
    if saved != nil { for case let folder as RunFolder in callbacks { try folder.checkSettings() } }
    // Nothing of the model has changed where the run is refused.
    try found?.restore(model, optimizers)
    if let found { history = found.state.position.history }
    let sums = saved?.sums(metrics) ?? RunningSums(metrics)
    let run = TrainingRun(
      model: model, optimizers: optimizers, epochs: epochs, seed: seed, stepsPerEpoch: steps, callbacks: callbacks,
      position: saved?.state.position ?? TrainingPosition(), sums: sums)
    run.plan = plan
    try saved?.restore(run)
    for difference in differences { run.warn(difference) }
    run.retrace = { [unowned run] in
      try withNaNCheck {
        for batch in run.batches {
          let result = self.drawing(.step, run.seed, max(0, run.totalSteps - 1)) {
            withAutocast(to: self.precision) { withTraining { self.forward?(self.model, batch) } }
          }
          if let error = result?.loss.error { throw error }
        }
      }
    }
    return run
  }

  /// What is left of the epoch that is under way.
  private func train(
    _ run: TrainingRun, _ data: Dataset<Batch>, _ rates: [String: Double], _ schedule: Schedule, _ times: inout Times
  ) throws {
    let epoch = run.history.epochs.count + 1
    times.beginEpoch()
    var pass = data.pass(epoch: epoch, from: run.stepInEpoch * max(1, accumulatedBatches))
    while run.stopReason == nil {
      run.batches = times.waiting { (0..<max(1, accumulatedBatches)).compactMap { _ in pass.next() } }
      if run.batches.isEmpty { break }
      let factor = run.learningRateFactor * schedule.factor(step: run.totalSteps, of: run.totalPlanned ?? 0)
      for (name, rate) in rates { optimizers[name]?.learningRate = rate * factor }
      let loss = try meter.measure { try step(run) }
      run.stepInEpoch += 1
      run.totalSteps += 1
      times.examples += run.batches.reduce(0) { $0 + $1.count }
      try run.tell(
        .stepFinished(
          StepReport(
            epoch: epoch, step: run.stepInEpoch, totalSteps: run.totalSteps, loss: loss,
            learningRate: learningRate)))
      if times.isReportDue { try run.tell(.progress(progress(run, epoch, &times))) }
    }
    // The last update is part of the epoch.
    try eval(model.trainableParameters.map(\.value))
    try check(run, epoch)
    times.endEpoch()
  }

  /// One step on the batches of `run`; returns its loss.
  private func step(_ run: TrainingRun) throws -> Tensor {
    run.stepGuard = run.skipsNonFiniteSteps ? StepGuard() : nil
    return try StepGuard.$current.withValue(run.stepGuard) {
      try drawing(.step, run.seed, run.totalSteps) {
        try withAutocast(to: precision) { try customStep == nil ? descend(run) : performCustomStep(run) }
      }
    }
  }

  /// What draws random numbers; each has its own, which nobody else makes of the seed.
  private enum Drawer: UInt64 {
    case step = 0x57E9
    case validation = 0x7E57
  }

  /// Runs `body` with draws that depend on its place in the run alone: a resumed run needs to know nothing else.
  private func drawing<Result>(
    _ drawer: Drawer, _ seed: UInt64, _ place: Int, _ body: () throws -> Result
  ) rethrows -> Result {
    try withGenerator(Generator(key: Philox.derive(Philox.derive(seed, drawer.rawValue), UInt64(place))), body)
  }

  private func performCustomStep(_ run: TrainingRun) throws -> Tensor {
    var loss = Tensor(0)
    for batch in run.batches {
      guard let result = try withTraining(true, { try customStep?(model, batch) }) else { break }
      run.sums.add(result, batch)
      loss = result.loss
    }
    return loss
  }

  private func descend(_ run: TrainingRun) -> Tensor {
    var (loss, gradients) = differentiate(run.batches[0], &run.sums)
    if run.batches.count > 1 {
      for batch in run.batches.dropFirst() {
        let (next, more) = differentiate(batch, &run.sums)
        loss = loss + next
        gradients += more
      }
      let share = 1 / Double(run.batches.count)
      loss = loss * share
      gradients = gradients.scaled(by: share)
    }
    if run.watchesGradients {
      run.gradientNorms = [:]
      gradients = gradients.mapByParameter { parameter, gradient in
        run.gradientNorms[parameter.path] = gradient.cast(to: .float32).squared().sum().sqrt()
        return gradient
      }
    }
    gradients = transformGradients(gradients)
    run.stepGuard?.loss = loss
    // What optimizers compute is not part of mixed precision.
    withAutocast(to: nil) { for optimizer in optimizers.values { optimizer.update(model, gradients) } }
    return loss
  }

  private func differentiate(_ batch: Batch, _ sums: inout RunningSums) -> (Tensor, Gradients) {
    // The sums are made inside, where they are part of the step's plan.
    valueAndGradient(of: model) { () -> Tensor in
      guard let result = forward?(model, batch) else { return Tensor(0) }
      sums.add(result, batch)
      return result.loss
    }
  }

  private func progress(_ run: TrainingRun, _ epoch: Int, _ times: inout Times) throws -> ProgressReport {
    let measures = try check(run, epoch)
    let seconds = times.inEpoch
    let left = run.stepsPerEpoch.map { Double($0 - run.stepInEpoch) * seconds / Double(max(1, times.steps)) }
    times.reported()
    return ProgressReport(
      epoch: epoch, epochs: run.epochs, step: run.stepInEpoch, steps: run.stepsPerEpoch, measures: measures,
      examplesPerSecond: Double(times.examples) / seconds, waitShare: times.waited / seconds, secondsLeft: left)
  }

  private func finishEpoch(_ run: TrainingRun, _ validation: Dataset<Batch>?, _ times: inout Times) throws {
    var measures = try run.sums.measures()
    if let validation {
      let found = try drawing(.validation, run.seed, run.history.epochs.count) { try evaluate(validation) }
      measures = measures.adding(found, prefix: "val_")
    }
    let report = EpochReport(
      epoch: run.history.epochs.count + 1, epochs: run.epochs, measures: measures,
      learningRate: learningRate, seconds: times.inLastEpoch,
      waitSeconds: times.waited, examples: run.sums.examples)
    run.history.epochs.append(report)
    run.stepInEpoch = 0
    run.sums = RunningSums(metrics)
    try run.tell(.epochFinished(report))
  }

  /// The measures so far, whose loss must be a number.
  @discardableResult
  private func check(_ run: TrainingRun, _ epoch: Int) throws -> Measures {
    let measures = try run.sums.measures()
    guard let loss = measures["loss"], !loss.isFinite else { return measures }
    throw TrainingError(
      problem: "the loss became \(loss) by step \(run.stepInEpoch) of epoch \(epoch)",
      remedy: "Lower the learning rate (it is \(learningRate)), or set CAJAL_CHECK_NAN=1 to see which operation made it"
    )
  }

  // MARK: Going on

  /// Takes back what the last checkpoint in `folder` holds, for the next ``fit(_:epochs:validation:seed:schedule:callbacks:)``
  /// to go on there, bit for bit as if nothing had been.
  public func resume(from folder: String) throws {
    let saved = try CheckpointFolder(folder).load()
    try saved.restore(model, optimizers)
    history = saved.state.position.history
    resumed = saved
  }

  /// Runs the model on a batch, without learning from it.
  func learnShapes(_ batch: Batch) throws {
    if let result = forward?(model, batch) { try eval([result.loss]) }
  }

  func forget(to earlier: History) { history = earlier }

  // MARK: Testing

  /// The loss and the metrics on `data`.
  public func evaluate(_ data: Dataset<Batch>, onProgress: (_ examples: Int) throws -> Void = { _ in }) throws
    -> Measures
  {
    guard let forward else {
      throw TrainingError(
        problem: "this trainer's step is its own, and nothing says how to test the model",
        remedy: "Pass `evaluation:` when you make the trainer")
    }
    var sums = RunningSums(metrics)
    for batch in data {
      sums.add(forward(model, batch), batch)
      Runtime.startPending()
      try onProgress(sums.examples)
    }
    return try sums.measures()
  }
}

extension Trainer where Model: Layer {
  /// The model's outputs.
  ///
  /// **Shapes**: `[N, …]` to `[N, …]`.
  public func predict(_ inputs: Tensor, batchSize: Int = 1000) throws -> Tensor {
    try model.predict(inputs, batchSize: batchSize)
  }
}

extension Layer {
  /// The outputs for many examples, a batch at a time; waits for them.
  ///
  /// **Shapes**: `[N, …]` to `[N, …]`.
  public func predict(_ inputs: Tensor, batchSize: Int = 1000) throws -> Tensor {
    guard inputs.shape.rank > 0, inputs.shape[0] > batchSize else {
      let outputs = self(inputs)
      try eval([outputs])
      return outputs
    }
    var parts: [Tensor] = []
    for start in stride(from: 0, to: inputs.shape[0], by: max(1, batchSize)) {
      let part = self(inputs[start..<Swift.min(start + batchSize, inputs.shape[0])])
      try eval([part])
      parts.append(part)
    }
    return Tensor.concatenate(parts)
  }
}
