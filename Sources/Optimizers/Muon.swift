import CajalBase
import CajalIR
import CajalOperations

/// Momentum made orthogonal: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; for
/// matrices. What are no matrices ``AdamW`` sees to, with the same learning rate and decay.
///
/// m ← momentum · m + (1 − momentum) · g, O = the orthogonal factor of m (Nesterov: of (1 − momentum) · g + momentum · m),
/// θ ← θ · (1 − learningRate · weightDecay) − learningRate · a · O, where a for a matrix `[inputs, outputs]` is
/// √max(1, outputs / inputs), or by `matchesAdam` 0.2 √max(inputs, outputs) (Liu et al. 2025), whose steps are as long
/// as Adam's: learning rates of Adam then suit all parameters.
///
/// The factor comes from five steps of a quintic Newton–Schulz iteration, which leaves singular values between about 0.7
/// and 1.2: enough. They are computed in the parameter's dtype, where PyTorch takes bfloat16.
public final class Muon: RuleOptimizer {
  public let momentum: Double
  public let isNesterov: Bool
  public let matchesAdam: Bool
  public let epsilon: Double
  private let adam = AdamRule(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, usesAMSGrad: false)
  package let state: OptimizerState

  public init(
    learningRate: Double = 1e-3, momentum: Double = 0.95, isNesterov: Bool = true, matchesAdam: Bool = false,
    epsilon: Double = 1e-7, weightDecay: Double = 0.1, groups: [ParameterGroup] = []
  ) {
    self.momentum = momentum
    self.isNesterov = isNesterov
    self.matchesAdam = matchesAdam
    self.epsilon = epsilon
    state = OptimizerState(learningRate, weightDecay: weightDecay, decay: .decoupled, groups: groups)
  }

  package func slots(for type: TensorType) -> [SlotKind] {
    type.shape.rank == 2 ? [SlotKind("momentum")] : adam.slots
  }

  package func numbers(_ step: StepNumbers) -> [Value] {
    adam.numbers(step) + [step.learningRate(), step(momentum), step(1 - momentum), step(epsilon)]
  }

  package func rule(_ value: Value, _ gradient: Value, _ slots: [Value], _ numbers: [Value]) -> [Value] {
    if slots.count > 1 { return adam.change(value, gradient, slots, numbers) }
    let average = Value.movingAverage(slots[0], gradient, decay: numbers[8], weight: numbers[9])
    let ahead = isNesterov ? Value.movingAverage(average, gradient, decay: numbers[8], weight: numbers[9]) : average
    let direction = orthogonalized(ahead, epsilon: numbers[10])
    let (inputs, outputs) = (Double(value.shape[0]), Double(value.shape[1]))
    let ratio = matchesAdam ? 0.2 * max(inputs, outputs).squareRoot() : max(1, outputs / max(1, inputs)).squareRoot()
    return [value - direction * (numbers[7] * ratio), average]
  }

  /// UVᵀ of x = USVᵀ, nearly.
  private func orthogonalized(_ x: Value, epsilon: Value) -> Value {
    // The smaller Gram matrix.
    let isTall = x.shape[0] > x.shape[1]
    var x = x / Value.maximum(x.norm(), epsilon)
    for _ in 0..<5 {
      // The coefficients are Jordan's: steep at 0, and bounded on [0, 1].
      let gram = isTall ? x.matmul(x, transposed: true) : x.matmul(x, transposingOther: true)
      let change = gram * -4.7750 + gram.matmul(gram) * 2.0315
      x = x * 3.4445 + (isTall ? x.matmul(change) : change.matmul(x))
    }
    return x
  }
}
