import CajalBase
import CajalIR
import CajalNN
import CajalOperations

/// Stochastic gradient descent, with momentum if wanted (Polyak 1964; Sutskever et al. 2013).
///
/// v ← momentum · v + g, θ ← θ − learningRate · v; Nesterov: θ ← θ − learningRate · (g + momentum · v).
public final class SGD: Optimizer {
  private let rate: Locked<Double>
  public let momentum: Double
  public let isNesterov: Bool
  private let state: OptimizerState

  public init(learningRate: Double = 0.01, momentum: Double = 0, isNesterov: Bool = false) {
    rate = Locked(learningRate)
    self.momentum = momentum
    self.isNesterov = isNesterov
    state = OptimizerState(slots: momentum == 0 ? 0 : 1)
  }

  public var learningRate: Double {
    get { rate.withLock { $0 } }
    set { rate.withLock { $0 = newValue } }
  }

  public func update(_ model: some Module, _ gradients: Gradients) {
    state.update(model, gradients) { _, dtype in
      [hostNumber(dtype) { .float(self.learningRate) }, scalarValue(.float(momentum), dtype)]
    } rule: { value, gradient, slots, scalars in
      guard let velocity = slots.first else { return [value - gradient * scalars[0]] }
      let next = velocity * scalars[1] + gradient
      let direction = isNesterov ? gradient + next * scalars[1] : next
      return [value - direction * scalars[0], next]
    }
  }
}
