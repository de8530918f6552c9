import CajalAutodiff
import CajalBase
import CajalIR
import CajalOperations

// Differentiation of closures. Inside, operations are recorded as anywhere; tensors made before are
// constants; reading a value inside never changes a gradient.

/// The value of `body` and its gradient at `x`.
///
/// **Shapes**: the body's result has one element; the gradient is shaped as `x`. Gradients of
/// gradients: differentiate a body that calls this.
public func valueAndGradient(at x: Tensor, _ body: (Tensor) throws -> Tensor) rethrows -> (
  value: Tensor, gradient: Tensor
) {
  let (value, gradients) = try valueAndGradient(at: [x]) { try body($0[0]) }
  return (value, gradients[0])
}

/// The value of `body` and its gradients at each of `xs`.
public func valueAndGradient(at xs: [Tensor], _ body: ([Tensor]) throws -> Tensor) rethrows
  -> (value: Tensor, gradients: [Tensor])
{
  let (value, gradients, _) = try valueAndGradient(at: xs) { (try body($0), ()) }
  return (value, gradients)
}

/// The value of `body`, its gradients at each of `xs`, and whatever else the body returns.
public func valueAndGradient<Other>(at xs: [Tensor], _ body: ([Tensor]) throws -> (Tensor, Other)) rethrows
  -> (value: Tensor, gradients: [Tensor], other: Other)
{
  var names: [Tensor] = []
  let (value, found, other, _) = try valueAndGradient(
    { () throws -> (Tensor, Other) in
      names = xs.map { x in x.map { record(Alias(), $0) } }
      return try body(names)
    }, names: { names })
  return (value, found, other)
}

/// The value of `body`, what else it returns, and the gradients at names that are known only once it has
/// run: how modules are differentiated, whose parameters may learn their shape inside.
package func valueAndGradient<Other>(
  _ body: () throws -> (Tensor, Other), names: () -> [Tensor]
) rethrows -> (value: Tensor, gradients: [Tensor], other: Other, scope: DifferentiationScope) {
  let outer = Scope.current
  let inner = DifferentiationScope(in: outer.differentiation)
  defer { inner.close() }
  let inside = outer.with(isTraining: true, differentiation: .some(inner))
  let (value, other) = try inside.run { () throws -> (Tensor, Other) in try body() }
  let found = withExtendedLifetime(value) { gradients(of: value, at: names().map(\.value), in: inner) }
  return (value, found, other, inner)
}

/// The gradient of `body` at `x`.
public func gradient(at x: Tensor, _ body: (Tensor) throws -> Tensor) rethrows -> Tensor {
  try valueAndGradient(at: x, body).gradient
}

public func gradient(at xs: [Tensor], _ body: ([Tensor]) throws -> Tensor) rethrows -> [Tensor] {
  try valueAndGradient(at: xs, body).gradients
}

private func gradients(of value: Tensor, at inputs: [Value], in scope: DifferentiationScope) -> [Tensor] {
  if let mismatch = undifferentiable(value) {
    let error = value.map { errorValue("valueAndGradient", [$0], mismatch) }
    return inputs.map { _ in error }
  }
  let seed = Value.constant(.integer(1), value.dtype).broadcast(to: value.shape)
  let found = withoutAutocast { reverse([(value: value.value, cotangent: seed)], inputs: inputs, in: scope) }
  return Tensor.results(zip(found, inputs).map { $0 ?? Value.constant(.integer(0), $1.dtype).broadcast(to: $1.shape) })
}

/// Rules meet operands that have their dtypes already.
private func withoutAutocast<Result>(_ body: () -> Result) -> Result {
  let scope = Scope.current
  return scope.autocast == nil ? body() : scope.with(autocast: .some(nil)).run(body)
}

private func undifferentiable(_ value: Tensor) -> Mismatch? {
  if value.error != nil { return nil }
  if value.count != 1 {
    return .shape("the loss has shape \(value.shape), not one element", remedy: "Reduce it with `.mean()` or `.sum()`")
  }
  if !value.dtype.isFloat {
    return .dtype("the loss is \(value.dtype)", remedy: "Only floats have gradients")
  }
  return nil
}

/// The gradients of `y`, weighted by `cotangent`, with respect to tensors it was recorded from.
///
/// For full control; `valueAndGradient` is the safe way. History that an evaluation
/// released makes the gradients error tensors, never zero.
public func gradients(of y: Tensor, withRespectTo xs: [Tensor], cotangent: Tensor? = nil) -> [Tensor] {
  withExtendedLifetime((y, xs, cotangent)) {
    let seed = cotangent?.value ?? Value.constant(.integer(1), y.dtype).broadcast(to: y.shape)
    let found = withoutAutocast { reverse([(value: y.value, cotangent: seed)], inputs: xs.map(\.value), in: nil) }
    return Tensor.results(zip(found, xs).map { $0 ?? Value.constant(.integer(0), $1.dtype).broadcast(to: $1.shape) })
  }
}

extension Tensor {
  /// The same numbers, as a constant: no gradient flows through.
  public func stoppingGradient() -> Tensor { map { $0.stoppingGradient() } }
}

/// A function with a gradient of your own.
///
/// - Parameters:
///   - xs: what it is a function of.
///   - forward: its value; not differentiated itself.
///   - backward: the cotangents of `xs`, each shaped as its tensor, from that of the value.
public func customGradient(
  _ xs: [Tensor], forward: ([Tensor]) -> Tensor, backward: @escaping @Sendable (_ cotangent: Tensor) -> [Tensor]
) -> Tensor {
  let constants = xs.map { $0.stoppingGradient() }
  let result = forward(constants)
  let dtypes = xs.map(\.dtype)
  let rule: CustomGradient.Rule = { cotangent in
    let found = backward(Tensor(cotangent))
    guard found.count == dtypes.count else {
      let mismatch = Mismatch.shape(
        "the rule returned \(found.count) cotangents for \(dtypes.count) tensors",
        remedy: "Return one for each, zeros where there is none")
      return dtypes.map { _ in errorValue("customGradient", [cotangent], mismatch) }
    }
    return zip(found, dtypes).map { $0.cast(to: $1).value }
  }
  return Tensor.map([result] + xs) { record(CustomGradient(rule), $0) }
}
