import CajalBase
import CajalNN
import CajalTensor

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
    let learningRate = learningRate
    state.update(model, gradients) { _ in
      []
    } rule: { value, gradient, slots, _ in
      guard let velocity = slots.first else {
        return OptimizerState.Change(value: value - gradient * learningRate, slots: [])
      }
      let next = velocity * momentum + gradient
      let direction = isNesterov ? gradient + next * momentum : next
      return OptimizerState.Change(value: value - direction * learningRate, slots: [next])
    }
  }
}
