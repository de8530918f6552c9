import CajalBase
import CajalIR

/// Sum, product, maximum or minimum over axes, which disappear.
///
/// **Shapes**: `[…]` to the same without `axes`. Sums and products of integers and `bool` are int64.
/// Over no elements: 0, 1, and the lowest and highest value of the dtype. A NaN wins every maximum
/// and minimum; of zeros of both signs any may win. Ties share the gradient of a maximum or minimum equally.
public struct Reduce: Operation {
  public enum Kind: UInt8, Sendable, CaseIterable {
    // The raw values are the kernels' cj_reduction.
    case sum, product, maximum, minimum
  }

  public let kind: Kind
  /// Ascending, counted from the front.
  public let axes: [Int]

  public init(_ kind: Kind, axes: [Int]) {
    self.kind = kind
    self.axes = axes.sorted()
  }

  public var name: String {
    switch kind {
    case .sum: "sum"
    case .product: "product"
    case .maximum: "max"
    case .minimum: "min"
    }
  }

  public var autocast: AutocastClass { .full }

  public func encode(into key: inout PlanKey) {
    key.write(UInt64(kind.rawValue))
    key.write(axes)
  }

  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    let type = operands[0]
    try checkAxes(axes, type.shape)
    let accumulates = kind == .sum || kind == .product
    return ResultTypes(
      type.shape.reduced(over: axes, keepingAxes: false), accumulates ? type.dtype.accumulated : type.dtype)
  }

  public var semantics: Semantics {
    .loops { operands, results in
      [reduce(operands[0], into: results[0])]
    }
  }

  private func reduce(_ operand: HostTensor, into type: TensorType) -> HostTensor {
    var result = HostTensor(type)
    let isFloat = type.dtype.isFloat
    var floats = [Double](repeating: identity.double, count: isFloat ? result.count : 0)
    var integers = [Int64](repeating: integerIdentity(operand.dtype), count: isFloat ? 0 : result.count)
    let target = reducedStrides(operand.shape)
    var position = 0
    StridedView(shape: operand.shape, strides: target).forEachOffset { slot in
      if isFloat {
        floats[slot] = combine(floats[slot], operand.floats[position])
      } else {
        integers[slot] = combine(integers[slot], operand.integers[position])
      }
      position += 1
    }
    for index in 0..<result.count {
      result.store(isFloat ? .float(floats[index]) : .integer(integers[index]), at: index)
    }
    return result
  }

  /// Strides into the result for each axis of the operand: 0 along the axes that disappear.
  private func reducedStrides(_ shape: Shape) -> [Int] {
    var strides = [Int](repeating: 0, count: shape.rank)
    var stride = 1
    for axis in (0..<shape.rank).reversed() where !axes.contains(axis) {
      strides[axis] = stride
      stride *= max(1, shape[axis])
    }
    return strides
  }

  private var identity: Scalar {
    switch kind {
    case .sum: .float(0)
    case .product: .float(1)
    case .maximum: .float(-.infinity)
    case .minimum: .float(.infinity)
    }
  }

  private func integerIdentity(_ dtype: DType) -> Int64 {
    switch kind {
    case .sum: 0
    case .product: 1
    case .maximum: dtype.integerRange.lowerBound
    case .minimum: dtype.integerRange.upperBound
    }
  }

  private func combine(_ a: Double, _ b: Double) -> Double {
    switch kind {
    case .sum: a + b
    case .product: a * b
    case .maximum: a.isNaN || b.isNaN ? .nan : max(a, b)
    case .minimum: a.isNaN || b.isNaN ? .nan : min(a, b)
    }
  }

  private func combine(_ a: Int64, _ b: Int64) -> Int64 {
    switch kind {
    case .sum: a &+ b
    case .product: a &* b
    case .maximum: max(a, b)
    case .minimum: min(a, b)
    }
  }

  public var gradient: GradientRule {
    .rule { context in
      let x = context.operands[0]
      guard let g = context.cotangents[0], x.dtype.isFloat else { return [nil] }
      let kept = x.shape.reduced(over: axes, keepingAxes: true)
      let wide = g.reshaped(to: kept)
      switch kind {
      case .sum: return [wide.broadcast(to: x.shape)]
      case .product: return [productGradient(x, g)]
      case .maximum, .minimum:
        let isExtreme = Value.equal(x, context.results[0].reshaped(to: kept)).cast(to: x.dtype)
        let ties = record(Reduce(.sum, axes: axes), isExtreme).reshaped(to: kept)
        return [isExtreme * (wide / ties)]
      }
    }
  }

  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    [record(Reduce(kind, axes: axes.map { $0 + 1 }), operands)]
  }

  public func cost(_ operands: OperandTypes, _ results: ResultTypes) -> Cost {
    Cost(flops: operands[0].shape.count, bytes: operands[0].byteCount + results.first.byteCount)
  }

  /// The product's gradient through a tree of pairwise products: right for zeros too, where
  /// dividing the product by each factor would not be, and differentiable again.
  private func productGradient(_ x: Value, _ g: Value) -> Value {
    let rest = (0..<x.rank).filter { !axes.contains($0) }
    let order = rest + axes
    let moved = x.transposed(order)
    let length = axes.reduce(1) { $0 * x.shape[$1] }
    let flat = moved.reshaped(to: Shape(rest.map { x.shape[$0] } + [length]))
    let gradient = Reduce.treeGradient(flat, g.reshaped(to: Shape(rest.map { x.shape[$0] } + [1])))
    return gradient.reshaped(to: moved.shape).transposed(Transpose(order).inverse)
  }

  /// The cotangent of `x` for the product over its last axis, whose cotangent is `g` (extent 1).
  private static func treeGradient(_ x: Value, _ g: Value) -> Value {
    let axis = x.rank - 1
    let length = x.shape[axis]
    if length == 0 { return x }
    if length == 1 { return g }
    let half = length / 2
    let left = x.sliced(axis, from: 0, count: half)
    let right = x.sliced(axis, from: half, count: half)
    var halves = left * right
    if length % 2 == 1 { halves = .concatenated([halves, x.sliced(axis, from: 2 * half, count: 1)], axis: axis) }
    let below = treeGradient(halves, g)
    let shared = below.sliced(axis, from: 0, count: half)
    var parts = [shared * right, shared * left]
    if length % 2 == 1 { parts.append(below.sliced(axis, from: half, count: 1)) }
    return .concatenated(parts, axis: axis)
  }
}

