import CajalBase
import CajalIR

/// A literal: a scalar that is part of the graph's structure.
public struct Constant: Operation {
  public let scalar: Scalar
  public let dtype: DType
  /// Whether this is a Swift literal, which takes the dtype of whatever it meets.
  public let isWeak: Bool

  public init(_ scalar: Scalar, _ dtype: DType, isWeak: Bool = false) {
    self.scalar = scalar
    self.dtype = dtype
    self.isWeak = isWeak
  }

  public var name: String { "constant" }
  public func encode(into key: inout PlanKey) {
    key.write(dtype)
    key.write(scalar.bits(as: dtype))
  }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes { ResultTypes(.scalar, dtype) }
  public var semantics: Semantics {
    .elementwise { builder, _, dtype in
      builder.constant(scalar.rounded(to: dtype), dtype.computeType)
    }
  }
  public var gradient: GradientRule { .none("a literal has no operands") }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { [record(self)] }
}

/// The coordinate along one axis: 0, 1, 2, …
///
/// **Shapes**: `shape`, any; every element is its own coordinate along `axis`.
public struct Iota: Operation {
  public let shape: Shape
  public let axis: Int
  public let dtype: DType

  public init(_ shape: Shape, axis: Int, _ dtype: DType) {
    self.shape = shape
    self.axis = axis
    self.dtype = dtype
  }

  public var name: String { "iota" }
  public func encode(into key: inout PlanKey) {
    key.write(TensorType(shape, dtype))
    key.write(axis)
  }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    guard axis >= 0, axis < shape.rank, shape.checkedCount != nil else {
      throw .shape(
        "cannot count along axis \(axis) of \(shape)", remedy: "Give an axis the shape has and no negative extent")
    }
    return ResultTypes(shape, dtype)
  }
  public var semantics: Semantics {
    var strides = [Int](repeating: 0, count: shape.rank)
    if axis >= 0, axis < strides.count { strides[axis] = 1 }
    return .affine(offset: 0, strides: strides)
  }
  public var gradient: GradientRule { .none("coordinates have no operands") }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { [record(self)] }
}

extension Value {
  /// A literal of `dtype`.
  public static func constant(_ scalar: Scalar, _ dtype: DType) -> Value { record(Constant(scalar, dtype)) }

  /// A Swift literal: takes the dtype of what it meets.
  public static func weakLiteral(_ scalar: Scalar) -> Value {
    record(Constant(scalar, scalar.dtype, isWeak: true))
  }

  /// The number, if this is a literal.
  var literal: Scalar? {
    guard Swift.type(of: node.operation) == Constant.self else { return nil }
    return (node.operation as? Constant)?.scalar
  }

  /// The number, if this is a literal that takes the dtype of what it meets.
  public var weakLiteral: Scalar? {
    guard Swift.type(of: node.operation) == Constant.self, let constant = node.operation as? Constant, constant.isWeak
    else {
      return nil
    }
    return constant.scalar
  }

  public static func iota(_ shape: Shape, axis: Int, _ dtype: DType) -> Value {
    record(Iota(shape, axis: axis, dtype))
  }

  /// `scalar` everywhere.
  public static func full(_ shape: Shape, _ scalar: Value) -> Value { scalar.broadcast(to: shape) }

  /// A scalar zero (one) of this value's dtype, which broadcasts.
  var zerosLike: Value { .constant(.integer(0), dtype) }
  var onesLike: Value { .constant(.integer(1), dtype) }

  /// [start, start + step, …], `count` of them; `start` and `step` are scalars of one dtype.
  public static func arange(start: Value, step: Value, count: Int) -> Value {
    let (first, stride) = promoted(start, step)
    return iota([count], axis: 0, first.dtype) * stride + first
  }

  /// The identity matrix, or a rectangle with ones on diagonal `offset`.
  public static func eye(_ rows: Int, _ columns: Int, offset: Int, _ dtype: DType) -> Value {
    let row = iota([rows, columns], axis: 0, .int64)
    let column = iota([rows, columns], axis: 1, .int64)
    return equal(column, row + .constant(.integer(Int64(offset)), .int64)).cast(to: dtype)
  }
}
