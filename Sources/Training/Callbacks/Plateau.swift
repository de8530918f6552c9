import CajalOptimizers

/// Reduces the learning rate when a measure no longer gets better: see ``ReduceOnPlateau``.
public final class Plateau: Callback {
  private let monitor: Monitor
  private let initial: ReduceOnPlateau
  private var plateau: ReduceOnPlateau

  /// - Parameter plateau: how; the monitor says whether the measure should rise.
  public init(_ monitor: Monitor = "val_loss", _ plateau: ReduceOnPlateau = ReduceOnPlateau()) {
    self.monitor = monitor
    initial = plateau.towards(monitor.shouldRise ? .maximum : .minimum)
    self.plateau = initial
  }

  public func on(_ event: TrainingEvent, in run: TrainingRun) throws {
    switch event {
    case .started:
      if run.totalSteps == 0 { plateau = initial }
      run.learningRateFactor = plateau.factor
    case .epochFinished(let report): run.learningRateFactor = plateau.update(try monitor.value(in: report))
    default: break
    }
  }

  public func savedState() throws -> CallbackState? { try CallbackState(plateau) }
  public func restore(_ saved: CallbackState) throws { plateau = try saved.decode(ReduceOnPlateau.self) }
}

extension Callback where Self == Plateau {
  /// Times `reduction` whenever a measure was no better for more than `patience` epochs: see ``Plateau``.
  public static func reduceOnPlateau(
    _ monitor: Monitor = "val_loss", reduction: Double = 0.1, patience: Int = 10, cooldown: Int = 0
  ) -> Plateau {
    Plateau(monitor, ReduceOnPlateau(reduction: reduction, patience: patience, cooldown: cooldown))
  }
}
