import CajalBase
import CajalIR

// Reading and adding at positions that are data.

/// Lets indices pass that lie in 0..<extent (or −extent..<extent), and fails the run for others.
public struct CheckIndices: Operation {
  public let extent: Int
  public let allowsNegative: Bool
  /// What the indices are, for the error: "label", "index".
  public let noun: String

  public init(extent: Int, allowsNegative: Bool, noun: String) {
    self.extent = extent
    self.allowsNegative = allowsNegative
    self.noun = noun
  }

  public var name: String { "checkIndices" }
  public var isFallible: Bool { true }
  public func encode(into key: inout PlanKey) {
    key.write(extent)
    key.write(allowsNegative)
  }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    guard operands[0].dtype.isIndex else {
      throw .dtype("\(noun) of \(operands[0].dtype)", remedy: "Use int32 or int64; cast with `.cast(to: .int64)`")
    }
    return ResultTypes(operands[0])
  }
  public var semantics: Semantics {
    .loops { operands, _ throws(Mismatch) in
      for (position, index) in operands[0].integers.enumerated() {
        if let problem = problem(index, at: position) { throw problem }
      }
      return operands
    }
  }
  /// Why `index`, element `position` of the operand, may not pass.
  public func problem(_ index: Int64, at position: Int) -> Mismatch? {
    if index < Int64(extent), index >= (allowsNegative ? -Int64(extent) : 0) { return nil }
    let range = allowsNegative ? "\(-extent)..<\(extent)" : "0..<\(extent)"
    return .index(
      "\(noun) \(index) at position \(position) is outside \(range)", remedy: "Every \(noun) must lie in that range")
  }
  public var gradient: GradientRule { .none("indices are integers") }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { [record(self, operands)] }
}

/// What gather and scatter share: an axis, and how indices lie in the result.
protocol IndexedAxis: Operation {
  var axis: Int { get }
}

/// Reads whole slices: result[…, i…, …] = x[…, indices[i…], …] along `axis`.
///
/// **Shapes**: x `[A…, extent, B…]`, indices `[I…]` (int32 or int64, checked), result `[A…, I…, B…]`.
/// Negative indices count from the end. Its gradient adds up where an index repeats.
public struct Gather: IndexedAxis {
  public let axis: Int

  public init(axis: Int) { self.axis = axis }

  public var name: String { "gather" }
  public func encode(into key: inout PlanKey) { key.write(axis) }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    let shape = operands[0].shape
    try checkAxes([axis], shape)
    try checkIndexType(operands[1])
    return ResultTypes(shape.prefix(axis) + operands[1].shape + shape.suffix(from: axis + 1), operands[0].dtype)
  }
  public var semantics: Semantics {
    .loops { operands, results in
      let (outer, extent, inner) = operands[0].shape.split(at: axis)
      let indices = operands[1].integers.map { $0 < 0 ? Int($0) + extent : Int($0) }
      var result = HostTensor(results[0])
      for o in 0..<outer {
        for (position, index) in indices.enumerated() {
          for i in 0..<inner {
            result[(o * indices.count + position) * inner + i] = operands[0][(o * extent + index) * inner + i]
          }
        }
      }
      return [result]
    }
  }
  public var gradient: GradientRule {
    .rule { context in
      guard let g = context.cotangents[0] else { return [nil, nil] }
      let zeros = g.zerosLike.broadcast(to: context.operands[0].shape)
      return [record(ScatterAdd(axis: axis), zeros, context.operands[1], g), nil]
    }
  }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    if isBatched[0], isBatched[1] { return unrolledBatch(self, operands, isBatched) }
    if isBatched[0] { return [record(Gather(axis: axis + 1), operands)] }
    return [record(self, operands).movingAxis(axis, to: 0)]
  }
  public func cost(_ operands: OperandTypes, _ results: ResultTypes) -> Cost {
    Cost(flops: 0, bytes: operands[1].byteCount + 2 * results.first.byteCount)
  }
}

/// Adds whole slices: x[…, indices[i…], …] += updates[…, i…, …] along `axis`, in the order of i.
///
/// **Shapes**: x `[A…, extent, B…]`, indices `[I…]`, updates `[A…, I…, B…]`, result as x.
public struct ScatterAdd: IndexedAxis {
  public let axis: Int

  public init(axis: Int) { self.axis = axis }

