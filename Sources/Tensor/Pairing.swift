import CajalBase
import CajalIR

// What losses, metrics and layers ask of the tensors that they are given.

/// The error tensor of operands that do not fit `operation`.
package func mistake(_ operation: String, _ operands: [Tensor], _ mismatch: Mismatch) -> Tensor {
  Tensor.map(operands) { errorValue(operation, $0, mismatch) }
}

/// A model's outputs and what they should be, in one dtype and of one shape. Axes of extent 1 are no difference:
/// `[N, 1]` meets `[N]`. Other shapes are an error, never a broadcast.
package func paired(
  _ operation: String, _ outputs: Tensor, _ targets: Tensor, dtype: DType
) -> (outputs: Tensor, targets: Tensor) {
  let (x, y) = (outputs.cast(to: dtype), targets.cast(to: dtype))
  guard x.error == nil, y.error == nil, x.shape != y.shape else { return (x, y) }
  if x.shape.array.filter({ $0 != 1 }) == y.shape.array.filter({ $0 != 1 }) { return (x, y.reshaped(to: x.shape)) }
  let error = mistake(
    operation, [outputs, targets],
    .shape(
      "outputs \(outputs.shape) and targets \(targets.shape) differ",
      remedy: "Each output needs its target; reshape one of them"))
  return (error, error)
}

extension Tensor {
  /// In a float dtype that squares and sums fit in: at least float32.
  package var computing: Tensor { dtype == .float64 ? self : cast(to: .float32) }
}
