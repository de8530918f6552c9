import CajalBase
import CajalEngine
import CajalIR
import CajalOperations

// Tensors from numbers, bytes and rules.

extension Tensor {
  /// A tensor of the array's numbers, nested to any depth: `Tensor([[1, 2], [3, 4]])` has shape
  /// `[2, 2]`. Inner arrays of different lengths give an error tensor.
  ///
  /// - Parameter dtype: the Swift type's own if `nil`; literals with a point are float32.
  @_disfavoredOverload
  public init(_ numbers: some TensorConvertible, dtype: DType? = nil) { self.init(converting: numbers, dtype) }

  public init(_ numbers: [Float], dtype: DType? = nil) {
    guard dtype == nil || dtype == .float32 else {
      self.init(converting: numbers, dtype)
      return
    }
    self = numbers.withUnsafeBytes { Tensor(bytes: $0, shape: [numbers.count], dtype: .float32) }
  }
  public init(_ numbers: [[Float]], dtype: DType? = nil) { self.init(converting: numbers, dtype) }
  public init(_ numbers: [[[Float]]], dtype: DType? = nil) { self.init(converting: numbers, dtype) }
  public init(_ numbers: [[[[Float]]]], dtype: DType? = nil) { self.init(converting: numbers, dtype) }
  public init(_ numbers: [Int], dtype: DType? = nil) { self.init(converting: numbers, dtype) }
  public init(_ numbers: [[Int]], dtype: DType? = nil) { self.init(converting: numbers, dtype) }
  public init(_ numbers: [[[Int]]], dtype: DType? = nil) { self.init(converting: numbers, dtype) }

  private init(converting numbers: some TensorConvertible, _ dtype: DType?) {
    let target = dtype ?? type(of: numbers).tensorDType
    guard let shape = numbers.tensorShape else {
      self.init(
        errorValue(
          "Tensor", [], .shape("its inner arrays differ in length", remedy: "Give rows of one length, or pad them")))
      return
    }
    var scalars: [Scalar] = []
    scalars.reserveCapacity(shape.count)
    numbers.appendScalars(to: &scalars)
    self.init(scalars: scalars, shape: shape, dtype: target)
  }

  /// A tensor of `shape` from numbers in row-major order; as many as the shape has elements, or an
  /// error tensor.
  ///
  /// - Parameter dtype: the Swift type's own if `nil`; literals with a point are float32.
  @_disfavoredOverload
  public init<Number: TensorScalar>(_ numbers: [Number], shape: Shape, dtype: DType? = nil) {
    self.init(scalars: numbers.map(\.tensorScalar), shape: shape, dtype: dtype ?? Number.tensorDType)
  }

  public init(_ numbers: [Float], shape: Shape, dtype: DType? = nil) {
    self.init(scalars: numbers.map(\.tensorScalar), shape: shape, dtype: dtype ?? .float32)
  }
  public init(_ numbers: [Int], shape: Shape, dtype: DType? = nil) {
    self.init(scalars: numbers.map(\.tensorScalar), shape: shape, dtype: dtype ?? .int64)
  }

