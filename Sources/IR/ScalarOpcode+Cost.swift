extension ScalarOpcode {
  /// Floating-point operations that an element counts for. Functions count as much as the polynomials that
  /// vector libraries evaluate for them do, about; moving and converting count for nothing.
  public var flops: Int {
    switch self {
    case .constant, .cast, .round: 0
    case .multiplyAdd: 2
    case .sqrt: 5
    case .rsqrt: 6
    case .exp, .log: 10
    case .expm1, .log1p, .sin, .cos, .sigmoid: 12
    case .tanh, .erf: 15
    case .power: 20
    default: 1
    }
  }
}
