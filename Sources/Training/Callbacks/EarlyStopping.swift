import CajalNN
import CajalTensor

/// Ends a run whose measure gets no better: Prechelt 1998.
public final class EarlyStopping: Callback {
  private let monitor: Monitor
  private let patience: Int
  private let minimumChange: Double
  private let restoresBest: Bool
  private var state = State()
  /// The parameters and buffers of the best epoch, by path.
  private var best: [String: Tensor] = [:]

  private struct State: Codable {
    var best: Double?
    var bestEpoch = 0
  }

  /// - Parameters:
  ///   - patience: epochs to wait for something better.
  ///   - minimumChange: what counts as better.
  ///   - restoresBest: whether the model gets its best epoch's weights back at the end.
  public init(_ monitor: Monitor = "val_loss", patience: Int = 5, minimumChange: Double = 0, restoresBest: Bool = true)
  {
    self.monitor = monitor
    self.patience = patience
    self.minimumChange = minimumChange
    self.restoresBest = restoresBest
  }

  /// The best epoch so far, from 1; 0 before the first.
  public var bestEpoch: Int { state.bestEpoch }

  public func on(_ event: TrainingEvent, in run: TrainingRun) throws {
    switch event {
    case .started:
      if run.totalSteps == 0 { (state, best) = (State(), [:]) }
      // A run that had ended so is resumed in vain.
      stopIfDue(run, run.history.epochs.count)
    case .epochFinished(let report):
      let value = try monitor.value(in: report)
      if state.best.map({ monitor.isBetter(value, than: $0, by: minimumChange) }) ?? value.isFinite {
        state = State(best: value, bestEpoch: report.epoch)
        if restoresBest {
          // Copies: what an update may write over is not held by somebody else.
          best = run.model.namedParameters.reduce(into: [:]) { $0[$1.path] = $1.parameter.value }
        }
      } else {
        stopIfDue(run, report.epoch)
      }
    case .finished:
      for (path, parameter) in run.model.namedParameters { if let value = best[path] { parameter.value = value } }
    default: break
    }
  }

  private func stopIfDue(_ run: TrainingRun, _ epoch: Int) {
    if epoch - state.bestEpoch >= patience { run.stop("\(monitor.name) was best in epoch \(state.bestEpoch)") }
  }

  public func savedState() throws -> CallbackState? { try CallbackState(state, tensors: best) }

  public func restore(_ saved: CallbackState) throws {
    state = try saved.decode(State.self)
    best = saved.tensors
  }
}

extension Callback where Self == EarlyStopping {
  /// See ``EarlyStopping``.
  public static func earlyStopping(
    _ monitor: Monitor = "val_loss", patience: Int = 5, minimumChange: Double = 0, restoresBest: Bool = true
  ) -> EarlyStopping {
    EarlyStopping(monitor, patience: patience, minimumChange: minimumChange, restoresBest: restoresBest)
  }
}

/// Saves the model of the best epoch so far.
public final class BestModel: Callback {
  private let path: String
  private let monitor: Monitor
  private let metadata: [String: String]
  private var best: Double?

  public init(_ path: String, _ monitor: Monitor = "val_loss", metadata: [String: String] = [:]) {
    self.path = path
    self.monitor = monitor
    self.metadata = metadata
  }

  public func on(_ event: TrainingEvent, in run: TrainingRun) throws {
    if case .started = event, run.totalSteps == 0 { best = nil }
    guard case .epochFinished(let report) = event else { return }
    let value = try monitor.value(in: report)
    guard best.map({ monitor.isBetter(value, than: $0) }) ?? value.isFinite else { return }
    do {
      try run.model.save(path, metadata: metadata)
      best = value
    } catch {
      run.warn("the best model was not saved: \(error) Training goes on.")
    }
  }

  public func savedState() throws -> CallbackState? { try best.map { try CallbackState([$0]) } }
  public func restore(_ state: CallbackState) throws { best = try state.decode([Double].self).first }
}

extension Callback where Self == BestModel {
  /// See ``BestModel``.
  public static func bestModel(_ path: String, _ monitor: Monitor = "val_loss", metadata: [String: String] = [:])
    -> BestModel
  { BestModel(path, monitor, metadata: metadata) }
}
