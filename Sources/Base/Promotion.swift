// The one promotion table: what two dtypes become when an operation meets both.
//
// Integers widen to hold both ranges (uint8 with int8 is int16); an integer
// meets a float as that float; the two half precisions meet in float32.

extension DType {
  /// The dtype of an operation on `left` and `right`.
  public static func promote(_ left: DType, _ right: DType) -> DType {
    table[Int(left.rawValue)][Int(right.rawValue)]
  }

  /// Rows and columns in the order of the cases.
  private static let table: [[DType]] = [
    [.bool, .uint8, .int8, .int16, .int32, .int64, .float16, .bfloat16, .float32, .float64],
    [.uint8, .uint8, .int16, .int16, .int32, .int64, .float16, .bfloat16, .float32, .float64],
    [.int8, .int16, .int8, .int16, .int32, .int64, .float16, .bfloat16, .float32, .float64],
    [.int16, .int16, .int16, .int16, .int32, .int64, .float16, .bfloat16, .float32, .float64],
    [.int32, .int32, .int32, .int32, .int32, .int64, .float16, .bfloat16, .float32, .float64],
    [.int64, .int64, .int64, .int64, .int64, .int64, .float16, .bfloat16, .float32, .float64],
    [.float16, .float16, .float16, .float16, .float16, .float16, .float16, .float32, .float32, .float64],
    [.bfloat16, .bfloat16, .bfloat16, .bfloat16, .bfloat16, .bfloat16, .float32, .bfloat16, .float32, .float64],
    [.float32, .float32, .float32, .float32, .float32, .float32, .float32, .float32, .float32, .float64],
    [.float64, .float64, .float64, .float64, .float64, .float64, .float64, .float64, .float64, .float64],
  ]

  /// The dtype of an operation on a tensor of this dtype and a Swift scalar or literal: the
  /// tensor's, except that a fractional scalar turns integers into float32, and a whole number
  /// turns `bool` into int64.
  public func meeting(_ scalar: Scalar) -> DType {
    switch scalar {
    case .bool: self
    case .integer: self == .bool ? .int64 : self
    case .float: isFloat ? self : .float32
    }
  }

  /// The dtype that `/`, `exp` and their kind compute in: floats stay, all else is float32.
  public var floating: DType { isFloat ? self : .float32 }

  /// The dtype of a sum or product: integers and `bool` add up in int64.
  public var accumulated: DType { isFloat ? self : .int64 }
}
