import CajalBase
import CajalEngine
import CajalIR
import CajalNN
import CajalTensor

/// Changes parameters by their gradients. Numbers like the learning rate are data: changing them from
/// step to step compiles nothing.
public protocol Optimizer: AnyObject, Sendable {
  /// The step's size; may change at any time.
  var learningRate: Double { get set }

  /// One step. Uses the gradients up and sets the computation going without waiting for it.
  ///
  /// The step happens whole or not at all: given an error, or if it fails, everything stays as it
  /// was, and the next read of anything that descends from it throws.
  func update(_ model: some Module, _ gradients: Gradients)
}

/// What all optimizers share: slots beside each parameter, and steps that happen whole or not at all.
final class OptimizerState: Sendable {
  private struct State {
    var slots: [ObjectIdentifier: [Tensor]] = [:]
    var count: Tensor?
  }

  private let state = Locked(State())
  private let slotCount: Int
  private let counts: Bool

  /// - Parameters:
  ///   - slots: tensors kept beside each parameter, zero at first.
  ///   - counts: whether the rule needs the number of the step.
  init(slots: Int, counts: Bool = false) {
    slotCount = slots
    self.counts = counts
  }

  /// What a rule makes of a parameter.
  struct Change {
    var value: Tensor
    var slots: [Tensor]
  }

  /// Applies `rule` to each trainable parameter that has a gradient.
  ///
  /// - Parameter rule: from the value, its gradient, the slots and the number of the step (float64, 1 for
  ///   the first; a scalar 0 where the optimizer does not count).
  func update(
    _ model: some Module, _ gradients: Gradients, prepare: (_ step: Tensor) -> [Tensor],
    rule: (_ value: Tensor, _ gradient: Tensor, _ slots: [Tensor], _ prepared: [Tensor]) -> Change
  ) {
    let parameters = model.trainableParameters
    state.withLock { state in
      // Everything that building the step held is gone when it starts: gradients that only the step
      // needs are not kept, and old values that nobody holds are written over.
      switch build(&state, parameters, gradients, prepare, rule) {
      case .failure(let refusal): refuse(refusal, parameters)
      case .success(let step): step.start(with: gradients.scope)
      }
    }
  }

  private func build(
    _ state: inout State, _ parameters: [Parameter], _ gradients: Gradients, _ prepare: (_ step: Tensor) -> [Tensor],
    _ rule: (_ value: Tensor, _ gradient: Tensor, _ slots: [Tensor], _ prepared: [Tensor]) -> Change
  ) -> Result<Step, Refusal> {
    let taken: [ObjectIdentifier: Tensor]
    switch gradients.take() {
    case .success(let tensors): taken = tensors
    case .failure(let error): return .failure(Refusal(box: DeferredError(error)))
    }
    var step = Step()
    var count = state.count
    if counts {
      let old = state.count ?? Tensor([0.0], shape: [], dtype: .float64)
      count = old + 1
      step.add(new: count ?? old, old: old)
    }
    let prepared = prepare(count ?? Tensor(scalar: 0.0))
    var changes: [(Parameter, Change)] = []
    for parameter in parameters {
      guard let gradient = taken[ObjectIdentifier(parameter)] else { continue }
      let old = parameter.current
      let slots = state.slots[ObjectIdentifier(parameter)] ?? (0..<slotCount).map { _ in Tensor.storedZeros(like: old) }
      let fitting = checked(gradient, old)
      let change = rule(old, fitting, slots, prepared)
      if let refusal = Refusal(change.value) { return .failure(refusal) }
      step.add(new: change.value, old: old)
      for (new, old) in zip(change.slots, slots) { step.add(new: new, old: old) }
      changes.append((parameter, change))
    }
    for (parameter, change) in changes {
      parameter.current = change.value
      state.slots[ObjectIdentifier(parameter)] = change.slots
    }
    state.count = count
    return .success(step)
  }

  /// The gradient, or an error where broadcasting or promotion would make something else of the parameter.
  private func checked(_ gradient: Tensor, _ value: Tensor) -> Tensor {
    let types = [gradient, value].map { TensorType($0.shape, $0.dtype) }
    if types[0] == types[1] || value.error != nil || gradient.error != nil { return gradient }
    return Tensor(
      error: TensorError(
        .shape, operation: "update", operands: types, "a gradient has not its parameter's shape and dtype",
        remedy: "What `Gradients.map` returns must keep both"))
  }

  /// Why a step cannot be made: the error's own box, so that one who has read the loss has read it.
  private struct Refusal: Error {
    let box: DeferredError

    init(box: DeferredError) { self.box = box }

    init?(_ value: Tensor) {
      guard let error = value.error else { return nil }
      box = graphLock.withLock { _ in value.value.node.deferred } ?? DeferredError(error)
    }
  }

  /// Changes nothing; the next read of a parameter throws.
  private func refuse(_ refusal: Refusal, _ parameters: [Parameter]) {
    for parameter in parameters {
      let value = parameter.current
      graphLock.withLock { _ in value.value.node.deferred = refusal.box }
    }
  }

  /// A step under construction. Holds the old values no longer than it must: the run takes over the
  /// memory of what nothing else holds.
  private struct Step {
    private var news: [Value] = []
    private var olds: [Value] = []

    mutating func add(new: Tensor, old: Tensor) {
      news.append(new.value)
      olds.append(old.value)
    }

    func start(with scope: DifferentiationScope) {
      Engine.shared.step(news, fallbacks: zip(news, olds).map { (new: $0, old: $1) }, with: scope)
    }
  }
}

extension Tensor {
  /// Zeros in memory, for a slot that every step reads and writes.
  fileprivate static func storedZeros(like other: Tensor) -> Tensor {
    let count = other.shape.count * other.dtype.byteCount
    let bytes = [UInt8](repeating: 0, count: count)
    return withDevice(other.device) {
      bytes.withUnsafeBytes { Tensor(bytes: $0, shape: other.shape, dtype: other.dtype) }
    }
  }
}
