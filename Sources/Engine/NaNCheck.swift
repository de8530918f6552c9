import CajalBase
import CajalIR

/// The `CAJAL_CHECK_NAN` setting: each operation is evaluated at once, and the first that makes a
/// NaN of operands without one becomes an error that names it.
enum NaNCheck {
  /// Each of `nodes` by itself, the oldest first; all are kept until the last is done.
  static func evaluate(_ nodes: [Node], _ engine: Engine) {
    for node in nodes { node.references.wrappingAdd(1, ordering: .relaxed) }
    for node in nodes where node.status == .pending { evaluate(node, engine) }
    for node in nodes { node.references.wrappingSubtract(1, ordering: .releasing) }
  }

  private static func evaluate(_ node: Node, _ engine: Engine) {
    let operands = graphLock.withLock { _ in Array(node.operands) }
    let value = Value(node)
    do {
      try engine.evaluate([value])
      guard try hasNaN(value, engine) else { return }
      for operand in operands where try hasNaN(operand, engine) { return }
    } catch {
      return  // The error is the node's own, and its reader will see it.
    }
    let error = TensorError(
      .notFinite, operation: node.operation.name, operands: operands.map(\.type), "made a NaN of operands without one",
      remedy: "Look at its operands: a logarithm of 0, a division by 0, an overflow before", site: CallSite.current(),
      module: node.path?.description)
    graphLock.withLock { _ in node.set(.failed, .failure(error)) }
  }

  private static func hasNaN(_ value: Value, _ engine: Engine) throws(TensorError) -> Bool {
    let type = value.type
    guard type.dtype.isFloat else { return false }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, type.byteCount), alignment: 64)
    defer { bytes.deallocate() }
    let used = UnsafeMutableRawBufferPointer(rebasing: bytes[0..<type.byteCount])
    try engine.read(value, into: used)
    return hasNaN(UnsafeRawBufferPointer(used), type.dtype)
  }

  private static func hasNaN(_ bytes: UnsafeRawBufferPointer, _ dtype: DType) -> Bool {
    switch dtype {
    case .float32: bytes.bindMemory(to: Float.self).contains { $0.isNaN }
    case .float64: bytes.bindMemory(to: Double.self).contains { $0.isNaN }
    // All bits of the exponent, and any of the fraction.
    case .float16: bytes.bindMemory(to: UInt16.self).contains { $0 & 0x7FFF > 0x7C00 }
    case .bfloat16: bytes.bindMemory(to: UInt16.self).contains { $0 & 0x7FFF > 0x7F80 }
    default: false
    }
  }
}