/// The position (int64) of the first maximum or minimum along an axis, which disappears; the first
/// NaN wins.
public struct ArgReduce: Operation {
  public let isMaximum: Bool
  public let axis: Int

  public init(maximum: Bool, axis: Int) {
    isMaximum = maximum
    self.axis = axis
  }

  public var name: String { isMaximum ? "argmax" : "argmin" }
  public func encode(into key: inout PlanKey) {
    key.write(isMaximum)
    key.write(axis)
  }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    let shape = operands[0].shape
    try checkAxes([axis], shape)
    guard shape[axis] > 0 else {
      throw .shape("axis \(axis) of \(shape) is empty", remedy: "There is no extreme of no elements")
    }
    return ResultTypes(shape.reduced(over: [axis], keepingAxes: false), .int64)
  }
  public var semantics: Semantics {
    .loops { operands, results in
      let (outer, extent, inner) = operands[0].shape.split(at: axis)
      var result = HostTensor(results[0])
      for o in 0..<outer {
        for i in 0..<inner {
          var best = 0
          for k in 1..<max(1, extent) {
            let (x, y) = (operands[0][(o * extent + k) * inner + i], operands[0][(o * extent + best) * inner + i])
            if isBetter(x, than: y) { best = k }
          }
          result.store(.integer(Int64(best)), at: o * inner + i)
        }
      }
      return [result]
    }
  }
  private func isBetter(_ x: Scalar, than y: Scalar) -> Bool {
    if case .float(let a) = x, case .float(let b) = y {
      if b.isNaN { return false }
      return a.isNaN || (isMaximum ? a > b : a < b)
    }
    return isMaximum ? x.int64 > y.int64 : x.int64 < y.int64
  }
  public var gradient: GradientRule { .none("a position is an integer") }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    [record(ArgReduce(maximum: isMaximum, axis: axis + 1), operands)]
  }
}

