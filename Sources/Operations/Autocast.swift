import CajalBase
import CajalIR

// Mixed precision (Micikevicius et al. 2018): what recording does with operands where a scope asks for it. Gradient
// rules are recorded without: their operands have the dtypes of the forward pass already.

extension Value {
  /// Both in the low precision, where they are float32 or less: for matrix products.
  static func lowered(_ a: Value, _ b: Value) -> (Value, Value) {
    guard let low = Scope.current.autocast, [a, b].allSatisfy({ $0.dtype.isFloat && $0.dtype != .float64 }) else {
      return (a, b)
    }
    return (a.cast(to: low), b.cast(to: low))
  }

  /// In float32, where it is less: for sums, exponentials, norms, losses.
  var raised: Value {
    guard dtype.isFloat, dtype.byteCount == 2, Scope.current.autocast != nil else { return self }
    return cast(to: .float32)
  }
}