  public var name: String { "scatterAdd" }
  public func encode(into key: inout PlanKey) { key.write(axis) }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    let shape = operands[0].shape
    try checkAxes([axis], shape)
    try checkIndexType(operands[1])
    let expected = TensorType(
      shape.prefix(axis) + operands[1].shape + shape.suffix(from: axis + 1), operands[0].dtype)
    guard operands[2] == expected else {
      throw .shape("the updates are \(operands[2])", remedy: "They must be \(expected)")
    }
    return ResultTypes(operands[0])
  }
  public var semantics: Semantics {
    .loops { operands, results in
      let (outer, extent, inner) = operands[0].shape.split(at: axis)
      let indices = operands[1].integers.map { $0 < 0 ? Int($0) + extent : Int($0) }
      var sums = operands[0]
      for o in 0..<outer {
        for (position, index) in indices.enumerated() {
          for i in 0..<inner {
            sums.add(operands[2][(o * indices.count + position) * inner + i], at: (o * extent + index) * inner + i)
          }
        }
      }
      return [sums]
    }
  }
  public var gradient: GradientRule {
    .rule { context in
      guard let g = context.cotangents[0] else { return [nil, nil, nil] }
      return [g, nil, context.isNeeded[2] ? record(Gather(axis: axis), g, context.operands[1]) : nil]
    }
  }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    if isBatched[1] { return unrolledBatch(self, operands, isBatched) }
    let size = batchSize(operands, isBatched)
    return [
      record(
        ScatterAdd(axis: axis + 1),
        [0, 1, 2].map { $0 == 1 || isBatched[$0] ? operands[$0] : operands[$0].repeated(size) })
    ]
  }
}

/// Reads single elements: result[o, j, i] = x[o, indices[o, j, i], i] along `axis`.
///
/// **Shapes**: x and indices equal but along `axis`; the result is shaped as the indices.
public struct GatherAlong: IndexedAxis {
  public let axis: Int

  public init(axis: Int) { self.axis = axis }

  public var name: String { "gatherAlong" }
  public func encode(into key: inout PlanKey) { key.write(axis) }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    try checkAlong(axis, operands[0].shape, operands[1])
    return ResultTypes(operands[1].shape, operands[0].dtype)
  }
  public var semantics: Semantics {
    .loops { operands, results in
      var result = HostTensor(results[0])
      forEachAlong(axis, operands[0].shape, operands[1]) { result[$0] = operands[0][$1] }
      return [result]
    }
  }
  public var gradient: GradientRule {
    .rule { context in
      guard let g = context.cotangents[0] else { return [nil, nil] }
      let zeros = g.zerosLike.broadcast(to: context.operands[0].shape)
      return [record(ScatterAddAlong(axis: axis), zeros, context.operands[1], g), nil]
    }
  }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    let size = batchSize(operands, isBatched)
    return [
      record(
        GatherAlong(axis: axis + 1), operands.indices.map { isBatched[$0] ? operands[$0] : operands[$0].repeated(size) }
      )
    ]
  }
  public func cost(_ operands: OperandTypes, _ results: ResultTypes) -> Cost {
    Cost(flops: 0, bytes: operands[1].byteCount + 2 * results.first.byteCount)
  }
}

/// Adds single elements: x[o, indices[o, j, i], i] += updates[o, j, i] along `axis`, in the order of j.
public struct ScatterAddAlong: IndexedAxis {
  public let axis: Int

  public init(axis: Int) { self.axis = axis }

  public var name: String { "scatterAddAlong" }
  public func encode(into key: inout PlanKey) { key.write(axis) }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    try checkAlong(axis, operands[0].shape, operands[1])
    guard operands[2] == TensorType(operands[1].shape, operands[0].dtype) else {
      throw .shape(
        "the updates are \(operands[2])", remedy: "They must be shaped as the indices, of the tensor's dtype")
    }
    return ResultTypes(operands[0])
  }
  public var semantics: Semantics {
    .loops { operands, results in
      var sums = operands[0]
      forEachAlong(axis, operands[0].shape, operands[1]) { sums.add(operands[2][$0], at: $1) }
      return [sums]
    }
  }
  public var gradient: GradientRule {
    .rule { context in
      guard let g = context.cotangents[0] else { return [nil, nil, nil] }
      return [g, nil, context.isNeeded[2] ? record(GatherAlong(axis: axis), g, context.operands[1]) : nil]
    }
  }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    let size = batchSize(operands, isBatched)
    return [
      record(
        ScatterAddAlong(axis: axis + 1),
        operands.indices.map { isBatched[$0] ? operands[$0] : operands[$0].repeated(size) })
    ]
  }
}