extension Shape {
  /// Elements before `axis`, along it, and behind it.
  public func split(at axis: Int) -> (outer: Int, extent: Int, inner: Int) {
    (prefix(axis).count, self[axis], suffix(from: axis + 1).count)
  }

  /// `axes` counted from the front, ascending; all axes for `nil`.
  func normalized(_ axes: [Int]?) -> [Int] {
    guard let axes else { return Array(0..<rank) }
    // An axis that does not exist stays as it is, for the operation to refuse.
    return axes.map { normalized(axis: $0) ?? $0 }.sorted()
  }
}

// MARK: Recording

extension Value {
  func reduced(_ kind: Reduce.Kind, _ axes: [Int]?, keepingAxes: Bool) -> Value {
    let axes = shape.normalized(axes)
    if axes.isEmpty, !isFailed, kind != .sum && kind != .product || dtype == dtype.accumulated { return self }
    let result = record(Reduce(kind, axes: axes), raised)
    guard keepingAxes, !result.isFailed else { return result }
    return result.reshaped(to: shape.reduced(over: axes, keepingAxes: true))
  }

  public func sum(_ axes: [Int]? = nil, keepingAxes: Bool = false) -> Value {
    reduced(.sum, axes, keepingAxes: keepingAxes)
  }
  public func product(_ axes: [Int]? = nil, keepingAxes: Bool = false) -> Value {
    reduced(.product, axes, keepingAxes: keepingAxes)
  }
  public func max(_ axes: [Int]? = nil, keepingAxes: Bool = false) -> Value {
    reduced(.maximum, axes, keepingAxes: keepingAxes)
  }
  public func min(_ axes: [Int]? = nil, keepingAxes: Bool = false) -> Value {
    reduced(.minimum, axes, keepingAxes: keepingAxes)
  }

  /// Elements that a reduction over `axes` puts together.
  private func count(over axes: [Int]?) -> Double { shape.normalized(axes).reduce(1) { $0 * Double(shape[$1]) } }

  public func mean(_ axes: [Int]? = nil, keepingAxes: Bool = false) -> Value {
    let total = floating.sum(axes, keepingAxes: keepingAxes)
    return total.isFailed ? total : total / count(over: axes)
  }

  /// The mean of squared differences from the mean; divided by count − `correction`.
  public func variance(_ axes: [Int]? = nil, correction: Int = 0, keepingAxes: Bool = false) -> Value {
    let x = floating
    let difference = x - x.mean(axes, keepingAxes: true)
    let total = (difference * difference).sum(axes, keepingAxes: keepingAxes)
    return total.isFailed ? total : total / (count(over: axes) - Double(correction))
  }

  public func any(_ axes: [Int]? = nil, keepingAxes: Bool = false) -> Value {
    cast(to: .bool).max(axes, keepingAxes: keepingAxes)
  }
  public func all(_ axes: [Int]? = nil, keepingAxes: Bool = false) -> Value {
    cast(to: .bool).min(axes, keepingAxes: keepingAxes)
  }

  /// `nil`: over all elements, row-major.
  public func argReduced(maximum: Bool, axis: Int?, keepingAxis: Bool = false) -> Value {
    guard let axis else { return reshaped(to: [shape.count]).argReduced(maximum: maximum, axis: 0) }
    let normalized = shape.normalized(axis: axis) ?? axis
    let result = record(ArgReduce(maximum: maximum, axis: normalized), self)
    guard keepingAxis, !result.isFailed else { return result }
    return result.reshaped(to: shape.reduced(over: [normalized], keepingAxes: true))
  }
}
