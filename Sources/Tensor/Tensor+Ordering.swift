import CajalBase
import CajalIR
import CajalOperations

// Orders and running sums along an axis. Equal elements stay as they stand; NaN comes last in either direction.

extension Tensor {
  /// The elements in order along `axis`. Their gradients go back to where they stood.
  public func sorted(axis: Int = -1, descending: Bool = false) -> Tensor {
    map { $0.ordered(axis: axis, descending: descending).values }
  }

  /// The positions (int64) of the elements in order along `axis`.
  public func argsort(axis: Int = -1, descending: Bool = false) -> Tensor {
    map { $0.argsort(axis: axis, descending: descending) }
  }

  /// The `k` greatest elements along `axis`, the greatest first, and their positions (int64).
  ///
  /// **Shapes**: `[A…, extent, B…]` to `[A…, k, B…]`, both.
  public func topK(_ k: Int, axis: Int = -1) -> (values: Tensor, indices: Tensor) {
    withExtendedLifetime(handle) {
      let (values, indices) = value.ordered(axis: axis, descending: true, count: k)
      let results = Tensor.results([values, indices])
      return (results[0], results[1])
    }
  }

  /// Each element with all that stand before it along `axis`, or behind it where `reversed`. Sums of integers and
  /// bool are int64.
  public func cumulativeSum(axis: Int, reversed: Bool = false) -> Tensor {
    map { $0.cumulativeSum(axis: axis, reversed: reversed) }
  }

  // MARK: Draws

  /// 0..<count (int64) in an order that is drawn.
  public static func permutation(_ count: Int, generator: Generator? = nil) -> Tensor {
    Tensor(.permutation(count, from: generator))
  }

  /// Positions (int64) along the last axis, drawn as often as the weights there say. They need not add up to 1, but
  /// must not be negative, and not all 0.
  ///
  /// **Shapes**: weights `[…, C]` to `[…, count]`.
  public func multinomial(_ count: Int, replacement: Bool = true, generator: Generator? = nil) -> Tensor {
    map { $0.multinomial(count, replacement: replacement, from: generator) }
  }
}
