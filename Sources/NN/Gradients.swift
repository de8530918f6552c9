import CajalBase
import CajalIR
import CajalTensor

/// Gradients by parameter. An optimizer's `update` takes them out: they are used once.
public final class Gradients: Sendable {
  private struct State {
    var tensors: [ObjectIdentifier: Tensor]
    var isTaken = false
  }

  private let state: Locked<State>
  /// The closure they come from: what it made and is still held runs with the step.
  package let scope: DifferentiationScope

  init(_ tensors: [(Parameter, Tensor)], scope: DifferentiationScope) {
    state = Locked(
      State(
        tensors: Dictionary(tensors.map { (ObjectIdentifier($0.0), $0.1) }, uniquingKeysWith: { first, _ in first })))
    self.scope = scope
  }

  /// The gradient of a parameter; `nil` where the closure did not read it.
  ///
  /// After an update an error tensor: the step has used them up.
  public subscript(parameter: Parameter) -> Tensor? {
    get {
      state.withLock { state in
        if state.isTaken { return Tensor(error: Gradients.taken) }
        return state.tensors[ObjectIdentifier(parameter)]
      }
    }
  }

  /// These gradients with each replaced by what `transform` makes of it: clipping, averaging.
  public func map(_ transform: (Tensor) -> Tensor) {
    state.withLock { state in state.tensors = state.tensors.mapValues(transform) }
  }

  /// Takes the gradients out; an error where an update did before.
  package func take() -> Result<[ObjectIdentifier: Tensor], TensorError> {
    state.withLock { state in
      if state.isTaken { return .failure(Gradients.taken) }
      state.isTaken = true
      defer { state.tensors = [:] }
      return .success(state.tensors)
    }
  }

  private static let taken = TensorError(
    .gradient, operation: "update", "these gradients were used by an update before",
    remedy: "Call valueAndGradient again for each step, and read gradients before the update")
}

/// The value of `body` and its gradients at the parameters of `model`.
///
/// Training mode is on inside. Reading there never changes a gradient; tensors made before are
/// constants.
///
/// **Shapes**: the body's result has one element.
public func valueAndGradient(of model: some Module, _ body: () throws -> Tensor) rethrows -> (Tensor, Gradients) {
  let (value, gradients, _) = try valueAndGradient(of: model) { () throws -> (Tensor, Void) in (try body(), ()) }
  return (value, gradients)
}

/// The value of `body`, its gradients, and whatever else the body returns.
public func valueAndGradient<Other>(of model: some Module, _ body: () throws -> (Tensor, Other)) rethrows
  -> (Tensor, Gradients, Other)
{
  let parameters = model.trainableParameters
  let context = ParameterContext(watching: parameters)
  var read: [(Parameter, Tensor)] = []
  let (value, found, other, scope) = try valueAndGradient(
    { () throws -> (Tensor, Other) in try ParameterContext.$current.withValue(context, operation: body) },
    names: {
      read = parameters.compactMap { parameter in context.name(of: parameter).map { (parameter, $0) } }
      return read.map(\.1)
    })
  let gradients = zip(read, found).map { ($0.0, $1) }
  return (value, Gradients(gradients, scope: scope), other)
}
