import CajalBase
import CajalIR
import CajalNN
import CajalOperations

/// Adam: Kingma and Ba 2015, as PyTorch computes it.
///
/// m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g²,
/// θ ← θ − learningRate / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε). The step's number t is part of the
/// state: a step that failed did not count. With AMSGrad (Reddi et al. 2018) the greatest v so far stands for v.
/// Decay is coupled: g + weightDecay · θ stands for g; see ``AdamW``.
public final class Adam: AdamOptimizer {
  package let adam: AdamRule
  package let state: OptimizerState

  public init(
    learningRate: Double = 1e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    weightDecay: Double = 0, usesAMSGrad: Bool = false, groups: [ParameterGroup] = []
  ) {
    adam = AdamRule(beta1: beta1, beta2: beta2, epsilon: epsilon, usesAMSGrad: usesAMSGrad)
    state = OptimizerState(learningRate, weightDecay: weightDecay, groups: groups)
  }

  public var beta1: Double { adam.beta1 }
  public var beta2: Double { adam.beta2 }
  public var epsilon: Double { adam.epsilon }
}

/// Adam with decoupled decay: Loshchilov and Hutter 2019.
///
/// θ ← θ · (1 − learningRate · weightDecay), and then ``Adam``'s step.
public final class AdamW: AdamOptimizer {
  package let adam: AdamRule
  package let state: OptimizerState

  public init(
    learningRate: Double = 1e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    weightDecay: Double = 0.01, usesAMSGrad: Bool = false, groups: [ParameterGroup] = []
  ) {
    adam = AdamRule(beta1: beta1, beta2: beta2, epsilon: epsilon, usesAMSGrad: usesAMSGrad)
    state = OptimizerState(learningRate, weightDecay: weightDecay, decay: .decoupled, groups: groups)
  }
}

package protocol AdamOptimizer: RuleOptimizer {
  var adam: AdamRule { get }
}

extension AdamOptimizer {
  package func slots(for type: TensorType) -> [SlotKind] { adam.slots }
  package func numbers(_ step: StepNumbers) -> [Value] { adam.numbers(step) }
  package func rule(_ value: Value, _ gradient: Value, _ slots: [Value], _ numbers: [Value]) -> [Value] {
    adam.change(value, gradient, slots, numbers)
  }
}

/// The rule of ``Adam``, of which others take parts.
package struct AdamRule: Sendable {
  let beta1: Double
  let beta2: Double
  let epsilon: Double
  let usesAMSGrad: Bool

  var slots: [SlotKind] { ["mean", "square"].map { SlotKind($0) } + (usesAMSGrad ? [SlotKind("greatest")] : []) }

  /// - Parameter rate: the learning rate if `nil`, float64.
  func numbers(_ step: StepNumbers, rate: Value? = nil) -> [Value] {
    // In float64, as the number of the step.
    let first = step.correction(beta1)
    let second = step.correction(beta2)
    return [
      ((rate ?? step.learningRate(.float64)) / first).cast(to: step.dtype),
      (step(1, .float64) / second.sqrt()).cast(to: step.dtype),
      step(epsilon), step(beta1), step(1 - beta1), step(beta2), step(1 - beta2),
    ]
  }

  func change(_ value: Value, _ gradient: Value, _ slots: [Value], _ numbers: [Value]) -> [Value] {
    let mean = Value.movingAverage(slots[0], gradient, decay: numbers[3], weight: numbers[4])
    let square = Value.movingSquare(slots[1], gradient, decay: numbers[5], weight: numbers[6])
    let greatest = usesAMSGrad ? [Value.maximum(slots[2], square)] : []
    let next = Value.adamStep(
      value, mean: mean, square: greatest.last ?? square, size: numbers[0], scale: numbers[1], epsilon: numbers[2])
    return [next, mean, square] + greatest
  }
}
