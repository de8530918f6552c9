import CajalBase
import CajalIR

// Parts of a tensor, read and written. Where a part starts is an operand: a slice that moves
// from step to step is one plan. Extents and steps are structure.

/// Which part: along each listed axis, `extents` elements `steps` apart.
public struct Part: Hashable, Sendable {
  /// Ascending, counted from the front.
  public var axes: [Int]
  public var extents: [Int]
  /// At least 1.
  public var steps: [Int]

  public init(axes: [Int], extents: [Int], steps: [Int]) {
    self.axes = axes
    self.extents = extents
    self.steps = steps
  }

  func encode(into key: inout PlanKey) {
    key.write(axes)
    key.write(extents)
    key.write(steps)
  }

  /// The part's own shape.
  public func shape(in shape: Shape) -> Shape {
    var result = shape
    for (axis, extent) in zip(axes, extents) { result[axis] = extent }
    return result
  }

  /// Elements from the first to the last of the part along listed axis `index`.
  func span(_ index: Int) -> Int { extents[index] == 0 ? 0 : (extents[index] - 1) * steps[index] + 1 }

  func check(_ shape: Shape) throws(Mismatch) {
    try checkAxes(axes, shape)
    for index in axes.indices {
      guard extents[index] >= 0, steps[index] >= 1, span(index) <= shape[axes[index]] else {
        throw .index(
          "axis \(axes[index]) of \(shape) has no \(extents[index]) elements \(steps[index]) apart",
          remedy: "Give bounds inside 0..<\(shape[axes[index]]) and a step of at least 1")
      }
    }
  }

  func checkStarts(_ starts: some Collection<TensorType>) throws(Mismatch) {
    for start in starts where start.shape.rank != 0 || start.dtype != .int64 {
      throw .dtype("a start is \(start), not an int64 scalar", remedy: "Pass one int64 scalar for each sliced axis")
    }
  }

  /// Where the part lies in a row-major tensor of `shape`.
  public func view(in shape: Shape, starts: [Int]) -> StridedView {
    var view = StridedView(contiguous: shape)
    for (index, axis) in axes.enumerated() {
      view.offset += starts[index] * view.strides[axis]
      view.strides[axis] *= steps[index]
      view.shape[axis] = extents[index]
    }
    return view
  }

  /// The starts as numbers, or which of them lies outside.
  public func checkedStarts(_ starts: [Int], in shape: Shape) throws(Mismatch) -> [Int] {
    for (index, start) in starts.enumerated() {
      let last = shape[axes[index]] - span(index)
      guard start >= 0, start <= last else {
        throw .index(
          "start \(start) along axis \(axes[index]) of \(shape) leaves no room for \(extents[index]) elements \(steps[index]) apart",
          remedy: "Starts must be in 0...\(last)")
      }
    }
    return starts
  }

  /// The part when everything has a leading batch axis.
  var batched: Part { Part(axes: axes.map { $0 + 1 }, extents: extents, steps: steps) }
}

/// Reads a part: operands are the tensor and an int64 scalar start for each listed axis.
public struct Slice: Operation {
  public let part: Part

  public init(_ part: Part) { self.part = part }

  public var name: String { "slice" }
  public var isFallible: Bool { true }
  public func encode(into key: inout PlanKey) { part.encode(into: &key) }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    try part.check(operands[0].shape)
    try part.checkStarts(operands.array.dropFirst())
    return ResultTypes(part.shape(in: operands[0].shape), operands[0].dtype)
  }
  public var semantics: Semantics {
    .loops { operands, _ throws(Mismatch) in
      let starts = try part.checkedStarts(operands.dropFirst().map { Int($0[0].int64) }, in: operands[0].shape)
      return [operands[0].viewed(part.view(in: operands[0].shape, starts: starts))]
    }
  }
  public var gradient: GradientRule {
    .rule { context in
      guard let g = context.cotangents[0] else { return context.operands.map { _ in nil } }
      let zeros = g.zerosLike.broadcast(to: context.operands[0].shape)
      return [record(Update(part), [zeros, g] + context.operands.dropFirst())]
        + context.operands.dropFirst().map { _ in nil }
    }
  }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    if isBatched.dropFirst().contains(true) { return unrolledBatch(self, operands, isBatched) }
    return [record(Slice(part.batched), operands)]
  }
  public func cost(_ operands: OperandTypes, _ results: ResultTypes) -> Cost {
    Cost(flops: 0, bytes: 2 * results.first.byteCount)
  }
}

/// Writes a part: operands are the tensor, the new part, and a start for each listed axis; the
/// result is the tensor with the part replaced.
public struct Update: Operation {
  public let part: Part

  public init(_ part: Part) { self.part = part }

