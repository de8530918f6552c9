import ArgumentParser
import Cajal

/// Flags about how a model learns.
struct OptimizationOptions: ParsableArguments {
  enum Method: String, CaseIterable, ExpressibleByArgument {
    case sgd, momentum, nesterov, adagrad, rmsprop, adadelta, adam, adamw, adamax, nadam, radam, lion, muon
  }

  enum ScheduleKind: String, CaseIterable, ExpressibleByArgument {
    case constant, linear, cosine, onecycle
  }

  @Option(help: "Passes over the training examples.")
  var epochs: Int?

  @Option(help: "Examples that one step looks at.")
  var batchSize: Int?

  @Option(help: "The size of a step, before the schedule.")
  var learningRate: Double?

  @Option(help: "Who takes the steps: \(Method.allCases.map(\.rawValue).joined(separator: ", ")).")
  var optimizer: Method?

  @Option(
    help: """
      How the learning rate goes over the run: \(ScheduleKind.allCases.map(\.rawValue).joined(separator: ", ")). \
      (default: linear, or as suits the model)
      """)
  var schedule: ScheduleKind?

  @Option(
    help: "The share of each weight that decays a step, times the learning rate (adamw, lion, muon; for others L2).")
  var weightDecay: Double?

  @Option(help: "The greatest length of all gradients together; longer ones are shortened.")
  var clipNorm: Double?

  @Option(help: "Steps over which the learning rate rises from nothing at first.")
  var warmup = 0

  @Option(
    help:
      "Ends the run after so many epochs without a better validation loss; holds a tenth of the examples out for that.")
  var earlyStopping: Int?

  @Option(help: "The dtype of matrix products: float32, or bfloat16 for mixed precision.")
  var precision = "float32"

  @Option(help: "Fixes all random numbers: the same seed gives the same weights, bit for bit.")
  var seed: UInt64 = 0

  func validate() throws {
    if let epochs, epochs < 1 { throw ValidationError("--epochs must be at least 1.") }
    if let batchSize, batchSize < 1 { throw ValidationError("--batch-size must be at least 1.") }
    if let learningRate, !(learningRate > 0 && learningRate.isFinite) {
      throw ValidationError("--learning-rate must be a positive number.")
    }
    if let weightDecay, !(weightDecay >= 0 && weightDecay.isFinite) {
      throw ValidationError("--weight-decay must be a number, 0 or more.")
    }
    if let clipNorm, !(clipNorm > 0) { throw ValidationError("--clip-norm must be a positive number.") }
    if warmup < 0 { throw ValidationError("--warmup must be 0 or more.") }
    if let earlyStopping, earlyStopping < 1 { throw ValidationError("--early-stopping must be at least 1.") }
    if !["float32", "bfloat16"].contains(precision) {
      throw ValidationError("--precision must be float32 or bfloat16, not \(precision).")
    }
  }

  /// - Parameter standard: the method, its rate and its decay where nobody says otherwise.
  func makeOptimizer(_ standard: (method: Method, learningRate: Double, weightDecay: Double)) -> any Optimizer {
    let method = optimizer ?? standard.method
    let rate = learningRate ?? (method == standard.method ? standard.learningRate : method.usualRate)
    // A step takes its share of the weights times the rate: the same share at any rate.
    let decay = weightDecay ?? (method == standard.method ? standard.weightDecay * standard.learningRate / rate : 0)
    return switch method {
    case .sgd: SGD(learningRate: rate, weightDecay: decay)
    case .momentum: SGD(learningRate: rate, momentum: 0.9, weightDecay: decay)
    case .nesterov: SGD(learningRate: rate, momentum: 0.9, isNesterov: true, weightDecay: decay)
    case .adagrad: AdaGrad(learningRate: rate, weightDecay: decay)
    case .rmsprop: RMSProp(learningRate: rate, weightDecay: decay)
    case .adadelta: AdaDelta(learningRate: rate, weightDecay: decay)
    case .adam: Adam(learningRate: rate, weightDecay: decay)
    case .adamw: AdamW(learningRate: rate, weightDecay: decay)
    case .adamax: AdaMax(learningRate: rate, weightDecay: decay)
    case .nadam: NAdam(learningRate: rate, weightDecay: decay)
    case .radam: RAdam(learningRate: rate, weightDecay: decay)
    case .lion: Lion(learningRate: rate, weightDecay: decay)
    case .muon: Muon(learningRate: rate, weightDecay: decay)
    }
  }

  func makeSchedule(orElse standard: ScheduleKind = .linear) -> Schedule {
    let main: Schedule =
      switch schedule ?? standard {
      case .constant: .constant()
      case .linear: .linear()
      case .cosine: .cosine()
      case .onecycle: .oneCycle()
      }
    return warmup > 0 ? .warmUp(warmup).then(main) : main
  }

  /// The examples to learn from, and those that early stopping watches, if it does: nothing is learned from them.
  func parts(_ data: LabeledData) throws -> (train: LabeledData, held: LabeledData?) {
    guard earlyStopping != nil else { return (data, nil) }
    let (train, held) = try heldOut(data)
    return (train, held)
  }

  /// Nine tenths of `data`, and the rest: the same for the same seed.
  func heldOut(_ data: LabeledData) throws -> (train: LabeledData, held: LabeledData) {
    let strata = try data.classes.map { _ in try data.labels.scalars(Int.self) }
    // Not the seed of the test: parts of parts must not be drawn alike.
    var parts = try Partition.split(data.count, [0.9, 0.1], strata: strata, seed: seed &+ 0x9E37_79B9)
    if parts[1].isEmpty, parts[0].count > 1 { parts[1] = [parts[0].removeLast()] }
    return (data.selecting(parts[0]), data.selecting(parts[1]))
  }

  /// Sets what a trainer does besides.
  func configure(_ trainer: Trainer<Sequential>) {
    if let clipNorm { trainer.transformGradients = { $0.clipped(toGlobalNorm: clipNorm) } }
    if precision == "bfloat16" { trainer.precision = .bfloat16 }
  }
}

extension OptimizationOptions.Method {
  /// A rate to begin with, as the methods' papers and PyTorch have it.
  fileprivate var usualRate: Double {
    switch self {
    case .sgd, .momentum, .nesterov, .adagrad, .rmsprop: 0.01
    case .adadelta: 1
    case .adam, .adamw, .nadam, .radam: 1e-3
    case .adamax: 2e-3
    case .lion: 1e-4
    case .muon: 1e-3
    }
  }
}
