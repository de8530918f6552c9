import CajalBase
import CajalIR
import CajalOperations
import Foundation

// Relatives of Adam. Decay is coupled: g + weightDecay · θ stands for g.

/// Adam with the greatest gradient in place of the mean square: Kingma and Ba 2015, section 7.
///
/// m ← β₁m + (1 − β₁)g, u ← max(β₂u, |g| + ε), θ ← θ − learningRate / (1 − β₁ᵗ) · m / u.
public final class AdaMax: RuleOptimizer {
  public let beta1: Double
  public let beta2: Double
  public let epsilon: Double
  package let state: OptimizerState

  public init(
    learningRate: Double = 2e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    weightDecay: Double = 0, groups: [ParameterGroup] = []
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    state = OptimizerState(learningRate, weightDecay: weightDecay, groups: groups)
  }

  package func slots(for type: TensorType) -> [SlotKind] { [SlotKind("mean"), SlotKind("greatest")] }

  package func numbers(_ step: StepNumbers) -> [Value] {
    [
      (step.learningRate(.float64) / step.correction(beta1)).cast(to: step.dtype), step(epsilon), step(beta1),
      step(1 - beta1), step(beta2),
    ]
  }

  package func rule(_ value: Value, _ gradient: Value, _ slots: [Value], _ numbers: [Value]) -> [Value] {
    let mean = Value.movingAverage(slots[0], gradient, decay: numbers[2], weight: numbers[3])
    let greatest = Value.maximum(slots[1] * numbers[4], gradient.abs() + numbers[1])
    return [value - mean / greatest * numbers[0], mean, greatest]
  }
}

/// Adam with Nesterov's momentum: Dozat 2016, with the schedule of momentum that PyTorch has.
///
/// μₜ = β₁ (1 − ½ · 0.96^(t · momentumDecay)), Πₜ = μ₁ ⋯ μₜ; m and v as ``Adam``'s, v̂ = v / (1 − β₂ᵗ),
/// θ ← θ − learningRate · ((1 − μₜ) / (1 − Πₜ) · g + μₜ₊₁ / (1 − Πₜ₊₁) · m) / (√v̂ + ε).
public final class NAdam: RuleOptimizer {
  public let beta1: Double
  public let beta2: Double
  public let epsilon: Double
  public let momentumDecay: Double
  public let matchesPyTorch1: Bool
  package let state: OptimizerState

  /// - Parameter matchesPyTorch1: take μₜ into Πₜ₊₁ twice, as PyTorch 1.13 does.
  public init(
    learningRate: Double = 2e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    momentumDecay: Double = 4e-3, weightDecay: Double = 0, matchesPyTorch1: Bool = false,
    groups: [ParameterGroup] = []
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.momentumDecay = momentumDecay
    self.matchesPyTorch1 = matchesPyTorch1
    state = OptimizerState(
      learningRate, weightDecay: weightDecay, groups: groups, counters: ["step": 0, "momentumProduct": 1])
  }

  package func slots(for type: TensorType) -> [SlotKind] { [SlotKind("mean"), SlotKind("square")] }

  package func advance(_ counters: [Value]) -> [Value] {
    let count = counters[0] + 1
    return [count, counters[1] * momentum(count)]
  }

  /// μ of a step.
  private func momentum(_ count: Value) -> Value {
    let logDecay = scalarValue(.float(momentumDecay * log(0.96)), .float64)
    return (1 - (count * logDecay).exp() * 0.5) * scalarValue(.float(beta1), .float64)
  }

  package func numbers(_ step: StepNumbers) -> [Value] {
    let product = step.counters[1]
    let (current, next) = (momentum(step.count), momentum(step.count + 1))
    let rate = step.learningRate(.float64)
    let ofGradient = rate * (1 - current) / (1 - product)
    let ofMean = rate * next / (1 - product * (matchesPyTorch1 ? current * next : next))
    let scale = step(1, .float64) / step.correction(beta2).sqrt()
    return [ofGradient, ofMean, scale].map { $0.cast(to: step.dtype) }
      + [step(epsilon), step(beta1), step(1 - beta1), step(beta2), step(1 - beta2)]
  }

  package func rule(_ value: Value, _ gradient: Value, _ slots: [Value], _ numbers: [Value]) -> [Value] {
    let mean = Value.movingAverage(slots[0], gradient, decay: numbers[4], weight: numbers[5])
    let square = Value.movingSquare(slots[1], gradient, decay: numbers[6], weight: numbers[7])
    func stepped(_ start: Value, _ direction: Value, _ size: Value) -> Value {
      .adamStep(start, mean: direction, square: square, size: size, scale: numbers[2], epsilon: numbers[3])
    }
    return [stepped(stepped(value, gradient, numbers[0]), mean, numbers[1]), mean, square]
  }
}

/// Rectified Adam: Liu et al. 2020. Steps adapt only once the mean square is of enough gradients.
///
/// ρ∞ = 2 / (1 − β₂) − 1, ρₜ = ρ∞ − 2tβ₂ᵗ / (1 − β₂ᵗ); m and v as ``Adam``'s, m̂ = m / (1 − β₁ᵗ). Where ρₜ > 5:
/// θ ← θ − learningRate · r · m̂ · √(1 − β₂ᵗ) / (√v + ε), r² = (ρₜ − 4)(ρₜ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρₜ);
/// before: θ ← θ − learningRate · m̂.
public final class RAdam: RuleOptimizer {
  public let beta1: Double
  public let beta2: Double
  public let epsilon: Double
  package let state: OptimizerState

  public init(
    learningRate: Double = 1e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    weightDecay: Double = 0, groups: [ParameterGroup] = []
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    state = OptimizerState(learningRate, weightDecay: weightDecay, groups: groups)
  }

  package func slots(for type: TensorType) -> [SlotKind] { [SlotKind("mean"), SlotKind("square")] }

  package func numbers(_ step: StepNumbers) -> [Value] {
    func wide(_ number: Double) -> Value { step(number, .float64) }
    let limit = 2 / (1 - beta2) - 1
    let second = step.correction(beta2)
    let length = wide(limit) - step.count * 2 * (1 - second) / second
    let rectifier = ((length - 4) * (length - 2) / length * wide(limit / ((limit - 4) * (limit - 2)))).sqrt()
    let size = step.learningRate(.float64) / step.correction(beta1)
    // One of the two is 0.
    let isLong = length > 5
    let adaptive = Value.select(isLong, size * rectifier * second.sqrt(), wide(0))
    let plain = Value.select(isLong, wide(0), size)
    return [adaptive, plain].map { $0.cast(to: step.dtype) }
      + [step(1), step(epsilon), step(beta1), step(1 - beta1), step(beta2), step(1 - beta2)]
  }

  package func rule(_ value: Value, _ gradient: Value, _ slots: [Value], _ numbers: [Value]) -> [Value] {
    let mean = Value.movingAverage(slots[0], gradient, decay: numbers[4], weight: numbers[5])
    let square = Value.movingSquare(slots[1], gradient, decay: numbers[6], weight: numbers[7])
    let adapted = Value.adamStep(
      value, mean: mean, square: square, size: numbers[0], scale: numbers[2], epsilon: numbers[3])
    return [adapted - mean * numbers[1], mean, square]
  }
}
