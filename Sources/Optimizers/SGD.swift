import CajalBase
import CajalIR
import CajalNN
import CajalOperations

/// Stochastic gradient descent, with momentum if wanted (Polyak 1964; Sutskever et al. 2013).
///
/// v ← momentum · v + (1 − dampening) · g, θ ← θ − learningRate · v; Nesterov: θ ← θ − learningRate · (g + momentum · v).
/// The first v is g. Decay is coupled: g + weightDecay · θ stands for g.
public final class SGD: RuleOptimizer {
  public let momentum: Double
  public let dampening: Double
  public let isNesterov: Bool
  package let state: OptimizerState

  public init(
    learningRate: Double = 0.01, momentum: Double = 0, dampening: Double = 0, isNesterov: Bool = false,
    weightDecay: Double = 0, groups: [ParameterGroup] = []
  ) {
    self.momentum = momentum
    self.dampening = dampening
    self.isNesterov = isNesterov
    // Only the first step differs from others, where momentum is dampened.
    state = OptimizerState(
      learningRate, weightDecay: weightDecay, groups: groups,
      counters: momentum == 0 || dampening == 0 ? [:] : ["step": 0])
  }

  package func slots(for type: TensorType) -> [SlotKind] { momentum == 0 ? [] : [SlotKind("momentum")] }

  package func numbers(_ step: StepNumbers) -> [Value] {
    let numbers = [step.learningRate(), step(momentum)]
    if step.counters.isEmpty { return numbers }
    let isFirst = Value.equal(step.count, step(1, .float64))
    return numbers + [.select(isFirst, step(1), step(1 - dampening))]
  }

  package func rule(_ value: Value, _ gradient: Value, _ slots: [Value], _ numbers: [Value]) -> [Value] {
    guard let velocity = slots.first else { return [value - gradient * numbers[0]] }
    let share = numbers.count > 2 ? gradient * numbers[2] : gradient
    let next = velocity * numbers[1] + share
    let direction = isNesterov ? gradient + next * numbers[1] : next
    return [value - direction * numbers[0], next]
  }
}
