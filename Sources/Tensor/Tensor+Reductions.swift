import CajalBase
import CajalIR
import CajalOperations

// Reductions over axes, all by default; negative axes count from the end. With `keepingAxes` the axes
// stay with extent 1, so that the result broadcasts against the operand.

extension Tensor {
  /// **Shapes**: `[…]` to the same without `axes`. Integers and bool add up in int64.
  public func sum(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    map { $0.sum(axes, keepingAxes: keepingAxes) }
  }
  public func sum(axis: Int, keepingAxes: Bool = false) -> Tensor { sum(axes: [axis], keepingAxes: keepingAxes) }

  public func product(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    map { $0.product(axes, keepingAxes: keepingAxes) }
  }

  public func mean(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    map { $0.mean(axes, keepingAxes: keepingAxes) }
  }
  public func mean(axis: Int, keepingAxes: Bool = false) -> Tensor { mean(axes: [axis], keepingAxes: keepingAxes) }

  /// The mean of squared differences from the mean, divided by count − `correction` (0: of the
  /// numbers themselves; 1: Bessel's, of what they were drawn from).
  public func variance(axes: [Int]? = nil, correction: Int = 0, keepingAxes: Bool = false) -> Tensor {
    map { $0.variance(axes, correction: correction, keepingAxes: keepingAxes) }
  }

  public func standardDeviation(axes: [Int]? = nil, correction: Int = 0, keepingAxes: Bool = false) -> Tensor {
    variance(axes: axes, correction: correction, keepingAxes: keepingAxes).sqrt()
  }

  /// A NaN wins. Ties share the gradient equally.
  public func max(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    map { $0.max(axes, keepingAxes: keepingAxes) }
  }
  public func max(axis: Int, keepingAxes: Bool = false) -> Tensor { max(axes: [axis], keepingAxes: keepingAxes) }
  public func min(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    map { $0.min(axes, keepingAxes: keepingAxes) }
  }
  public func min(axis: Int, keepingAxes: Bool = false) -> Tensor { min(axes: [axis], keepingAxes: keepingAxes) }

  /// The position of the first maximum along `axis`, or in the row-major order of all elements.
  public func argmax(axis: Int? = nil, keepingAxis: Bool = false) -> Tensor {
    map { $0.argReduced(maximum: true, axis: axis, keepingAxis: keepingAxis) }
  }
  public func argmin(axis: Int? = nil, keepingAxis: Bool = false) -> Tensor {
    map { $0.argReduced(maximum: false, axis: axis, keepingAxis: keepingAxis) }
  }

  /// Whether any (every) element is not 0.
  public func any(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    map { $0.any(axes, keepingAxes: keepingAxes) }
  }
  public func all(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
    map { $0.all(axes, keepingAxes: keepingAxes) }
  }
}
