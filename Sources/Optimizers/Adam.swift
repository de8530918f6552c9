import CajalBase
import CajalNN
import CajalTensor
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
    let learningRate = learningRate
    state.update(model, gradients) { step in
      // 1 − βᵗ = −expm1(t ln β), without cancellation for the first steps. Scalars, in float64.
      let correction1 = -(step * log(beta1)).expm1()
      let correction2 = -(step * log(beta2)).expm1()
      return [Tensor(scalar: learningRate) / correction1, correction2.sqrt()]
    } rule: { value, gradient, slots, prepared in
      let size = prepared[0].cast(to: value.dtype)
      let root = prepared[1].cast(to: value.dtype)
      let mean = slots[0] * beta1 + gradient * (1 - beta1)
      let square = slots[1] * beta2 + gradient * gradient * (1 - beta2)
      let next = value - mean / (square.sqrt() / root + epsilon) * size
      return OptimizerState.Change(value: next, slots: [mean, square])
    }
  }
}
