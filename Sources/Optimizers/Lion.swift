import CajalBase
import CajalIR
import CajalOperations

/// Steps of one length in every direction, the sign of a momentum: Chen et al. 2023, "Symbolic discovery of
/// optimization algorithms", which found it by search.
///
/// θ ← θ · (1 − learningRate · weightDecay) − learningRate · sign(β₁m + (1 − β₁)g), m ← β₂m + (1 − β₂)g.
/// Wants a learning rate three to ten times smaller than Adam's, and a decay as much greater.
public final class Lion: RuleOptimizer {
  public let beta1: Double
  public let beta2: Double
  package let state: OptimizerState

  public init(
    learningRate: Double = 1e-4, beta1: Double = 0.9, beta2: Double = 0.99, weightDecay: Double = 0,
    groups: [ParameterGroup] = []
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    state = OptimizerState(learningRate, weightDecay: weightDecay, decay: .decoupled, groups: groups, counters: [:])
  }

  package func slots(for type: TensorType) -> [SlotKind] { [SlotKind("mean")] }

  package func numbers(_ step: StepNumbers) -> [Value] {
    [step.learningRate(), step(beta1), step(1 - beta1), step(beta2), step(1 - beta2)]
  }

  package func rule(_ value: Value, _ gradient: Value, _ slots: [Value], _ numbers: [Value]) -> [Value] {
    let direction = Value.movingAverage(slots[0], gradient, decay: numbers[1], weight: numbers[2]).sign()
    let mean = Value.movingAverage(slots[0], gradient, decay: numbers[3], weight: numbers[4])
    return [value - direction * numbers[0], mean]
  }
}
