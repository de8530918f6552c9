import CajalData
import CajalNN
import CajalOptimizers
import CajalTensor

/// A run under way: what callbacks see of it, and change.
public final class TrainingRun {
  public let model: any Module
  /// By name; the only one is called `optimizer`.
  public let optimizers: [String: any Optimizer]
  /// Passes to make in all.
  public let epochs: Int
  public let seed: UInt64
  /// Steps in an epoch, where that is known.
  public let stepsPerEpoch: Int?
  /// Multiplies the learning rate that the schedule gives, from the next step on.
  public var learningRateFactor = 1.0
  /// The epochs that are done.
  public internal(set) var history: History
  /// The steps that are done, since the very beginning.
  public internal(set) var totalSteps: Int

  /// What the last step looked at.
  public internal(set) var batches: [Batch] = []
  /// Whether steps tell how long their gradients are.
  public var watchesGradients = false
  /// ‖g‖₂ of each parameter's gradient in the last step, by path, where ``watchesGradients`` asks for it: scalars, which
  /// are computed with the step.
  public internal(set) var gradientNorms: [String: Tensor] = [:]
  /// Whether updates whose gradients are not all finite are left out, those of a step of one's own too. A function that
  /// was compiled keeps what it was compiled with.
  public var skipsNonFiniteSteps = false
  /// What watches over the last step's updates, if ``skipsNonFiniteSteps`` asks for it.
  var stepGuard: StepGuard?
  /// The measures of the last step's batches under the eyes of ``withNaNCheck(_:)``: throws what makes a NaN.
  var retrace: () throws -> Void = {}

  /// The steps done of the epoch that is under way.
  var stepInEpoch: Int
  /// What whoever goes on with the run must have the same, where a checkpoint keeps it.
  var plan: RunPlan?
  var sums: RunningSums
  private(set) var stopReason: String?
  private(set) var warnings: [String] = []
  /// All but checkpoints.
  let callbacks: [any Callback]
  private let checkpoints: [any Callback]

  init(
    model: any Module, optimizers: [String: any Optimizer], epochs: Int, seed: UInt64, stepsPerEpoch: Int?,
    callbacks: [any Callback], position: TrainingPosition, sums: RunningSums
  ) {
    self.model = model
    self.optimizers = optimizers
    self.epochs = epochs
    self.seed = seed
    self.stepsPerEpoch = stepsPerEpoch
    self.callbacks = callbacks.filter { !($0 is Checkpoint) }
    checkpoints = callbacks.filter { $0 is Checkpoint }
    history = position.history
    totalSteps = position.totalSteps
    stepInEpoch = position.stepInEpoch
    self.sums = sums
  }

  /// Where the run stands: after how many steps of which epoch.
  public var position: TrainingPosition {
    TrainingPosition(history: history, stepInEpoch: stepInEpoch, totalSteps: totalSteps)
  }

  /// Ends the run after this step, with everything learned so far.
  public func stop(_ reason: String) { stopReason = stopReason ?? reason }

  /// Tells everybody of something that does not end the run.
  public func warn(_ text: String) { warnings.append(text) }

  /// Tells all callbacks, and of warnings that they gave then.
  func tell(_ event: TrainingEvent) throws {
    // What is written down comes after everything that changes with an event; at the beginning before, for it may
    // refuse, and at the end before weights are made what they should be when all is over.
    var order = callbacks + checkpoints
    switch event {
    case .started, .finished: order = checkpoints + callbacks
    default: break
    }
    for callback in order { try callback.on(event, in: self) }
    while !warnings.isEmpty {
      let warning = TrainingEvent.warning(warnings.removeFirst())
      for callback in callbacks { try callback.on(warning, in: self) }
    }
  }

  /// The steps of the whole run, where that is known.
  var totalPlanned: Int? {
    stepsPerEpoch.map { steps in
      let (product, overflow) = steps.multipliedReportingOverflow(by: epochs)
      return overflow ? .max : product
    }
  }
}

/// How far a run is.
public struct TrainingPosition: Sendable, Codable {
  /// The epochs that are done.
  public var history = History()
  /// The steps done of the next.
  public var stepInEpoch = 0
  /// All steps.
  public var totalSteps = 0
}
