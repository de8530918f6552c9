/// Reduces the learning rate when a metric no longer gets better: a factor that depends on results, so it is told
/// them, and its state can be saved.
///
/// ```swift
/// var plateau = ReduceOnPlateau(patience: 3)
/// optimizer.learningRate = rate * plateau.update(validationLoss)     // after each epoch
/// ```
public struct ReduceOnPlateau: Codable, Sendable, Equatable {
  public enum Goal: String, Codable, Sendable {
    /// A loss.
    case minimum
    /// An accuracy.
    case maximum
  }

  public private(set) var goal: Goal
  /// What the factor is multiplied by.
  public let reduction: Double
  /// How many results in a row may be no better.
  public let patience: Int
  /// A result is better if it is by more than this part of the best one.
  public let threshold: Double
  /// Results that do not count after a reduction.
  public let cooldown: Int
  /// The least factor.
  public let lowest: Double

  /// What the learning rate is multiplied by now.
  public private(set) var factor = 1.0
  public private(set) var best: Double?
  private var waiting = 0
  private var resting = 0

  /// The defaults are PyTorch's.
  public init(
    goal: Goal = .minimum, reduction: Double = 0.1, patience: Int = 10, threshold: Double = 1e-4, cooldown: Int = 0,
    lowest: Double = 0
  ) {
    self.goal = goal
    self.reduction = reduction
    self.patience = patience
    self.threshold = threshold
    self.cooldown = cooldown
    self.lowest = lowest
  }

  /// The same for another goal.
  public func towards(_ goal: Goal) -> ReduceOnPlateau {
    var other = self
    other.goal = goal
    return other
  }

  /// Hears of a result. One that is no number is no better.
  ///
  /// - Returns: the factor from now on.
  @discardableResult
  public mutating func update(_ metric: Double) -> Double {
    if isBetter(metric) {
      best = metric
      waiting = 0
    } else {
      waiting += 1
    }
    if resting > 0 {
      resting -= 1
      waiting = 0
    }
    if waiting > patience {
      factor = max(lowest, factor * reduction)
      resting = cooldown
      waiting = 0
    }
    return factor
  }

  private func isBetter(_ metric: Double) -> Bool {
    guard let best else { return !metric.isNaN }
    return switch goal {
    case .minimum: metric < best - threshold * abs(best)
    case .maximum: metric > best + threshold * abs(best)
    }
  }
}
