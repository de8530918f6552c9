import CajalBase
import CajalIR
import CajalOperations

// Steps divided by the size of gradients so far, number by number.

/// Adaptive gradients: Duchi et al. 2011.
///
/// s ← s + g², θ ← θ − rate · g / (√s + ε) with rate = learningRate / (1 + (t − 1) · learningRateDecay).
/// Decay of weights is coupled: g + weightDecay · θ stands for g.
public final class AdaGrad: RuleOptimizer {
  public let learningRateDecay: Double
  public let initialAccumulator: Double
  public let epsilon: Double
  package let state: OptimizerState

  public init(
    learningRate: Double = 0.01, learningRateDecay: Double = 0, initialAccumulator: Double = 0,
    epsilon: Double = 1e-10, weightDecay: Double = 0, groups: [ParameterGroup] = []
  ) {
    self.learningRateDecay = learningRateDecay
    self.initialAccumulator = initialAccumulator
    self.epsilon = epsilon
    state = OptimizerState(learningRate, weightDecay: weightDecay, groups: groups)
  }

  package func slots(for type: TensorType) -> [SlotKind] { [SlotKind("sum", start: initialAccumulator)] }

  package func numbers(_ step: StepNumbers) -> [Value] {
    let slowing = (step.count - 1) * step(learningRateDecay, .float64) + 1
    return [(step.learningRate(.float64) / slowing).cast(to: step.dtype), step(1), step(epsilon)]
  }

  package func rule(_ value: Value, _ gradient: Value, _ slots: [Value], _ numbers: [Value]) -> [Value] {
    let sum = Value.movingSquare(slots[0], gradient, decay: numbers[1], weight: numbers[1])
    let next = Value.adamStep(
      value, mean: gradient, square: sum, size: numbers[0], scale: numbers[1], epsilon: numbers[2])
    return [next, sum]
  }
}

/// Gradients divided by the root of their mean square: Tieleman and Hinton 2012, lecture 6.5; centred: Graves 2013,
/// which takes the variance, the mean square less the squared mean.
///
/// s ← smoothing · s + (1 − smoothing) · g², b ← momentum · b + g / (√s + ε), θ ← θ − learningRate · b.
/// Decay is coupled: g + weightDecay · θ stands for g.
public final class RMSProp: RuleOptimizer {
  public let smoothing: Double
  public let momentum: Double
  public let isCentered: Bool
  public let epsilon: Double
  package let state: OptimizerState

  public init(
    learningRate: Double = 0.01, smoothing: Double = 0.99, momentum: Double = 0, isCentered: Bool = false,
    epsilon: Double = 1e-8, weightDecay: Double = 0, groups: [ParameterGroup] = []
  ) {
    self.smoothing = smoothing
    self.momentum = momentum
    self.isCentered = isCentered
    self.epsilon = epsilon
    state = OptimizerState(learningRate, weightDecay: weightDecay, groups: groups, counters: [:])
  }

  package func slots(for type: TensorType) -> [SlotKind] {
    [SlotKind("square")] + (isCentered ? [SlotKind("mean")] : []) + (momentum == 0 ? [] : [SlotKind("momentum")])
  }

  package func numbers(_ step: StepNumbers) -> [Value] {
    [
      step.learningRate(), step(1), step(epsilon), step(smoothing), step(1 - smoothing), step(momentum), step(-1),
    ]
  }

  package func rule(_ value: Value, _ gradient: Value, _ slots: [Value], _ numbers: [Value]) -> [Value] {
    let square = Value.movingSquare(slots[0], gradient, decay: numbers[3], weight: numbers[4])
    var (spread, news) = (square, [square])
    if isCentered {
      let mean = Value.movingAverage(slots[1], gradient, decay: numbers[3], weight: numbers[4])
      spread = square - mean * mean
      news.append(mean)
    }
    /// start − size · g / (√spread + ε).
    func stepped(_ start: Value, _ size: Value) -> Value {
      .adamStep(start, mean: gradient, square: spread, size: size, scale: numbers[1], epsilon: numbers[2])
    }
    if momentum == 0 { return [stepped(value, numbers[0])] + news }
    let velocity = stepped(slots[slots.count - 1] * numbers[5], numbers[6])
    return [value - velocity * numbers[0]] + news + [velocity]
  }
}

/// AdaDelta: Zeiler 2012, whose steps have the unit of the weights.
///
/// s ← decay · s + (1 − decay) · g², d = √(a + ε) / √(s + ε) · g, a ← decay · a + (1 − decay) · d²,
/// θ ← θ − learningRate · d. Decay of weights is coupled: g + weightDecay · θ stands for g.
public final class AdaDelta: RuleOptimizer {
  public let decay: Double
  public let epsilon: Double
  package let state: OptimizerState

  public init(
    learningRate: Double = 1, decay: Double = 0.9, epsilon: Double = 1e-6, weightDecay: Double = 0,
    groups: [ParameterGroup] = []
  ) {
    self.decay = decay
    self.epsilon = epsilon
    state = OptimizerState(learningRate, weightDecay: weightDecay, groups: groups, counters: [:])
  }

  package func slots(for type: TensorType) -> [SlotKind] { [SlotKind("square"), SlotKind("step")] }

  package func numbers(_ step: StepNumbers) -> [Value] {
    [step.learningRate(), step(epsilon), step(decay), step(1 - decay)]
  }

  package func rule(_ value: Value, _ gradient: Value, _ slots: [Value], _ numbers: [Value]) -> [Value] {
    let square = Value.movingSquare(slots[0], gradient, decay: numbers[2], weight: numbers[3])
    let step = (slots[1] + numbers[1]).sqrt() / (square + numbers[1]).sqrt() * gradient
    let steps = Value.movingSquare(slots[1], step, decay: numbers[2], weight: numbers[3])
    return [value - step * numbers[0], square, steps]
  }
}
