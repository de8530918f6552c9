import CajalOptimizers
import CajalTensor

/// Averages the weights along a run, which the model has at its end: see ``MovingAverage``. Validation on the way is of
/// the weights that train.
public final class Averaging: Callback {
  private let decay: Double?
  private let firstEpoch: Int
  private var average: MovingAverage?
  private var saved: [String: Tensor]?

  /// - Parameters:
  ///   - decay: how much of the average stays at a step; `nil` for the mean of all.
  ///   - firstEpoch: where it begins, from 1: the mean of all is of weights that have settled.
  public init(decay: Double? = 0.999, from firstEpoch: Int = 1) {
    self.decay = decay
    self.firstEpoch = firstEpoch
  }

  public func on(_ event: TrainingEvent, in run: TrainingRun) throws {
    switch event {
    case .started:
      if run.totalSteps == 0 { saved = nil }
      let average = MovingAverage(of: run.model, decay: decay)
      if let saved { try average.restore(saved) }
      self.average = average
    case .stepFinished(let report): if report.epoch >= firstEpoch { average?.update() }
    case .finished: average?.assign()
    default: break
    }
  }

  public func savedState() throws -> CallbackState? {
    try average.map { try CallbackState([String](), tensors: $0.tensors) }
  }

  public func restore(_ saved: CallbackState) throws { self.saved = saved.tensors }
}

extension Callback where Self == Averaging {
  /// See ``Averaging``.
  public static func averaging(decay: Double? = 0.999, from firstEpoch: Int = 1) -> Averaging {
    Averaging(decay: decay, from: firstEpoch)
  }
}
