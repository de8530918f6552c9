import CajalBase

/// Swift numbers that tensors are made of and read as.
public protocol TensorScalar: Sendable {
  /// The dtype of a tensor made of such numbers.
  static var tensorDType: DType { get }
  var tensorScalar: Scalar { get }
  /// Truncated, saturated or rounded where the number does not fit.
  init(tensorScalar: Scalar)
}

extension TensorScalar where Self: FixedWidthInteger {
  public var tensorScalar: Scalar { .integer(Int64(truncatingIfNeeded: self)) }
  public init(tensorScalar: Scalar) {
    switch tensorScalar {
    case .float(let value): self.init(saturating: value)
    default: self.init(clamping: tensorScalar.int64)
    }
  }
}

extension Int: TensorScalar { public static var tensorDType: DType { .int64 } }
extension Int64: TensorScalar { public static var tensorDType: DType { .int64 } }
extension Int32: TensorScalar { public static var tensorDType: DType { .int32 } }
extension Int16: TensorScalar { public static var tensorDType: DType { .int16 } }
extension Int8: TensorScalar { public static var tensorDType: DType { .int8 } }
extension UInt8: TensorScalar { public static var tensorDType: DType { .uint8 } }

extension Float: TensorScalar {
  public static var tensorDType: DType { .float32 }
  public var tensorScalar: Scalar { .float(Double(self)) }
  public init(tensorScalar: Scalar) { self.init(tensorScalar.double) }
}

extension Double: TensorScalar {
  public static var tensorDType: DType { .float64 }
  public var tensorScalar: Scalar { .float(self) }
  public init(tensorScalar: Scalar) { self = tensorScalar.double }
}

extension BFloat16: TensorScalar {
  public static var tensorDType: DType { .bfloat16 }
  public var tensorScalar: Scalar { .float(Double(Float(self))) }
  public init(tensorScalar: Scalar) { self.init(Float(tensorScalar.double)) }
}

extension Bool: TensorScalar {
  public static var tensorDType: DType { .bool }
  public var tensorScalar: Scalar { .bool(self) }
  public init(tensorScalar: Scalar) { self = tensorScalar.double != 0 }
}

/// Numbers, and arrays of them to any depth: what tensors are made from.
public protocol TensorConvertible: Sendable {
  static var tensorDType: DType { get }
  /// The shape, or `nil` where inner arrays differ in length.
  var tensorShape: Shape? { get }
  func appendScalars(to scalars: inout [Scalar])
}

extension TensorScalar {
  public var tensorShape: Shape? { .scalar }
  public func appendScalars(to scalars: inout [Scalar]) { scalars.append(tensorScalar) }
}

extension Int: TensorConvertible {}
extension Int64: TensorConvertible {}
extension Int32: TensorConvertible {}
extension Int16: TensorConvertible {}
extension Int8: TensorConvertible {}
extension UInt8: TensorConvertible {}
extension Float: TensorConvertible {}
extension Double: TensorConvertible {}
extension BFloat16: TensorConvertible {}
extension Bool: TensorConvertible {}

extension Array: TensorConvertible where Element: TensorConvertible {
  public static var tensorDType: DType { Element.tensorDType }

  public var tensorShape: Shape? {
    guard let first = self.first else { return [0] }
    guard let inner = first.tensorShape, dropFirst().allSatisfy({ $0.tensorShape == inner }) else { return nil }
    return Shape([count]) + inner
  }

  public func appendScalars(to scalars: inout [Scalar]) {
    for element in self { element.appendScalars(to: &scalars) }
  }
}
