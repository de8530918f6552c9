import CajalBase

extension Tensor: CustomStringConvertible {
  /// The elements as NumPy prints them, long axes shortened; computes what is pending. An error tensor
  /// prints its error.
  public var description: String {
    if value.node.trace != nil { return "Tensor(\(TensorType(shape, dtype)), in the body of a scan)" }
    do {
      return TensorPrinter(shape: shape, dtype: dtype, texts: try texts()).text
    } catch {
      return "Tensor(error: \(error))"
    }
  }
}

extension Tensor {
  /// Each element as it prints. Floats as their dtype tells them apart, integers exactly.
  private func texts() throws(TensorError) -> [String] {
    switch dtype {
    case .bool: try scalars(Bool.self).map { "\($0)" }
    case .float64: try scalars(Double.self).map { "\($0)" }
    default: dtype.isFloat ? try scalars(Float.self).map { "\($0)" } : try scalars(Int64.self).map { "\($0)" }
    }
  }
}

/// Lays out numbers in nested brackets.
private struct TensorPrinter {
  let shape: Shape
  let dtype: DType
  let texts: [String]

  /// NumPy's defaults: more elements than this are shortened to so many at each edge.
  private static let threshold = 1000
  private static let edge = 3

  private var isShortened: Bool { shape.count > TensorPrinter.threshold }

  var text: String {
    if shape.count == 0 { return "[], \(TensorType(shape, dtype))" }
    return lines(axis: 0, from: 0, indent: 1)
  }

  private func lines(axis: Int, from start: Int, indent: Int) -> String {
    if axis == shape.rank { return texts[start] }
    let stride = shape.suffix(from: axis + 1).count
    var parts = shown(shape[axis]).map { index -> String in
      guard let index else { return "..." }
      return lines(axis: axis + 1, from: start + index * stride, indent: indent + 1)
    }
    if axis == shape.rank - 1 { parts = aligned(parts) }
    let separator =
      axis == shape.rank - 1
      ? ", " : "," + String(repeating: "\n", count: shape.rank - 1 - axis) + String(repeating: " ", count: indent)
    return "[" + parts.joined(separator: separator) + "]"
  }

  /// Positions along an axis; `nil` for those left out.
  private func shown(_ extent: Int) -> [Int?] {
    guard isShortened, extent > 2 * TensorPrinter.edge else { return (0..<extent).map { $0 } }
    return (0..<TensorPrinter.edge).map { $0 } + [nil] + (extent - TensorPrinter.edge..<extent).map { $0 }
  }

  private func aligned(_ parts: [String]) -> [String] {
    guard shape.rank > 1 else { return parts }
    return parts.map { String(repeating: " ", count: max(0, width - $0.count)) + $0 }
  }

  private var width: Int { isShortened ? 0 : texts.map(\.count).max() ?? 0 }
}
