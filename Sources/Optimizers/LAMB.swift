import CajalBase
import CajalIR
import CajalOperations

/// Adam's directions with steps as long as a parameter's own size: for large batches. You et al. 2020, algorithm 2,
/// with φ(z) = z.
///
/// m and v as ``Adam``'s, r = m̂ / (√v̂ + ε) + weightDecay · θ, θ ← θ − learningRate · ‖θ‖ / ‖r‖ · r; the ratio is 1
/// where either is 0. Norms are of a whole parameter.
public final class LAMB: RuleOptimizer {
  private let adam: AdamRule
  package let state: OptimizerState

  public init(
    learningRate: Double = 1e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-6,
    weightDecay: Double = 0, groups: [ParameterGroup] = []
  ) {
    adam = AdamRule(beta1: beta1, beta2: beta2, epsilon: epsilon, usesAMSGrad: false)
    state = OptimizerState(learningRate, weightDecay: weightDecay, decay: .ruled, groups: groups)
  }

  package func slots(for type: TensorType) -> [SlotKind] { adam.slots }

  package func numbers(_ step: StepNumbers) -> [Value] {
    adam.numbers(step, rate: step(-1, .float64)) + [step.learningRate(), step(step.weightDecay), step(1)]
  }

  package func rule(_ value: Value, _ gradient: Value, _ slots: [Value], _ numbers: [Value]) -> [Value] {
    // A step of −1 from the decay is r.
    let news = adam.change(value * numbers[8], gradient, slots, numbers)
    let (size, length) = (value.norm(), news[0].norm())
    let hasRatio = Value.minimum(size, length) > 0
    let ratio = Value.select(hasRatio, size / length, numbers[9])
    return [value - news[0] * (ratio * numbers[7])] + news.dropFirst()
  }
}

extension Value {
  /// The root of the sum of squares: a scalar.
  func norm() -> Value { (self * self).sum().cast(to: dtype).sqrt() }
}
