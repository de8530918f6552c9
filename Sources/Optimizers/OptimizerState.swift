import CajalBase
import CajalEngine
import CajalIR
import CajalNN
import CajalOperations
import CajalTensor

/// What all optimizers share: slots beside each parameter, groups, weight decay, and steps that happen whole or not
/// at all.
///
/// Slots and steps of half-precision parameters are float32: an average that keeps 0.999 of itself would never change
/// in bfloat16. Only the new value is rounded.
package final class OptimizerState: Sendable {
  /// Where a parameter's weight decay goes.
  enum Decay {
    /// Into the gradient: g + decay · θ, the gradient of a penalty ½ decay ‖θ‖².
    case coupled
    /// Into the value, before the rule: θ · (1 − learningRate · decay). Loshchilov and Hutter 2019.
    case decoupled
    /// The rule sees to it.
    case ruled
  }

  struct State {
    /// Each with its parameter, whose identity is nobody else's while it lives.
    var entries: [ObjectIdentifier: Entry] = [:]
    var counters: [Slot]
  }

  struct Entry {
    let owner: Parameter
    let slots: [Slot]
    /// Its position; `nil` for none.
    let group: Int?
  }

  private let rate: Locked<Double>
  private let weightDecay: Double
  private let decay: Decay
  private let groups: [ParameterGroup]
  let counterNames: [String]
  let state: Locked<State>

  /// - Parameter counters: float64 scalars that go on from step to step, and how they begin.
  init(
    _ learningRate: Double, weightDecay: Double = 0, decay: Decay = .coupled, groups: [ParameterGroup],
    counters: KeyValuePairs<String, Double> = ["step": 0]
  ) {
    rate = Locked(learningRate)
    self.weightDecay = weightDecay
    self.decay = decay
    self.groups = groups
    counterNames = counters.map(\.key)
    state = Locked(State(counters: counters.map { Slot(Tensor([$0.value], shape: [], dtype: .float64)) }))
  }

  var learningRate: Double {
    get { rate.withLock { $0 } }
    set { rate.withLock { $0 = newValue } }
  }

  /// The first group that names `parameter`.
  func group(of parameter: Parameter) -> Int? {
    groups.isEmpty ? nil : groups.firstIndex { $0.pattern.matches(parameter.path) }
  }

  // MARK: A step

  /// Applies the rule to each trainable parameter that has a gradient.
  func update(_ model: some Module, _ gradients: Gradients, by optimizer: some RuleOptimizer) {
    let parameters = model.trainableParameters
    let gradients = StepGuard.current?.guarding(gradients) ?? gradients
    state.withLock { state in
      // Everything that building the step held is gone when it starts: gradients that only the step
      // needs are not kept, and old values that nobody holds are written over.
      var effects: [Effect] = []
      switch build(&state, parameters, gradients, optimizer, &effects) {
      case .failure(let refusal):
        for effect in effects { effect.parameter.current = effect.old }
        refuse(refusal, parameters)
      case .success(let changes): Engine.shared.step(changes, with: gradients.scope)
      }
    }
  }

  private func build(
    _ state: inout State, _ parameters: [Parameter], _ gradients: Gradients, _ optimizer: some RuleOptimizer,
    _ effects: inout [Effect]
  ) -> Result<[Fallback], Refusal> {
    let taken: Gradients.Content
    switch gradients.take() {
    case .success(let content): taken = content
    case .failure(let error): return .failure(Refusal(box: DeferredError(error)))
    }
    effects = taken.effects
    if let condition = taken.condition, let refusal = Refusal(condition) { return .failure(refusal) }
    let found = Dictionary(
      taken.tensors.map { (ObjectIdentifier($0.parameter), $0.gradient) }, uniquingKeysWith: { first, _ in first })
    // Old values are held no longer than they must be: the run takes over the memory of what nothing else holds.
    var step = Step(condition: taken.condition)
    let counters = step.change(state.counters.map(\.tensor)) { optimizer.advance($0) }
    var shared: [Shared] = []
    var changes: [(entry: Entry, tensors: [Tensor])] = []
    for parameter in parameters {
      guard let gradient = found[ObjectIdentifier(parameter)] else { continue }
      let value = parameter.current
      let entry = state.entries[ObjectIdentifier(parameter)] ?? makeEntry(parameter, value, optimizer)
      let numbers = numbers(value.dtype.ofSteps, entry.group, counters, &shared, optimizer)
      let checked = checked(gradient, value)
      let news = step.change([value] + entry.slots.map(\.tensor)) { old in
        apply(optimizer, old, checked.value, numbers)
      }
      if let refusal = Refusal(news[0]) { return .failure(refusal) }
      changes.append((entry, news))
    }
    for (entry, news) in changes {
      entry.owner.current = news[0]
      for (slot, new) in zip(entry.slots, news.dropFirst()) { slot.tensor = new }
      state.entries[ObjectIdentifier(entry.owner)] = entry
    }
    for (slot, new) in zip(state.counters, counters) { slot.tensor = new }
    for effect in effects { step.change(effect) }
    return .success(step.changes)
  }

  /// The old and new values of a step.
  private struct Step {
    /// Whether it happens.
    let condition: Tensor?
    var changes: [Fallback] = []

    mutating func change(_ old: [Tensor], _ body: ([Value]) -> [Value]) -> [Tensor] {
      if old.isEmpty { return [] }
      let before = old.map(\.value)
      var after = body(before)
      if let condition {
        after = zip(after, before).map { .select(condition.value, $0, $1) }
      }
      let news = Tensor.results(after)
      for (new, old) in zip(news, before) { changes.append(Fallback(new: new.value, old: old)) }
      return news
    }

    /// A buffer has changed already. What it was can only come back if it is there.
    mutating func change(_ effect: Effect) {
      let isStored = effect.old.value.node.status == .ready
      let known = changes
      for new in change([effect.old], { _ in [effect.new.value] }) { effect.parameter.current = new }
      if !isStored { changes = known }
    }
  }

  // MARK: One parameter

  func makeEntry(_ parameter: Parameter, _ value: Tensor, _ optimizer: some RuleOptimizer) -> Entry {
    let type = TensorType(value.shape, value.dtype.ofSteps)
    let slots = optimizer.slots(for: type).map { Slot($0.make(for: type, on: value.device)) }
    return Entry(owner: parameter, slots: slots, group: group(of: parameter))
  }

  /// Numbers that parameters share, as tensors, which are held while more is recorded.
  private struct Shared {
    let dtype: DType
    let group: Int?
    /// What the weight decays by, and the rule's.
    let decay: Tensor?
    let numbers: [Tensor]
  }

  private func numbers(
    _ dtype: DType, _ group: Int?, _ counters: [Tensor], _ shared: inout [Shared], _ optimizer: some RuleOptimizer
  ) -> Shared {
    if let known = shared.first(where: { $0.dtype == dtype && $0.group == group }) { return known }
    let factor = group.map { groups[$0].learningRateFactor } ?? 1
    let weightDecay = group.flatMap { groups[$0].weightDecay } ?? weightDecay
    let step = StepNumbers(dtype, counters.map(\.value), weightDecay: weightDecay) { self.learningRate * factor }
    let decay: Value? =
      switch decay {
      case .coupled where weightDecay != 0: step(weightDecay)
      case .decoupled where weightDecay != 0: step.learningRate { 1 - $0 * weightDecay }
      default: nil
      }
    let new = Shared(
      dtype: dtype, group: group, decay: decay.map { Tensor($0) }, numbers: Tensor.results(optimizer.numbers(step)))
    shared.append(new)
    return new
  }

  /// The rule, with decay.
  private func apply(_ optimizer: some RuleOptimizer, _ old: [Value], _ gradient: Value, _ shared: Shared) -> [Value] {
    let dtype = old[0].dtype
    var (value, gradient) = (old[0].cast(to: dtype.ofSteps), gradient.cast(to: dtype.ofSteps))
    if let factor = shared.decay?.value {
      switch decay {
      case .coupled: gradient = gradient + value * factor
      case .decoupled: value = value * factor
      case .ruled: break
      }
    }
    var news = optimizer.rule(value, gradient, Array(old.dropFirst()), shared.numbers.map(\.value))
    news[0] = news[0].cast(to: dtype)
    return news
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

  // MARK: Refusing

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

extension DType {
  /// What an optimizer computes and keeps in for parameters of this dtype.
  var ofSteps: DType { byteCount < 4 ? .float32 : self }
}
