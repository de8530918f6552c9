import CajalBase
import CajalEngine
import CajalIR
import CajalNN
import CajalOperations
import CajalTensor

/// An average of a model's weights along its way, which often predicts better than the last ones.
///
/// With a decay an exponential one, a ← decay · a + (1 − decay) · θ (Polyak and Juditsky 1992); without, the mean of
/// all weights it was told (stochastic weight averaging, Izmailov et al. 2018). The first update takes the weights as they
/// are.
///
/// ```swift
/// let average = MovingAverage(of: model, decay: 0.999)
/// average.update()                                   // after each step
/// let score = try average.apply { try accuracy(of: model, on: test) }
/// ```
/// Averages of half-precision weights are float32. Buffers are not averaged. Batch norm's statistics are of the weights that trained: for the mean of far apart weights
/// gather them anew.
public final class MovingAverage: Sendable {
  /// `nil` where all updates count alike.
  public let decay: Double?
  private let parameters: [(path: String, parameter: Parameter)]
  private let state: Locked<State>

  private struct State {
    /// One for each parameter; none before the first update.
    var slots: [Slot] = []
    let count: Slot
  }

  /// - Parameter decay: how much of the average stays at an update; `nil` for the mean of all.
  public init(of model: some Module, decay: Double? = nil) {
    self.decay = decay
    parameters = model.namedParameters.filter { !$0.parameter.isBuffer && $0.parameter.dtype.isFloat }
    state = Locked(State(count: Slot(Tensor([0.0], shape: [], dtype: .float64))))
  }

  /// Takes the weights as they are now into the average. Sets the computation going without waiting for it; weights that
  /// cannot be read change nothing.
  public func update() {
    state.withLock { state in
      let values = parameters.map(\.parameter.current)
      if values.contains(where: \.value.isFailed) { return }
      if state.slots.isEmpty {
        state.slots = values.map { Slot(.stored(0, TensorType($0.shape, $0.dtype.ofSteps), on: $0.device)) }
      }
      Engine.shared.step(step(state, values))
    }
  }

  private func step(_ state: State, _ values: [Tensor]) -> [Fallback] {
    let old = state.count.tensor
    let count = old + 1
    // The weight of the new ones, 1 the first time.
    let part = decay.map { Tensor(scalarValue(.float(1 - $0), .float64)) } ?? 1 / count
    let weight = select(count .== 1, Tensor([1.0], shape: [], dtype: .float64), part)
    var changes = [Fallback(new: count.value, old: old.value)]
    state.count.tensor = count
    for (slot, value) in zip(state.slots, values) {
      let before = slot.tensor
      let dtype = value.dtype.ofSteps
      let operands = [before, value.cast(to: dtype), (1 - weight).cast(to: dtype), weight.cast(to: dtype)]
      let after = Tensor.map(operands) {
        .movingAverage($0[0], $0[1], decay: $0[2], weight: $0[3])
      }
      changes.append(Fallback(new: after.value, old: before.value))
      slot.tensor = after
    }
    return changes
  }

  /// Runs `body` with the average in the place of the weights; with the weights before the first update.
  public func apply<Result>(_ body: () throws -> Result) rethrows -> Result {
    try withParameters(averages.map { ($0.parameter, $0.average) }, body)
  }

  /// Replaces the weights by the average, for good.
  public func assign() { for (parameter, average) in averages { parameter.value = average } }

  private var averages: [(parameter: Parameter, average: Tensor)] {
    state.withLock { zip(parameters, $0.slots).map { ($0.parameter, $1.tensor.cast(to: $0.parameter.dtype)) } }
  }

  // MARK: State

  /// The average by the parameters' paths, as `layers.0.kernel/average`, and how many updates it is of, as `updates`.
  public var tensors: [String: Tensor] {
    state.withLock { state in
      var found = ["updates": state.count.tensor]
      for ((path, _), slot) in zip(parameters, state.slots) { found["\(path)/average"] = slot.tensor }
      return found
    }
  }

  /// Takes over what ``tensors`` gave, and goes on bit for bit.
  ///
  /// - Throws: ``TensorError`` where one is missing, unknown, of another shape or dtype, or an error; nothing has changed
  ///   then.
  public func restore(_ tensors: [String: Tensor]) throws {
    try state.withLock { state in
      var given = try SavedTensors(tensors)
      let count = try given.take("updates", TensorType(.scalar, .float64))
      var slots: [Slot] = []
      for (path, parameter) in parameters where try count.item(as: Double.self) > 0 {
        let value = parameter.current
        let average = try given.take("\(path)/average", TensorType(value.shape, value.dtype.ofSteps))
        slots.append(Slot(average.to(value.device)))
      }
      try given.finish()
      state.count.tensor = count
      state.slots = slots
    }
  }
}
