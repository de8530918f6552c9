import CajalBase
import CajalIR
import CajalOperations
import CajalTensor

/// What becomes of the losses of a batch's elements.
public enum Reduction: Int, Sendable, CaseIterable {
  case mean, sum, none

  func callAsFunction(_ losses: Tensor) -> Tensor {
    switch self {
    case .mean: losses.mean()
    case .sum: losses.sum()
    case .none: losses
    }
  }
}

/// A loss as one node: its elements and what becomes of them are recorded once for each set of operand types.
struct LossFormula: Sendable {
  /// One for each reduction.
  private let forms: [CompositeFunction]

  /// - Parameter elements: the losses from the operands, of which the first says the dtype.
  init(_ name: String, _ elements: @escaping @Sendable (_ operands: [Tensor]) -> Tensor) {
    forms = Reduction.allCases.map { reduction in
      CompositeFunction(name) { operands in reduction(elements(operands.map { Tensor($0) })).value }
    }
  }

  func callAsFunction(_ operands: Tensor..., reduction: Reduction) -> Tensor {
    Tensor.map(operands) { forms[reduction.rawValue]($0) }
  }
}

/// A model's outputs and what they should be, ready to be compared: floats of one dtype, at least float32, and of
/// one shape. Axes of extent 1 are no difference: `[N, 1]` meets `[N]`. Other shapes are an error, never a broadcast.
func paired(_ loss: String, _ outputs: Tensor, _ targets: Tensor) -> (outputs: Tensor, targets: Tensor) {
  let x = outputs.computing
  let y = targets.cast(to: x.dtype)
  guard outputs.error == nil, targets.error == nil, outputs.shape != targets.shape else { return (x, y) }
  let (long, short) = (outputs.shape.array.filter { $0 != 1 }, targets.shape.array.filter { $0 != 1 })
  if long == short { return (x, y.reshaped(to: x.shape)) }
  let error = mistake(
    loss, [outputs, targets],
    .shape(
      "outputs \(outputs.shape) and targets \(targets.shape) differ",
      remedy: "Each output needs its target; reshape one of them"))
  return (error, error)
}

/// Whether a mistake was made before.
func hasFailed(_ tensors: Tensor...) -> Bool { tensors.contains { $0.error != nil } }

/// The error tensor of operands that do not fit.
func mistake(_ loss: String, _ operands: [Tensor], _ mismatch: Mismatch) -> Tensor {
  Tensor.map(operands) { errorValue(loss, $0, mismatch) }
}

extension Tensor {
  /// As floats that sums of many do not lose themselves in.
  var computing: Tensor { dtype == .float64 ? self : cast(to: .float32) }

  /// √Σx² along the last axis.
  var norm: Tensor { squared().sum(axis: -1).sqrt() }
}
