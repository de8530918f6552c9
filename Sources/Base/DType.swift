/// The type of a tensor's elements, known at run time.
///
/// The raw values are those of the kernels' `cj_dtype` and stand in plan keys.
public enum DType: UInt8, CaseIterable, Hashable, Sendable {
  case bool, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64

  /// Bytes of one element.
  @inlinable
  public var byteCount: Int {
    switch self {
    case .bool, .uint8, .int8: 1
    case .int16, .float16, .bfloat16: 2
    case .int32, .float32: 4
    case .int64, .float64: 8
    }
  }

  @inlinable public var isFloat: Bool { rawValue >= DType.float16.rawValue }
  /// Integers, without `bool`.
  public var isInteger: Bool { rawValue >= DType.uint8.rawValue && rawValue <= DType.int64.rawValue }
  /// What an index may be made of.
  public var isIndex: Bool { self == .int32 || self == .int64 }

  /// The type that scalar programs compute in for this dtype.
  public var computeType: ComputeType {
    switch self {
    case .bool: .bool
    case .uint8, .int8, .int16, .int32: .int32
    case .int64: .int64
    case .float16, .bfloat16, .float32: .float32
    case .float64: .float64
    }
  }

  /// Whether values of `computeType` must be narrowed to be values of this dtype.
  public var narrowsComputeType: Bool {
    switch self {
    case .uint8, .int8, .int16, .float16, .bfloat16: true
    default: false
    }
  }

  /// The lowest and highest value of an integer dtype.
  public var integerRange: ClosedRange<Int64> {
    switch self {
    case .bool: 0...1
    case .uint8: 0...255
    case .int8: -128...127
    case .int16: -32768...32767
    case .int32: Int64(Int32.min)...Int64(Int32.max)
    default: Int64.min...Int64.max
    }
  }
}

extension DType: CustomStringConvertible {
  public var description: String {
    switch self {
    case .bool: "bool"
    case .uint8: "uint8"
    case .int8: "int8"
    case .int16: "int16"
    case .int32: "int32"
    case .int64: "int64"
    case .float16: "float16"
    case .bfloat16: "bfloat16"
    case .float32: "float32"
    case .float64: "float64"
    }
  }
}

/// What a scalar program's registers hold. The raw values are the kernels' `cj_type`.
public enum ComputeType: UInt8, CaseIterable, Hashable, Sendable {
  case float32, float64, int32, int64, bool

  public var isFloat: Bool { self == .float32 || self == .float64 }
}

/// The shape and dtype of one result of an operation.
public struct TensorType: Hashable, Sendable, CustomStringConvertible {
  public var shape: Shape
  public var dtype: DType

  @inlinable
  public init(_ shape: Shape, _ dtype: DType) {
    self.shape = shape
    self.dtype = dtype
  }

  /// Bytes of the elements, or `nil` where no machine could address them. Strides count too where there are
  /// no elements: so no sum or product of a tensor's places overflows.
  @inlinable
  public var checkedByteCount: Int? {
    guard let (count, span) = shape.sizes else { return nil }
    let size = dtype.byteCount
    let (bytes, overflow) = span.multipliedReportingOverflow(by: size)
    // 2^47 bytes is the user address space of today's machines.
    return overflow || bytes > 1 << 47 ? nil : count * size
  }

  public var byteCount: Int { checkedByteCount ?? 0 }

  public var description: String { "\(dtype)\(shape)" }
}