  public var name: String { "update" }
  public var isFallible: Bool { true }
  public func encode(into key: inout PlanKey) { part.encode(into: &key) }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    try part.check(operands[0].shape)
    try part.checkStarts(operands.array.dropFirst(2))
    guard operands[1].shape == part.shape(in: operands[0].shape) else {
      throw .shape(
        "the new part has shape \(operands[1].shape), its place \(part.shape(in: operands[0].shape))",
        remedy: "Reshape or broadcast the new part")
    }
    guard operands[0].dtype == operands[1].dtype else {
      throw .dtype("writes \(operands[1].dtype) into \(operands[0].dtype)", remedy: "Cast the new part")
    }
    return ResultTypes(operands[0])
  }
  public var semantics: Semantics {
    .loops { operands, _ throws(Mismatch) in
      let starts = try part.checkedStarts(operands.dropFirst(2).map { Int($0[0].int64) }, in: operands[0].shape)
      var result = operands[0]
      var position = 0
      part.view(in: operands[0].shape, starts: starts).forEachOffset { offset in
        result[offset] = operands[1][position]
        position += 1
      }
      return [result]
    }
  }
  public var gradient: GradientRule {
    .rule { context in
      guard let g = context.cotangents[0] else { return context.operands.map { _ in nil } }
      let starts = Array(context.operands.dropFirst(2))
      let zeros = g.zerosLike.broadcast(to: context.operands[1].shape)
      return [record(Update(part), [g, zeros] + starts), record(Slice(part), [g] + starts)] + starts.map { _ in nil }
    }
  }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    if isBatched.dropFirst(2).contains(true) { return unrolledBatch(self, operands, isBatched) }
    let size = batchSize(operands, isBatched)
    let wide = (0..<2).map { isBatched[$0] ? operands[$0] : operands[$0].repeated(size) }
    return [record(Update(part.batched), wide + operands.dropFirst(2))]
  }
}

// MARK: Batching

/// The extent of the batch axis.
func batchSize(_ operands: [Value], _ isBatched: [Bool]) -> Int {
  operands.indices.first { isBatched[$0] }.map { operands[$0].shape[0] } ?? 1
}

/// The batching rule of last resort: each sample by itself, stacked.
func unrolledBatch(_ operation: some Operation, _ operands: [Value], _ isBatched: [Bool]) -> [Value] {
  let size = batchSize(operands, isBatched)
  if size == 0 { return emptyBatch(operation, operands, isBatched) }
  let samples = (0..<size).map { sample in
    recordAll(
      operation,
      operands.indices.map { index in
        guard isBatched[index] else { return operands[index] }
        return operands[index].sliced(0, from: sample, count: 1).reshaped(to: operands[index].shape.suffix(from: 1))
      })
  }
  return samples[0].indices.map { result in
    .concatenated(samples.map { $0[result].reshaped(to: Shape([1]) + $0[result].shape) }, axis: 0)
  }
}

/// Of no samples only the results' types are left.
private func emptyBatch(_ operation: some Operation, _ operands: [Value], _ isBatched: [Bool]) -> [Value] {
  let types = operands.indices.map { index in
    isBatched[index] ? TensorType(operands[index].shape.suffix(from: 1), operands[index].dtype) : operands[index].type
  }
  do {
    return try operation.resultTypes(OperandTypes(types)).array.map {
      .zeros(TensorType(Shape([0]) + $0.shape, $0.dtype))
    }
  } catch {
    return [errorValue(operation.name, operands, error)]
  }
}

// MARK: Recording

extension Value {
  /// Repeated along a new leading axis.
  func repeated(_ count: Int) -> Value { broadcast(to: Shape([count]) + shape) }

  static func start(_ position: Int) -> Value { scalarValue(.integer(Int64(position)), .int64) }

  /// `count` elements along `axis`, from `start`, which is data and no structure.
  public func sliced(_ axis: Int, from start: Int, count: Int, step: Int = 1) -> Value {
    sliced(Part(axes: [axis], extents: [count], steps: [step]), starts: [start])
  }

  /// A part whose starts are known now: those outside are an error value at once.
  public func sliced(_ part: Part, starts: [Int]) -> Value {
    if let problem = check(part, starts) { return errorValue("slice", [self], problem) }
    return record(Slice(part), [self] + starts.map(Value.start))
  }

  /// This tensor with a part replaced.
  public func updated(_ part: Part, starts: [Int], with value: Value) -> Value {
    if let problem = check(part, starts) { return errorValue("update", [self, value], problem) }
    return record(Update(part), [self, value.cast(to: dtype)] + starts.map(Value.start))
  }

  private func check(_ part: Part, _ starts: [Int]) -> Mismatch? {
    if isFailed { return nil }
    do {
      try part.check(shape)
      _ = try part.checkedStarts(starts, in: shape)
      return nil
    } catch {
      return error
    }
  }
}
