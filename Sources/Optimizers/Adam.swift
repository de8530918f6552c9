import CajalBase
import CajalIR
import CajalNN
import CajalOperations
import Foundation

/// Adam: Kingma and Ba 2015, as PyTorch computes it.
///
/// m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g²,
/// θ ← θ − learningRate / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε). The step's number t is part of the
/// state: a step that failed did not count.
public final class Adam: Optimizer {
  private let rate: Locked<Double>
  public let beta1: Double
  public let beta2: Double
  public let epsilon: Double
  private let state = OptimizerState(slots: 2, counts: true)

  public init(learningRate: Double = 1e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
    rate = Locked(learningRate)
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
  }

  public var learningRate: Double {
    get { rate.withLock { $0 } }
    set { rate.withLock { $0 = newValue } }
  }

  public func update(_ model: some Module, _ gradients: Gradients) {
    func number(_ value: Double, _ dtype: DType) -> Value { scalarValue(.float(value), dtype) }
    state.update(model, gradients) { step, dtype in
      // In float64, as the number of the step: corrections are close to 1.
      let first = Value.biasCorrection(step: step, logDecay: number(log(beta1), .float64))
      let second = Value.biasCorrection(step: step, logDecay: number(log(beta2), .float64))
      return [
        (hostNumber(.float64) { .float(self.learningRate) } / first).cast(to: dtype),
        (number(1, .float64) / second.sqrt()).cast(to: dtype),
        number(epsilon, dtype), number(beta1, dtype), number(1 - beta1, dtype), number(beta2, dtype),
        number(1 - beta2, dtype),
      ]
    } rule: { value, gradient, slots, scalars in
      let mean = Value.movingAverage(slots[0], gradient, decay: scalars[3], weight: scalars[4])
      let square = Value.movingSquare(slots[1], gradient, decay: scalars[5], weight: scalars[6])
      let next = Value.adamStep(
        value, mean: mean, square: square, size: scalars[0], scale: scalars[1], epsilon: scalars[2])
      return [next, mean, square]
    }
  }
}
