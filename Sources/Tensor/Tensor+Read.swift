import CajalBase
import CajalEngine
import CajalIR

// Reading: where recorded work is done and errors come to light.

extension Tensor {
  /// The number of a tensor of one element. Computes what is pending, and waits.
  ///
  /// - Throws: ``TensorError``: whatever went wrong on the way here, or more than one element.
  public func item() throws(TensorError) -> Float { try item(as: Float.self) }

  public func item<Number: TensorScalar>(as type: Number.Type) throws(TensorError) -> Number {
    try checkSingle()
    return try scalars(type)[0]
  }

  /// As ``item()``, suspending the task instead of blocking its thread.
  public func value() async throws(TensorError) -> Float { try await value(as: Float.self) }

  public func value<Number: TensorScalar>(as type: Number.Type) async throws(TensorError) -> Number {
    try checkSingle()
    try await Engine.shared.evaluated([value])
    return try scalars(type)[0]
  }

  private func checkSingle() throws(TensorError) {
    if error == nil, count != 1 {
      throw TensorError(
        .shape, operation: "item", operands: [TensorType(shape, dtype)],
        "a tensor of \(count) elements is not one number",
        remedy: "Reduce it first, or read `scalars(_:)`", site: CallSite.current())
    }
  }

  /// All elements in row-major order, converted to `Number`. Computes what is pending, and waits.
  public func scalars<Number: TensorScalar>(_ type: Number.Type = Number.self) throws(TensorError) -> [Number] {
    let bytes = try bytes()
    let (dtype, size) = (self.dtype, self.dtype.byteCount)
    if Number.self == Float.self, dtype == .float32 { return bytes.reinterpreted() }
    if Number.self == Double.self, dtype == .float64 { return bytes.reinterpreted() }
    return (0..<count).map { index in
      var bits: UInt64 = 0
      withUnsafeMutableBytes(of: &bits) { target in
        bytes.withUnsafeBytes {
          target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[index * size..<(index + 1) * size]))
        }
      }
      return Number(tensorScalar: Scalar(bits: bits, dtype: dtype))
    }
  }

  /// The elements' bytes, row-major, in the machine's byte order. Computes what is pending, and waits.
  public func bytes() throws(TensorError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: value.type.byteCount)
    let outcome = bytes.withUnsafeMutableBytes { target in
      Result { () throws(TensorError) in try Engine.shared.read(value, into: target) }
    }
    withExtendedLifetime(handle) {}
    try outcome.get()
    return bytes
  }

  /// Computes this tensor now, if it was not.
  ///
  /// - Returns: itself, so that a chain can go on.
  @discardableResult
  public func evaluated() throws(TensorError) -> Tensor {
    try eval(self)
    return self
  }
}

extension [UInt8] {
  fileprivate func reinterpreted<Number>() -> [Number] {
    guard !isEmpty else { return [] }
    return withUnsafeBytes { source in
      [Number](unsafeUninitializedCapacity: count / MemoryLayout<Number>.stride) { target, written in
        UnsafeMutableRawBufferPointer(target).copyMemory(from: source)
        written = count / MemoryLayout<Number>.stride
      }
    }
  }
}

/// Computes tensors now, as one plan, and waits.
///
/// - Throws: the first ``TensorError`` among them.
public func eval(_ tensors: Tensor...) throws(TensorError) { try eval(tensors) }

public func eval(_ tensors: [Tensor]) throws(TensorError) {
  defer { withExtendedLifetime(tensors) {} }
  try Engine.shared.evaluate(tensors.map(\.value))
}
