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
    /// Each with its parameter, whose identity is nobody else's while it lives.
    var slots: [ObjectIdentifier: (owner: Parameter, slots: [Slot])] = [:]
    var count: Slot?
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

  /// Applies `rule` to each trainable parameter that has a gradient.
  ///
  /// - Parameters:
  ///   - scalars: the numbers that all parameters of a dtype share, from the number of the step (float64, 1 for the
  ///     first; a scalar 0 where the optimizer does not count).
  ///   - rule: from the value, its gradient, the slots and the scalars the new value and the new slots.
  func update(
    _ model: some Module, _ gradients: Gradients, scalars: (_ step: Value, _ dtype: DType) -> [Value],
    rule: (_ value: Value, _ gradient: Value, _ slots: [Value], _ scalars: [Value]) -> [Value]
  ) {
    let parameters = model.trainableParameters
    state.withLock { state in
      // Everything that building the step held is gone when it starts: gradients that only the step
      // needs are not kept, and old values that nobody holds are written over.
      switch build(&state, parameters, gradients, scalars, rule) {
      case .failure(let refusal): refuse(refusal, parameters)
      case .success(let changes): Engine.shared.step(changes, with: gradients.scope)
      }
    }
  }

  private func build(
    _ state: inout State, _ parameters: [Parameter], _ gradients: Gradients,
    _ makeScalars: (_ step: Value, _ dtype: DType) -> [Value],
    _ rule: (_ value: Value, _ gradient: Value, _ slots: [Value], _ scalars: [Value]) -> [Value]
  ) -> Result<[Fallback], Refusal> {
    let taken: [ObjectIdentifier: Tensor]
    switch gradients.take() {
    case .success(let tensors): taken = tensors
    case .failure(let error): return .failure(Refusal(box: DeferredError(error)))
    }
    // Old values are held no longer than they must be: the run takes over the memory of what nothing else holds.
    var step: [Fallback] = []
    if counts, state.count == nil { state.count = Slot(Tensor([0.0], shape: [], dtype: .float64)) }
    let old = state.count?.tensor ?? Tensor(scalar: 0.0)
    let count = counts ? old + 1 : old
    if counts { step.append(Fallback(new: count.value, old: old.value)) }
    // Tensors, which are held while more is recorded.
    var scalars: [(dtype: DType, tensors: [Tensor])] = []
    var changes: [(parameter: Parameter, slots: [Slot], tensors: [Tensor])] = []
    for parameter in parameters {
      guard let gradient = taken[ObjectIdentifier(parameter)] else { continue }
      let value = parameter.current
      let slots =
        state.slots[ObjectIdentifier(parameter)]?.slots
        ?? (0..<slotCount).map { _ in Slot(Tensor.storedZeros(like: value)) }
      let contents = slots.map(\.tensor)
      if !scalars.contains(where: { $0.dtype == value.dtype }) {
        scalars.append((value.dtype, Tensor.results(makeScalars(count.value, value.dtype))))
      }
      let shared = scalars.first { $0.dtype == value.dtype }?.tensors ?? []
      let news = Tensor.results(
        rule(value.value, checked(gradient, value).value, contents.map(\.value), shared.map(\.value)))
      if let refusal = Refusal(news[0]) { return .failure(refusal) }
      for (new, old) in zip(news, [value] + contents) { step.append(Fallback(new: new.value, old: old.value)) }
      changes.append((parameter, slots, news))
    }
    for (parameter, slots, news) in changes {
      parameter.current = news[0]
      for (slot, new) in zip(slots, news.dropFirst()) { slot.tensor = new }
      state.slots[ObjectIdentifier(parameter)] = (parameter, slots)
    }
    state.count?.tensor = count
    return .success(step)
  }

  /// The gradient, or an error where broadcasting or promotion would make something else of the parameter.
  private func checked(_ gradient: Tensor, _ value: Tensor) -> Tensor {
    if gradient.value.type == value.value.type || value.value.isFailed || gradient.value.isFailed { return gradient }
    return Tensor(
      error: TensorError(
        .shape, operation: "update", operands: [gradient.value.type, value.value.type],
        "a gradient has not its parameter's shape and dtype",
        remedy: "What `Gradients.map` returns must keep both"))
  }

  /// Why a step cannot be made: the error's own box, so that one who has read the loss has read it.
  private struct Refusal: Error {
    let box: DeferredError

    init(box: DeferredError) { self.box = box }

    init?(_ value: Tensor) {
      guard value.value.isFailed, let error = value.error else { return nil }
      box = graphLock.withLock { _ in value.value.node.deferred } ?? DeferredError(error)
    }
  }

  /// Changes nothing; the next read of a parameter throws.
  private func refuse(_ refusal: Refusal, _ parameters: [Parameter]) {
    Capture.current?.refuse()
    Capture.suspended {
      for parameter in parameters {
        let value = parameter.current
        graphLock.withLock { _ in value.value.node.deferred = refusal.box }
      }
    }
  }
}

/// A tensor that an optimizer keeps.
private final class Slot: StateCell {
  private let state: Locked<Tensor>

  init(_ tensor: Tensor) { state = Locked(tensor) }

  var tensor: Tensor {
    get {
      let tensor = state.withLock { $0 }
      return Capture.current.map { Tensor($0.read(self, tensor.value)) } ?? tensor
    }
    set {
      Capture.current?.write(self, over: state.withLock { $0 }.value)
      state.withLock { $0 = newValue }
    }
  }

  var content: (value: Value, holder: AnyObject) { state.withLock { $0 }.held }
  func replace(with value: Value) { tensor = Tensor(value) }
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
