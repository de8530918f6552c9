import CajalBase
import CajalTensor

/// Keeps a run from being poisoned: an update whose gradients are not all finite changes nothing, which is told with the
/// parameter's name, and a loss that is no number ends the run with the name of the operation and the layer that made
/// it. Steps of one's own are watched too.
///
/// It reads the loss of every step, so each step is waited for.
public final class NaNGuard: Callback {
  /// Steps left out one after the other, up to the last.
  private var skipped = 0

  public init() {}

  public func on(_ event: TrainingEvent, in run: TrainingRun) throws {
    switch event {
    case .started:
      skipped = 0
      run.skipsNonFiniteSteps = true
    case .stepFinished(let report):
      let loss = try report.loss.item(as: Double.self)
      if loss.isFinite { return try warn(report, run) }
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

  /// Tells of a step that was left out though its loss is a number; of many in a row the first and every hundredth.
  private func warn(_ report: StepReport, _ run: TrainingRun) throws {
    let culprits = try run.stepGuard?.culprits() ?? []
    skipped = culprits.isEmpty ? 0 : skipped + 1
    guard skipped % 100 == 1 else { return }
    let others = culprits.count > 1 ? " and \(culprits.count - 1) more" : ""
    run.warn(
      "step \(report.step) of epoch \(report.epoch) changed nothing: the gradient of \(culprits[0])\(others) is not "
        + "finite. Look for √0, 0/0 or log 0 on its way, or clip it." + (skipped > 1 ? " \(skipped) in a row." : ""))
  }
}

extension Callback where Self == NaNGuard {
  /// See ``NaNGuard``.
  public static var nanGuard: NaNGuard { NaNGuard() }
}
