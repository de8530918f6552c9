import CajalBase
import CajalIR

/// Tensors one behind the other along an axis.
///
/// **Shapes**: equal but along `axis`, where they add up. One dtype.
public struct Concatenate: Operation {
  public let axis: Int

  public init(axis: Int) { self.axis = axis }

  public var name: String { "concatenate" }
  public func encode(into key: inout PlanKey) { key.write(axis) }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    guard operands.count > 0 else {
      throw .shape("nothing to concatenate", remedy: "Pass at least one tensor")
    }
    var shape = operands[0].shape
    try checkAxes([axis], shape)
    for index in 1..<max(1, operands.count) {
      let type = operands[index]
      var expected = operands[0].shape
      expected[axis] = type.shape[axis]
      guard type.shape == expected else {
        throw .shape(
          "shapes \(operands[0].shape) and \(type.shape) differ beside axis \(axis)",
          remedy: "Only the extent along the axis may differ")
      }
      guard type.dtype == operands[0].dtype else {
        throw .dtype("joins \(operands[0].dtype) and \(type.dtype)", remedy: "Cast one of them")
      }
      shape[axis] += type.shape[axis]
    }
    return ResultTypes(shape, operands[0].dtype)
  }
  public var semantics: Semantics {
    .loops { operands, results in
      var result = HostTensor(results[0])
      var start = 0
      for operand in operands {
        let part = Part(axes: [axis], extents: [operand.shape[axis]], steps: [1])
        var position = 0
        part.view(in: result.shape, starts: [start]).forEachOffset { offset in
          result[offset] = operand[position]
          position += 1
        }
        start += operand.shape[axis]
      }
      return [result]
    }
  }
  public var gradient: GradientRule {
    .rule { context in
      var start = 0
      return context.operands.indices.map { index in
        let extent = context.operands[index].shape[axis]
        defer { start += extent }
        guard context.isNeeded[index] else { return nil }
        return context.cotangents[0]?.sliced(axis, from: start, count: extent)
      }
    }
  }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    let size = batchSize(operands, isBatched)
    return [
      record(
        Concatenate(axis: axis + 1), operands.indices.map { isBatched[$0] ? operands[$0] : operands[$0].repeated(size) }
      )
    ]
  }
}

/// Surrounded by copies of a scalar (operand 1): `low[i]` before and `high[i]` behind along axis i.
public struct Pad: Operation {
  public let low: [Int]
  public let high: [Int]

  public init(low: [Int], high: [Int]) {
    self.low = low
    self.high = high
  }

  public var name: String { "pad" }
  public func encode(into key: inout PlanKey) {
    key.write(low)
    key.write(high)
  }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    let shape = operands[0].shape
    guard low.count == shape.rank, high.count == shape.rank, (low + high).allSatisfy({ $0 >= 0 }) else {
      throw .shape(
        "widths \(low) and \(high) do not fit the \(shape.rank) axes of \(shape)",
        remedy: "Give one width before and one behind for each axis, none negative")
    }
    guard operands[1].shape.rank == 0, operands[1].dtype == operands[0].dtype else {
      throw .dtype("the padding is \(operands[1])", remedy: "Pad with a scalar of dtype \(operands[0].dtype)")
    }
    var padded = shape
    for axis in 0..<shape.rank {
      let (widths, isTooWide) = low[axis].addingReportingOverflow(high[axis])
      let (sum, overflow) = shape[axis].addingReportingOverflow(widths)
      padded[axis] = isTooWide || overflow ? Int.max : sum
    }
    return ResultTypes(padded, operands[0].dtype)
  }
  public var semantics: Semantics {
    .loops { operands, results in
      var result = HostTensor(results[0])
      for index in 0..<result.count { result[index] = operands[1][0] }
      var position = 0
      place(in: results[0].shape, operands[0].shape).forEachOffset { offset in
        result[offset] = operands[0][position]
        position += 1
      }
      return [result]
    }
  }
  /// Where the operand lies in the result.
  public func place(in padded: Shape, _ shape: Shape) -> StridedView {
    Part(axes: Array(0..<shape.rank), extents: shape.array, steps: [Int](repeating: 1, count: shape.rank))
      .view(in: padded, starts: low)
  }
  public var gradient: GradientRule {
    .rule { context in
      guard let g = context.cotangents[0] else { return [nil, nil] }
      let shape = context.operands[0].shape
      let part = Part(axes: Array(0..<shape.rank), extents: shape.array, steps: [Int](repeating: 1, count: shape.rank))
      let inner = g.sliced(part, starts: low)
      return [inner, context.isNeeded[1] ? g.sum() - inner.sum() : nil]
    }
  }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    if isBatched[1] { return unrolledBatch(self, operands, isBatched) }
    return [record(Pad(low: [0] + low, high: [0] + high), operands)]
  }
}

extension Value {
  /// Joined along `axis`, in the dtype that they promote to.
  public static func concatenated(_ values: [Value], axis: Int) -> Value {
    if let failed = values.first(where: { $0.isFailed }) { return failed }
    guard let first = values.first else { return record(Concatenate(axis: axis)) }
    let dtype = values.dropFirst().reduce(first.dtype) { DType.promote($0, $1.dtype) }
    return record(Concatenate(axis: first.shape.normalized(axis: axis) ?? axis), values.map { $0.cast(to: dtype) })
  }

  /// Joined along a new axis.
  public static func stacked(_ values: [Value], axis: Int) -> Value {
    if let failed = values.first(where: { $0.isFailed }) { return failed }
    guard let first = values.first else { return record(Concatenate(axis: axis)) }
    let position = axis < 0 ? axis + first.rank + 1 : axis
    guard position >= 0, position <= first.rank else {
      return errorValue(
        "stack", values,
        .index("there is no place \(axis) for a new axis in \(first.shape)", remedy: "Use 0...\(first.rank)"))
    }
    return concatenated(
      values.map { value in
        var shape = value.shape
        shape.insert(1, at: Swift.min(position, value.rank))
        return value.reshaped(to: shape)
      }, axis: position)
  }

  /// Cut along `axis` into pieces of `extents`.
  public func split(_ extents: [Int], axis: Int) -> [Value] {
    guard !isFailed else { return extents.map { _ in self } }
    // None is larger than the axis, so that their sum cannot overflow.
    guard let axis = shape.normalized(axis: axis), extents.allSatisfy({ $0 >= 0 && $0 <= shape[axis] }),
      extents.reduce(0, &+) == shape[axis]
    else {
      let problem = Mismatch.shape(
        "pieces of \(extents) do not make up axis \(axis) of \(shape)", remedy: "Extents must add up to the axis")
      return extents.map { _ in errorValue("split", [self], problem) }
    }
    var start = 0
    return extents.map { extent in
      defer { start += extent }
      return sliced(axis, from: start, count: extent)
    }
  }

  public func padded(low: [Int], high: [Int], with value: Value) -> Value {
    record(Pad(low: low, high: high), self, value.cast(to: dtype))
  }
}
