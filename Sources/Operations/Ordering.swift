import CajalBase
import CajalIR

// Orders and running sums along an axis.

/// The positions (int64) of the first `count` elements in order, along `axis`: the smallest first, or the greatest.
///
/// Equal elements stay as they stand, zeros of both signs are equal, and NaN comes last in either direction.
///
/// **Shapes**: `[A…, extent, B…]` to `[A…, count, B…]`.
public struct ArgSort: Operation {
  public let axis: Int
  public let isDescending: Bool
  public let count: Int

  public init(axis: Int, isDescending: Bool, count: Int) {
    self.axis = axis
    self.isDescending = isDescending
    self.count = count
  }

  public var name: String { "argsort" }
  public func encode(into key: inout PlanKey) {
    key.write(axis)
    key.write(isDescending)
    key.write(count)
  }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    var shape = operands[0].shape
    try checkAxes([axis], shape)
    guard count >= 0, count <= shape[axis] else {
      throw .shape(
        "axis \(axis) of \(shape) has no \(count) elements", remedy: "Ask for at most as many as there are")
    }
    shape[axis] = count
    return ResultTypes(shape, .int64)
  }
  public var semantics: Semantics {
    .loops { operands, results in
      let (outer, extent, inner) = operands[0].shape.split(at: axis)
      var result = HostTensor(results[0])
      for o in 0..<outer {
        for i in 0..<inner {
          let line = (0..<extent).map { operands[0][(o * extent + $0) * inner + i] }
          let order = line.indices.sorted { isBefore(line[$0], line[$1]) ?? ($0 < $1) }
          for k in 0..<count { result.store(.integer(Int64(order[k])), at: (o * count + k) * inner + i) }
        }
      }
      return [result]
    }
  }
  /// `nil` for equals.
  private func isBefore(_ x: Scalar, _ y: Scalar) -> Bool? {
    if case .float(let a) = x, case .float(let b) = y {
      if a.isNaN || b.isNaN { return a.isNaN == b.isNaN ? nil : b.isNaN }
      return a == b ? nil : (a < b) != isDescending
    }
    return x.int64 == y.int64 ? nil : (x.int64 < y.int64) != isDescending
  }
  public var gradient: GradientRule { .none("a position is an integer") }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    [record(ArgSort(axis: axis + 1, isDescending: isDescending, count: count), operands)]
  }
}

/// Each element with all that stand before it along `axis`, or behind it where reversed.
///
/// **Shapes**: any, and the same. Sums of integers and `bool` are int64; those of floats are taken in float64 and
/// round once each. The gradient is the sum the other way.
public struct CumulativeSum: Operation {
  public let axis: Int
  public let isReversed: Bool

  public init(axis: Int, isReversed: Bool) {
    self.axis = axis
    self.isReversed = isReversed
  }

  public var name: String { "cumulativeSum" }
  public var autocast: AutocastClass { .full }
  public func encode(into key: inout PlanKey) {
    key.write(axis)
    key.write(isReversed)
  }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    try checkAxes([axis], operands[0].shape)
    return ResultTypes(operands[0].shape, operands[0].dtype.accumulated)
  }
  public var semantics: Semantics {
    .loops { operands, results in
      let (outer, extent, inner) = operands[0].shape.split(at: axis)
      var result = HostTensor(results[0])
      for o in 0..<outer {
        for i in 0..<inner {
          var (float, integer) = (0.0, Int64(0))
          for step in 0..<extent {
            let position = (o * extent + (isReversed ? extent - 1 - step : step)) * inner + i
            if result.dtype.isFloat {
              float += operands[0].floats[position]
              result.store(.float(float), at: position)
            } else {
              integer &+= operands[0].integers[position]
              result.store(.integer(integer), at: position)
            }
          }
        }
      }
      return [result]
    }
  }
  public var gradient: GradientRule {
    .rule { context in
      guard let g = context.cotangents[0], context.operands[0].dtype.isFloat else { return [nil] }
      return [record(CumulativeSum(axis: axis, isReversed: !isReversed), g)]
    }
  }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    [record(CumulativeSum(axis: axis + 1, isReversed: isReversed), operands)]
  }
  public func cost(_ operands: OperandTypes, _ results: ResultTypes) -> Cost {
    Cost(flops: operands[0].shape.count, bytes: operands[0].byteCount + results.first.byteCount)
  }
}

// MARK: Recording

extension Value {
  /// See ``ArgSort``; all elements if `count` is `nil`.
  public func argsort(axis: Int, descending: Bool, count: Int? = nil) -> Value {
    let normalized = shape.normalized(axis: axis) ?? axis
    return record(ArgSort(axis: normalized, isDescending: descending, count: count ?? shape[axis]), self)
  }

  /// The first `count` elements in order along `axis`, and where they stood. The gradient goes back there.
  public func ordered(axis: Int, descending: Bool, count: Int? = nil) -> (values: Value, indices: Value) {
    let indices = argsort(axis: axis, descending: descending, count: count)
    if indices.isFailed { return (indices, indices) }
    return (record(GatherAlong(axis: shape.normalized(axis: axis) ?? axis), self, indices), indices)
  }

  public func cumulativeSum(axis: Int, reversed: Bool = false) -> Value {
    record(CumulativeSum(axis: shape.normalized(axis: axis) ?? axis, isReversed: reversed), self)
  }
}

// MARK: Draws that are orders

extension Value {
  /// 0..<count in an order that is drawn: that of as many uniform numbers.
  public static func permutation(_ count: Int, from generator: Generator? = nil) -> Value {
    random(.uniform, [count], .float64, from: generator).argsort(axis: 0, descending: false)
  }

  /// Positions along the last axis, each drawn as often as its weight says.
  ///
  /// With replacement by the inverse of the distribution function; without it the highest of ln weight + Gumbel
  /// noise (Kool et al. 2019).
  public func multinomial(_ count: Int, replacement: Bool, from generator: Generator? = nil) -> Value {
    guard rank > 0, shape[-1] > 0, count >= 0, replacement || count <= shape[-1] else {
      return errorValue(
        "multinomial", [self],
        .shape(
          "cannot draw \(count) of the last axis of \(shape)",
          remedy: "Without replacement draw at most as many as there are"))
    }
    let (lead, classes) = (shape.prefix(rank - 1), shape[-1])
    let weights = cast(to: .float64)
    if !replacement {
      let uniform = Value.random(.uniform, shape, .float64, from: generator)
      return (weights.log() - (-uniform.log()).log()).argsort(axis: -1, descending: true, count: count)
    }
    let uniform = Value.random(.uniform, lead + [count, 1], .float64, from: generator)
    let sums = weights.cumulativeSum(axis: -1)
    let total = sums.sliced(rank - 1, from: classes - 1, count: 1).reshaped(to: lead + [1, 1])
    let isBelow = sums.reshaped(to: lead + [1, classes]) <= uniform * total
    // Rounding must not draw what has no weight behind the last that has some.
    let positions = Value.select(weights > 0, .iota([classes], axis: 0, .int64), literalZero)
    return .minimum(isBelow.sum([-1]), positions.max([-1], keepingAxes: true))
  }

  private var literalZero: Value { .constant(.integer(0), .int64) }
}
