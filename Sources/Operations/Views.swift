import CajalBase
import CajalIR

// Other ways to read the same elements.

/// The same elements, row-major, under another shape.
public struct Reshape: Operation {
  public let shape: Shape

  public init(_ shape: Shape) { self.shape = shape }

  public var name: String { "reshape" }
  public func encode(into key: inout PlanKey) { key.write(shape) }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    guard shape.rank <= Shape.maximumRank else {
      throw .shape("the result would have \(shape.rank) axes", remedy: "Tensors have at most \(Shape.maximumRank) axes")
    }
    guard shape.checkedCount == operands[0].shape.count else {
      throw .shape(
        "\(operands[0].shape) has \(operands[0].shape.count) elements, \(shape) does not",
        remedy: "Give a shape of as many elements; -1 stands for one extent that follows from the others")
    }
    return ResultTypes(shape, operands[0].dtype)
  }
  public var semantics: Semantics { .view { $0.reshaped(to: shape) } }
  public var gradient: GradientRule {
    .rule { [$0.cotangents[0]?.reshaped(to: $0.operands[0].shape)] }
  }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    [operands[0].reshaped(to: Shape([operands[0].shape[0]]) + shape)]
  }
}

extension StridedView {
  /// This view under another shape, or `nil` where strides cannot say how.
  public func reshaped(to target: Shape) -> StridedView? {
    if isContiguous { return StridedView(shape: target, offset: offset, strides: target.strides) }
    if shape.count == 0 { return StridedView(shape: target, offset: offset, strides: target.strides) }
    // Walk both shapes together: a run of source axes and the run of target axes of as
    // many elements; within a run the source must be contiguous.
    let source = (0..<shape.rank).filter { shape[$0] != 1 }
    var result = [Int](repeating: 0, count: target.rank)
    var (from, to) = (0, 0)
    while from < source.count, to < target.rank {
      var (sourceCount, targetCount) = (shape[source[from]], target[to])
      var (sourceEnd, targetEnd) = (from + 1, to + 1)
      while sourceCount != targetCount {
        if targetCount < sourceCount {
          targetCount *= target[targetEnd]
          targetEnd += 1
        } else {
          sourceCount *= shape[source[sourceEnd]]
          sourceEnd += 1
        }
      }
      for index in from..<sourceEnd - 1 {
        let (axis, next) = (source[index], source[index + 1])
        if strides[axis] != shape[next] * strides[next] { return nil }
      }
      var stride = strides[source[sourceEnd - 1]]
      for axis in (to..<targetEnd).reversed() {
        result[axis] = stride
        stride *= target[axis]
      }
      (from, to) = (sourceEnd, targetEnd)
    }
    return StridedView(shape: target, offset: offset, strides: result)
  }
}

/// Axes in another order: axis `i` of the result is axis `permutation[i]` of the operand.
public struct Transpose: Operation {
  public let permutation: [Int]

  public init(_ permutation: [Int]) { self.permutation = permutation }

  public var name: String { "transpose" }
  public func encode(into key: inout PlanKey) { key.write(permutation) }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    let shape = operands[0].shape
    guard permutation.sorted() == Array(0..<shape.rank) else {
      throw .shape(
        "\(permutation) is no order of the \(shape.rank) axes of \(shape)", remedy: "Name each axis once")
    }
    return ResultTypes(Shape(permutation.map { shape[$0] }), operands[0].dtype)
  }
  public var semantics: Semantics {
    .view { view in
      StridedView(
        shape: Shape(permutation.map { view.shape[$0] }), offset: view.offset,
        strides: permutation.map { view.strides[$0] })
    }
  }
  public var inverse: [Int] {
    var inverse = [Int](repeating: 0, count: permutation.count)
    for (position, axis) in permutation.enumerated() { inverse[axis] = position }
    return inverse
  }
  public var gradient: GradientRule { .rule { [$0.cotangents[0]?.transposed(inverse)] } }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    [operands[0].transposed([0] + permutation.map { $0 + 1 })]
  }
}

/// Stretched to `shape` by NumPy's rule: missing leading axes, and axes of extent 1, repeat.
public struct Broadcast: Operation {
  public let shape: Shape

  public init(_ shape: Shape) { self.shape = shape }

  public var name: String { "broadcast" }
  public func encode(into key: inout PlanKey) { key.write(shape) }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    guard shape.checkedCount != nil, Shape.broadcast(operands[0].shape, shape) == shape else {
      throw .shape(
        "\(operands[0].shape) does not broadcast to \(shape)",
        remedy: "Aligned at the last axis, each extent must be equal or 1")
    }
    return ResultTypes(shape, operands[0].dtype)
  }
  public var semantics: Semantics {
    .view { StridedView(shape: shape, offset: $0.offset, strides: $0.strides(broadcastTo: shape)) }
  }
  public var gradient: GradientRule { .rule { [$0.cotangents[0]?.summed(to: $0.operands[0].shape)] } }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    let aligned = operands[0].withBatchAxis(beforeRank: shape.rank)
    return [aligned.broadcast(to: Shape([aligned.shape[0]]) + shape)]
  }
}

/// Backwards along `axes`.
public struct Flip: Operation {
  public let axes: [Int]

  public init(_ axes: [Int]) { self.axes = axes }

  public var name: String { "flip" }
  public func encode(into key: inout PlanKey) { key.write(axes) }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    try checkAxes(axes, operands[0].shape)
    return ResultTypes(operands[0])
  }
  public var semantics: Semantics {
    .view { view in
      var result = view
      for axis in axes where view.shape[axis] > 0 {
        result.offset += (view.shape[axis] - 1) * view.strides[axis]
        result.strides[axis] = -view.strides[axis]
      }
      return result
    }
  }
  public var gradient: GradientRule { .rule { [$0.cotangents[0].map { record(Flip(axes), $0) }] } }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    [record(Flip(axes.map { $0 + 1 }), operands)]
  }
}

/// Throws unless `axes` are different axes of `shape`, counted from the front.
func checkAxes(_ axes: [Int], _ shape: Shape) throws(Mismatch) {
  for (position, axis) in axes.enumerated() {
    guard axis >= 0, axis < shape.rank else {
      throw .index("\(shape) has no axis \(axis)", remedy: "Axes are 0..<\(shape.rank), or negative from the end")
    }
    if axes[..<position].contains(axis) {
      throw .index("axis \(axis) is named twice", remedy: "Name each axis once")
    }
  }
}

// MARK: Recording

extension Value {
  public func reshaped(to shape: Shape) -> Value {
    if shape == self.shape || isFailed { return self }
    return record(Reshape(shape), self)
  }

  public func transposed(_ permutation: [Int]) -> Value {
    if permutation == Array(0..<rank) { return self }
    return record(Transpose(permutation), self)
  }

  public func broadcast(to shape: Shape) -> Value {
    if shape == self.shape || isFailed { return self }
    return record(Broadcast(shape), self)
  }

  public func flipped(_ axes: [Int]) -> Value { axes.isEmpty ? self : record(Flip(axes), self) }

  /// The last two axes exchanged.
  public var matrixTransposed: Value {
    guard rank >= 2 else { return self }
    var order = Array(0..<rank)
    order.swapAt(rank - 1, rank - 2)
    return transposed(order)
  }

  /// Axis `source` moved to stand at `target`.
  func movingAxis(_ source: Int, to target: Int) -> Value {
    var order = Array(0..<rank)
    order.insert(order.remove(at: source), at: target)
    return transposed(order)
  }
}
