import CajalBase

/// A tensor of the reference backend: plain Swift numbers, row-major.
///
/// Floats are kept as doubles that hold values of the dtype exactly, integers and
/// `bool` as `Int64`; ``store`` rounds.
public struct HostTensor: Sendable {
  public let type: TensorType
  public private(set) var floats: [Double]
  public private(set) var integers: [Int64]

  public var shape: Shape { type.shape }
  public var dtype: DType { type.dtype }
  public var count: Int { type.shape.count }

  /// All zeros.
  public init(_ type: TensorType) {
    self.type = type
    let count = type.shape.count
    floats = type.dtype.isFloat ? [Double](repeating: 0, count: count) : []
    integers = type.dtype.isFloat ? [] : [Int64](repeating: 0, count: count)
  }

  public subscript(_ index: Int) -> Scalar {
    get {
      if dtype.isFloat { return .float(floats[index]) }
      return dtype == .bool ? .bool(integers[index] != 0) : .integer(integers[index])
    }
    set { store(newValue, at: index) }
  }

  /// Rounds `value` to the dtype and keeps it as element `index`.
  public mutating func store(_ value: Scalar, at index: Int) {
    let rounded = value.rounded(to: dtype)
    if dtype.isFloat { floats[index] = rounded.double } else { integers[index] = rounded.int64 }
  }

  /// The same elements under another shape of as many elements.
  public func reshaped(_ shape: Shape) -> HostTensor {
    var result = HostTensor(TensorType(shape, dtype))
    result.floats = floats
    result.integers = integers
    return result
  }

  /// Elements read through a strided view.
  public func viewed(_ view: StridedView) -> HostTensor {
    var result = HostTensor(TensorType(view.shape, dtype))
    var position = 0
    view.forEachOffset { offset in
      if dtype.isFloat {
        result.floats[position] = floats[offset]
      } else {
        result.integers[position] = integers[offset]
      }
      position += 1
    }
    return result
  }
}

// MARK: Bytes

extension HostTensor {
  public init(_ type: TensorType, bytes: UnsafeRawBufferPointer) {
    self.init(type)
    let size = dtype.byteCount
    for index in 0..<count {
      var bits: UInt64 = 0
      withUnsafeMutableBytes(of: &bits) {
        $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[index * size..<(index + 1) * size]))
      }
      let value = Scalar(bits: bits, dtype: dtype)
      if dtype.isFloat { floats[index] = value.double } else { integers[index] = value.int64 }
    }
  }

  public func copyBytes(to bytes: UnsafeMutableRawBufferPointer) {
    let size = dtype.byteCount
    for index in 0..<count {
      var bits = self[index].bits(as: dtype)
      withUnsafeBytes(of: &bits) { source in
        UnsafeMutableRawBufferPointer(rebasing: bytes[index * size..<(index + 1) * size])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[0..<size]))
      }
    }
  }
}

/// A way to read a buffer: where each element of `shape` stands in it.
public struct StridedView: Hashable, Sendable {
  public var shape: Shape
  /// Elements from the start of the buffer.
  public var offset: Int
  /// Elements per axis; 0 broadcasts, negative runs backwards.
  public var strides: [Int]

  public init(shape: Shape, offset: Int = 0, strides: [Int]) {
    self.shape = shape
    self.offset = offset
    self.strides = strides
  }

  /// The whole of a row-major buffer.
  public init(contiguous shape: Shape) { self.init(shape: shape, strides: shape.strides) }

  /// Whether elements stand row-major and without gaps (axes of extent 1 do not count).
  public var isContiguous: Bool {
    var expected = 1
    for axis in (0..<shape.rank).reversed() where shape[axis] != 1 {
      if strides[axis] != expected { return false }
      expected *= shape[axis]
    }
    return true
  }

  /// The strides with which this view is read when broadcast to `target`.
  public func strides(broadcastTo target: Shape) -> [Int] {
    var result = [Int](repeating: 0, count: target.rank)
    let lead = target.rank - shape.rank
    for axis in 0..<shape.rank where shape[axis] != 1 { result[lead + axis] = strides[axis] }
    return result
  }

  /// Calls `body` with the offset of each element, row-major.
  public func forEachOffset(_ body: (Int) -> Void) {
    let count = shape.count
    guard count > 0 else { return }
    var index = [Int](repeating: 0, count: shape.rank)
    var position = offset
    for _ in 0..<count {
      body(position)
      var axis = shape.rank - 1
      while axis >= 0 {
        index[axis] += 1
        position += strides[axis]
        if index[axis] < shape[axis] { break }
        position -= strides[axis] * shape[axis]
        index[axis] = 0
        axis -= 1
      }
    }
  }
}