  private init(scalars: [Scalar], shape: Shape, dtype: DType) {
    guard shape.checkedCount == scalars.count else {
      self.init(
        errorValue(
          "Tensor", [],
          .shape("\(scalars.count) numbers do not fill \(shape)", remedy: "Give a shape of \(scalars.count) elements")))
      return
    }
    var bytes = [UInt8](repeating: 0, count: scalars.count * dtype.byteCount)
    bytes.withUnsafeMutableBytes { target in
      for (index, scalar) in scalars.enumerated() {
        withUnsafeBytes(of: scalar.bits(as: dtype)) { bits in
          UnsafeMutableRawBufferPointer(rebasing: target[index * dtype.byteCount..<(index + 1) * dtype.byteCount])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bits[0..<dtype.byteCount]))
        }
      }
    }
    self = bytes.withUnsafeBytes { Tensor(bytes: $0, shape: shape, dtype: dtype) }
  }

  /// A tensor of a copy of `bytes`: elements row-major in the machine's byte order.
  public init(bytes: UnsafeRawBufferPointer, shape: Shape, dtype: DType) {
    let type = TensorType(shape, dtype)
    guard shape.rank <= Shape.maximumRank, type.checkedByteCount == bytes.count else {
      self.init(
        errorValue(
          "Tensor", [],
          .shape("\(bytes.count) bytes are not \(type)", remedy: "Give a shape and dtype of as many bytes")))
      return
    }
    self.init(Engine.shared.upload(bytes, type, to: Scope.current.device))
  }

  /// A scalar that is data: a plan's input, whatever its value.
  ///
  /// - Parameter dtype: the Swift type's own if `nil`; a literal with a point is float32.
  @_disfavoredOverload
  public init(scalar number: some TensorScalar, dtype: DType? = nil) {
    self.init(scalarValue(number.tensorScalar, dtype ?? type(of: number).tensorDType))
  }
  public init(scalar number: Float, dtype: DType? = nil) {
    self.init(scalarValue(number.tensorScalar, dtype ?? .float32))
  }
  public init(scalar number: Int, dtype: DType? = nil) {
    self.init(scalarValue(number.tensorScalar, dtype ?? .int64))
  }

  // MARK: Rules

  public static func zeros(_ shape: Shape, dtype: DType = .float32) -> Tensor { full(shape, 0, dtype: dtype) }
  public static func ones(_ shape: Shape, dtype: DType = .float32) -> Tensor { full(shape, 1, dtype: dtype) }

  /// `number` everywhere. The number is part of the graph's structure.
  public static func full(_ shape: Shape, _ number: some TensorScalar, dtype: DType? = nil) -> Tensor {
    let literal = number.tensorScalar
    return Tensor(.full(shape, .constant(literal, dtype ?? literal.dtype)))
  }

  /// The zeros (ones) of another tensor's shape and dtype.
  public static func zeros(like other: Tensor) -> Tensor { zeros(other.shape, dtype: other.dtype) }
  public static func ones(like other: Tensor) -> Tensor { ones(other.shape, dtype: other.dtype) }

  /// 0, 1, … count − 1.
  public static func arange(_ count: Int, dtype: DType = .int64) -> Tensor { Tensor(.iota([count], axis: 0, dtype)) }

  /// start, start + step, … below (for a negative step: above) `end`.
  ///
  /// Start and step are data: a range that moves is one plan as long as it keeps its length.
  public static func arange<Number: TensorScalar & Strideable>(
    from start: Number, to end: Number, by step: Number.Stride, dtype: DType? = nil
  ) -> Tensor where Number.Stride: TensorScalar {
    let (first, last, stride) = (start.tensorScalar.double, end.tensorScalar.double, step.tensorScalar.double)
    let length = stride == 0 ? Double.nan : ((last - first) / stride).rounded(.up)
    guard length.isFinite, length < 0x1p47 else {
      return Tensor(
        errorValue(
          "arange", [],
          .shape("from \(start) to \(end) by \(step) has no end", remedy: "Give a step towards the end, not 0")))
    }
    let target = dtype ?? (Number.tensorDType == .float64 ? .float32 : Number.tensorDType)
    return Tensor(
      .arange(
        start: scalarValue(start.tensorScalar, target), step: scalarValue(step.tensorScalar, target),
        count: Swift.max(0, Int(length))))
  }

  /// `count` numbers from `start` to `end`, both included, evenly spaced.
  public static func linspace(_ start: Double, _ end: Double, count: Int, dtype: DType = .float32) -> Tensor {
    let step = count > 1 ? (end - start) / Double(count - 1) : 0
    return Tensor(
      .arange(start: scalarValue(.float(start), dtype), step: scalarValue(.float(step), dtype), count: count))
  }

  /// Ones on a diagonal, zeros elsewhere: `[rows, columns]`, square by default.
  public static func eye(_ rows: Int, columns: Int? = nil, diagonal: Int = 0, dtype: DType = .float32) -> Tensor {
    Tensor(.eye(rows, columns ?? rows, offset: diagonal, dtype))
  }
}

// MARK: Literals

/// A literal takes the dtype of the tensor that it meets, and is part of the graph's structure.
extension Tensor: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral
{
  public init(integerLiteral number: Int64) { self.init(.weakLiteral(.integer(number))) }
  public init(floatLiteral number: Double) { self.init(.weakLiteral(.float(number))) }
  public init(booleanLiteral flag: Bool) { self.init(.weakLiteral(.bool(flag))) }

  public init(arrayLiteral elements: Tensor...) {
    let literals = elements.compactMap(\.value.weakLiteral)
    guard literals.count == elements.count else {
      self = elements.isEmpty ? Tensor.zeros([0]) : Tensor.stack(elements)
      return
    }
    let dtype = literals.contains { $0.dtype == .float32 } ? DType.float32 : (literals.first?.dtype ?? .float32)
    self.init(scalars: literals, shape: [literals.count], dtype: dtype)
  }
}
