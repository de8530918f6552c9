import CajalBase
import CajalIR
import CajalTensor

/// Gradients by parameter. They are used once: by an optimizer's `update`, or by what makes other gradients of them.
public final class Gradients: Sendable {
  /// What an optimizer takes out of gradients.
  package struct Content {
    package var tensors: [(parameter: Parameter, gradient: Tensor)]
    /// One bool: whether the step is to happen; `nil` for always.
    package var condition: Tensor?
    /// What the closure did to buffers.
    package var effects: [Effect] = []
  }

  private let state: Locked<Result<Content, TensorError>>
  /// The closure they come from: what it made and is still held runs with the step.
  package let scope: DifferentiationScope

  init(_ content: Result<Content, TensorError>, scope: DifferentiationScope) {
    state = Locked(content)
    self.scope = scope
  }

  /// The gradient of a parameter; `nil` where the closure did not read it.
  ///
  /// After an update an error tensor: the step has used them up.
  public subscript(parameter: Parameter) -> Tensor? {
    get {
      switch content {
      case .success(let content): content.tensors.first { $0.parameter === parameter }?.gradient
      case .failure(let error): Tensor(error: error)
      }
    }
  }

  /// Takes the gradients out; an error where that was done before.
  package func take() -> Result<Content, TensorError> {
    state.withLock { state in
      defer { state = .failure(Gradients.taken) }
      return state
    }
  }

  /// Other gradients made of these, which are used up.
  func using(_ body: (inout Content) -> Void) -> Gradients {
    Gradients(
      take().map { content in
        var content = content
        body(&content)
        return content
      }, scope: scope)
  }

  /// The gradients as they are, or why they are none.
  var content: Result<Content, TensorError> { state.withLock { $0 } }

  /// A number of the gradients, which stay.
  func read(_ body: ([Tensor]) -> Tensor) -> Tensor {
    switch content {
    case .success(let content): body(content.tensors.map(\.gradient))
    case .failure(let error): Tensor(error: error)
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
  let gradients = zip(read, found).map { (parameter: $0.0, gradient: $1) }
  return (value, Gradients(.success(.init(tensors: gradients, effects: context.commit())), scope: scope), other)
}
