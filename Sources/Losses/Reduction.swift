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

/// Outputs and targets as floats that sums of many do not lose themselves in.
func paired(_ loss: String, _ outputs: Tensor, _ targets: Tensor) -> (outputs: Tensor, targets: Tensor) {
  paired(loss, outputs, targets, dtype: outputs.dtype == .float64 ? .float64 : .float32)
}

/// Whether a mistake was made before.
func hasFailed(_ tensors: Tensor...) -> Bool { tensors.contains { $0.error != nil } }

extension Tensor {
  /// √Σx² along the last axis.
  var norm: Tensor { squared().sum(axis: -1).sqrt() }
}