private func checkIndexType(_ type: TensorType) throws(Mismatch) {
  guard type.dtype.isIndex else {
    throw .dtype("indices of \(type.dtype)", remedy: "Use int32 or int64; cast with `.cast(to: .int64)`")
  }
}

private func checkAlong(_ axis: Int, _ shape: Shape, _ indices: TensorType) throws(Mismatch) {
  try checkAxes([axis], shape)
  try checkIndexType(indices)
  var expected = shape
  expected[axis] = indices.shape[axis]
  guard indices.shape == expected else {
    throw .shape(
      "indices \(indices.shape) and tensor \(shape) differ beside axis \(axis)", remedy: "Broadcast the indices")
  }
}

/// Calls `body` with each position of the indices and the position in the tensor that it names.
private func forEachAlong(_ axis: Int, _ shape: Shape, _ indices: HostTensor, _ body: (Int, Int) -> Void) {
  let (outer, extent, inner) = shape.split(at: axis)
  let count = indices.shape[axis]
  for o in 0..<outer {
    for j in 0..<count {
      for i in 0..<inner {
        let position = (o * count + j) * inner + i
        let raw = Int(indices.integers[position])
        body(position, (o * extent + (raw < 0 ? raw + extent : raw)) * inner + i)
      }
    }
  }
}

extension HostTensor {
  /// Adds in the dtype: floats round at each addition, as a loop over memory does.
  fileprivate mutating func add(_ value: Scalar, at index: Int) {
    switch dtype {
    case .bool: store(.bool(integers[index] != 0 || value.int64 != 0), at: index)
    default:
      store(dtype.isFloat ? .float(floats[index] + value.double) : .integer(integers[index] &+ value.int64), at: index)
    }
  }

}

// MARK: Recording

extension Value {
  /// Indices that a run checks before it uses them.
  public func checkedIndices(extent: Int, allowsNegative: Bool = true, noun: String = "index") -> Value {
    let indices = dtype.isInteger && !dtype.isIndex ? cast(to: .int32) : self
    return record(CheckIndices(extent: extent, allowsNegative: allowsNegative, noun: noun), indices)
  }

  /// Whole slices at `indices` along `axis`. See ``Gather``.
  public func take(_ indices: Value, axis: Int) -> Value {
    let axis = shape.normalized(axis: axis) ?? axis
    return record(Gather(axis: axis), self, indices.checkedIndices(extent: shape[axis]))
  }

  /// Single elements at `indices` along `axis`. See ``GatherAlong``.
  public func takeAlong(_ indices: Value, axis: Int) -> Value {
    let axis = shape.normalized(axis: axis) ?? axis
    return record(GatherAlong(axis: axis), self, indices.checkedIndices(extent: shape[axis]))
  }

  /// With slices added at `indices` along `axis`. See ``ScatterAdd``.
  public func scatterAdded(_ updates: Value, at indices: Value, axis: Int) -> Value {
    let axis = shape.normalized(axis: axis) ?? axis
    return record(
      ScatterAdd(axis: axis), self, indices.checkedIndices(extent: shape[axis]), updates.cast(to: dtype))
  }

  /// With single elements added at `indices` along `axis`. See ``ScatterAddAlong``.
  public func scatterAddedAlong(_ updates: Value, at indices: Value, axis: Int) -> Value {
    let axis = shape.normalized(axis: axis) ?? axis
    return record(
      ScatterAddAlong(axis: axis), self, indices.checkedIndices(extent: shape[axis]), updates.cast(to: dtype))
  }

  /// 1 at each index along a new last axis of `count`, 0 elsewhere; indices outside fail the run.
  public func oneHot(_ count: Int, _ dtype: DType, noun: String = "index") -> Value {
    isHot(count, noun: noun).cast(to: dtype)
  }

  /// Whether each position along a new last axis of `count` is the index.
  func isHot(_ count: Int, noun: String) -> Value {
    let indices = checkedIndices(extent: count, allowsNegative: false, noun: noun)
    if indices.isFailed { return indices }
    let wide = indices.reshaped(to: indices.shape + [1])
    return .equal(.iota([count], axis: 0, indices.dtype), wide)
  }
}
