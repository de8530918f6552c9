import CajalBase
import CajalIR
import CajalNN
import CajalOperations
import CajalTensor
import Foundation

/// Changes parameters by their gradients. Numbers like the learning rate are data: changing them from
/// step to step compiles nothing.
///
/// The number of the step is the optimizer's, not a parameter's: one that joins late, set free or of another model, finds
/// averages that begin at zero taken for old ones. Its first steps are up to three times too long with Adam; give it
/// an optimizer of its own where that matters.
public protocol Optimizer: AnyObject, Sendable {
  /// The step's size; may change at any time.
  var learningRate: Double { get set }

  /// One step. Uses the gradients up and sets the computation going without waiting for it.
  ///
  /// The step happens whole or not at all: given an error, or if it fails, everything stays as it
  /// was, and the next read of anything that descends from it throws.
  func update(_ model: some Module, _ gradients: Gradients)

  /// What it knows of the parameters of `model`, and of its steps: all that ``restore(_:to:)`` needs to go on bit for
  /// bit. Keys are the parameters' paths and a name, as `layers.0.kernel/mean`, or a name alone, as `step`.
  ///
  /// Numbers that the optimizer was made with, the learning rate too, are not part of it.
  func state(of model: some Module) -> [String: Tensor]

  /// Takes over what ``state(of:)`` gave. Frozen parameters may be missing.
  ///
  /// - Throws: ``TensorError`` where a tensor is missing, unknown, of another shape or dtype, or an error; nothing
  ///   has changed then.
  func restore(_ state: [String: Tensor], to model: some Module) throws
}

/// An optimizer that changes each parameter by one rule: what this says is all that it has of its own.
package protocol RuleOptimizer: Optimizer {
  var state: OptimizerState { get }

  /// What is kept beside a parameter of this type.
  func slots(for type: TensorType) -> [SlotKind]

  /// The next values of the optimizer's counters, float64 scalars.
  func advance(_ counters: [Value]) -> [Value]

  /// Scalars that all parameters of a dtype and a group share.
  func numbers(_ step: StepNumbers) -> [Value]

  /// The new value of a parameter and the new slots.
  func rule(_ value: Value, _ gradient: Value, _ slots: [Value], _ numbers: [Value]) -> [Value]
}

extension RuleOptimizer {
  public var learningRate: Double {
    get { state.learningRate }
    set { state.learningRate = newValue }
  }

  public func update(_ model: some Module, _ gradients: Gradients) { state.update(model, gradients, by: self) }
  public func state(of model: some Module) -> [String: Tensor] { state.tensors(of: model, by: self) }

  public func restore(_ state: [String: Tensor], to model: some Module) throws {
    try self.state.restore(state, to: model, by: self)
  }

  package func slots(for type: TensorType) -> [SlotKind] { [] }
  package func advance(_ counters: [Value]) -> [Value] { counters.map { $0 + 1 } }
}

/// What the numbers of a step are made from. They are inputs of its plan: no other number needs another plan.
package struct StepNumbers {
  /// The one that the step is computed in.
  let dtype: DType
  /// Those of this step: the first is its number, from 1.
  let counters: [Value]
  let weightDecay: Double
  private let rate: () -> Double

  init(_ dtype: DType, _ counters: [Value], weightDecay: Double, rate: @escaping () -> Double) {
    self.dtype = dtype
    self.counters = counters
    self.weightDecay = weightDecay
    self.rate = rate
  }

  var count: Value { counters[0] }

  /// A number of the step's dtype.
  func callAsFunction(_ number: Double) -> Value { self(number, dtype) }
  func callAsFunction(_ number: Double, _ dtype: DType) -> Value { scalarValue(.float(number), dtype) }

  /// The learning rate, or what `body` makes of it on the host, in the step's dtype.
  func learningRate(_ body: @escaping (Double) -> Double = { $0 }) -> Value { learningRate(dtype, body) }

  func learningRate(_ dtype: DType, _ body: @escaping (Double) -> Double = { $0 }) -> Value {
    hostNumber(dtype) { [rate] in .float(body(rate())) }
  }

  /// 1 − decayᵗ in float64: corrections are close to 1.
  func correction(_ decay: Double) -> Value {
    .biasCorrection(step: count, logDecay: self(log(decay), .float64))
  }
}
