/// One number of the host's, on its way into a tensor.
public enum Scalar: Hashable, Sendable {
  case bool(Bool)
  case integer(Int64)
  case float(Double)

  public var double: Double {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): Double(value)
    case .float(let value): value
    }
  }

  /// Truncated and saturated, as a cast to int64 does; NaN gives 0.
  public var int64: Int64 {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): value
    case .float(let value): Int64(saturating: value)
    }
  }

  /// This number's bits as an element of `dtype`, in the low bytes.
  public func bits(as dtype: DType) -> UInt64 {
    switch dtype {
    case .bool: double != 0 ? 1 : 0
    case .uint8, .int8, .int16, .int32: UInt64(truncatingIfNeeded: Int32(saturating: self)) & dtype.mask
    case .int64: UInt64(bitPattern: int64)
    case .float16: UInt64(Float(double).halfBits)
    case .bfloat16: UInt64(BFloat16(Float(double)).bitPattern)
    case .float32: UInt64(Float(double).bitPattern)
    case .float64: double.bitPattern
    }
  }

  /// The number that the low bytes of `bits` are as an element of `dtype`.
  public init(bits: UInt64, dtype: DType) {
    switch dtype {
    case .bool: self = .bool(bits & 1 == 1)
    case .uint8: self = .integer(Int64(UInt8(truncatingIfNeeded: bits)))
    case .int8: self = .integer(Int64(Int8(truncatingIfNeeded: bits)))
    case .int16: self = .integer(Int64(Int16(truncatingIfNeeded: bits)))
    case .int32: self = .integer(Int64(Int32(truncatingIfNeeded: bits)))
    case .int64: self = .integer(Int64(bitPattern: bits))
    case .float16: self = .float(Double(Float(halfBits: UInt16(truncatingIfNeeded: bits))))
    case .bfloat16: self = .float(Double(Float(BFloat16(bitPattern: UInt16(truncatingIfNeeded: bits)))))
    case .float32: self = .float(Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits))))
    case .float64: self = .float(Double(bitPattern: bits))
    }
  }

  /// The dtype of a tensor made of this number alone.
  public var dtype: DType {
    switch self {
    case .bool: .bool
    case .integer: .int64
    case .float: .float32
    }
  }

  /// This number as `dtype` would hold it.
  public func rounded(to dtype: DType) -> Scalar { Scalar(bits: bits(as: dtype), dtype: dtype) }
}

extension Scalar: CustomStringConvertible {
  public var description: String {
    switch self {
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .float(let value): "\(value)"
    }
  }
}

extension DType {
  fileprivate var mask: UInt64 { byteCount == 8 ? .max : (1 << UInt64(byteCount * 8)) - 1 }
}

extension FixedWidthInteger {
  /// Truncates towards zero; what does not fit saturates, NaN gives 0.
  public init(saturating value: Double) {
    if value.isNaN {
      self = 0
    } else if value >= Double(Self.max) {
      self = .max
    } else if value <= Double(Self.min) {
      self = .min
    } else {
      self = Self(value)
    }
  }
}

extension Int32 {
  fileprivate init(saturating scalar: Scalar) {
    switch scalar {
    case .float(let value): self.init(saturating: value)
    default: self.init(truncatingIfNeeded: scalar.int64)
    }
  }
}
