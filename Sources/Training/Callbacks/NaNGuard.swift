import CajalBase
import CajalTensor

/// Keeps a run from being poisoned: a step whose gradients are not all finite changes nothing, and a loss that is no
/// number ends the run with the name of the operation and the layer that made it.
///
/// It reads the loss of every step, so each step is waited for.
public final class NaNGuard: Callback {
  public init() {}

  public func on(_ event: TrainingEvent, in run: TrainingRun) throws {
    switch event {
    case .started: run.skipsNonFiniteSteps = true
    case .stepFinished(let report):
      let loss = try report.loss.item(as: Double.self)
      if loss.isFinite { return }
      let place = "the loss is \(loss) in step \(report.step) of epoch \(report.epoch)"
      do {
        try run.retrace()
      } catch let error as TensorError {
        let module = error.module.map { " in \($0)" } ?? ""
        throw TrainingError(
          problem: "\(place): `\(error.operation)`\(module) \(error.problem)",
          remedy: "\(error.remedy). The weights are those before that step")
      }
      throw TrainingError(
        problem: "\(place), though no operation makes a NaN of numbers",
        remedy: "Look for infinities in the data. The weights are those before that step")
    default: break
    }
  }
}

extension Callback where Self == NaNGuard {
  /// See ``NaNGuard``.
  public static var nanGuard: NaNGuard { NaNGuard() }
}
