import CajalBase
import CajalIR

/// A function of one element from each operand. Stands in the catalogue under its name;
/// a new one is a value of this type and costs no backend code.
public final class ElementwiseFunction: Sendable {
  public typealias Expression =
    @Sendable (_ builder: ScalarProgramBuilder, _ operands: [ScalarExpression]) -> ScalarExpression
  /// The cotangent of one operand from the operands `x`, the result `y` and its cotangent `g`.
  public typealias Gradient = @Sendable (_ x: [Value], _ y: Value, _ g: Value) -> Value

  /// The dtypes that operands may have; all operands have one (but for a condition).
  public enum Domain: Sendable {
    case any, numbers, floats, logical
  }

  public let name: String
  public let arity: Int
  public let domain: Domain
  /// Whether the result is `bool` whatever the operands are.
  public let isPredicate: Bool
  /// Whether operand 0 is a `bool` that chooses between the others.
  public let hasCondition: Bool
  public let flops: Int
  public let autocast: AutocastClass
  public let expression: Expression
  /// One for each operand; `nil` where it has no gradient; empty where none has.
  public let gradients: [Gradient?]
  let hasGradient: Bool

  public init(
    _ name: String, arity: Int, _ domain: Domain, isPredicate: Bool = false, hasCondition: Bool = false,
    flops: Int = 1, autocast: AutocastClass = .neutral, gradients: [Gradient?] = [],
    expression: @escaping Expression
  ) {
    self.name = name
    self.arity = arity
    self.domain = domain
    self.isPredicate = isPredicate
    self.hasCondition = hasCondition
    self.flops = flops
    self.autocast = autocast
    self.gradients = gradients
    hasGradient = gradients.contains { $0 != nil }
    self.expression = expression
    // Its address stands in the keys of plans: another's must never be the same.
    _ = Unmanaged.passRetained(self)
  }
}

/// Applies an ``ElementwiseFunction`` to operands that broadcast.
///
/// **Shapes**: any that broadcast by NumPy's rule. The gradient of a broadcast operand is summed
/// over the axes that were stretched.
public struct Elementwise: Operation {
  // Functions live for ever, so nobody counts who refers to them.
  public unowned(unsafe) let function: ElementwiseFunction

  public init(_ function: ElementwiseFunction) { self.function = function }

  public var name: String { function.name }
  public var autocast: AutocastClass { function.autocast }

  public func encode(into key: inout PlanKey) {
    key.write(UInt64(UInt(bitPattern: ObjectIdentifier(function))))
  }

  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    guard operands.count == function.arity else {
      throw .shape("takes \(function.arity) operands, got \(operands.count)", remedy: "Pass as many")
    }
    let first = operands[0]
    var (shape, dtype) = (first.shape, first.dtype)
    for index in 1..<max(1, operands.count) {
      let other = operands[index]
      if index == 1, function.hasCondition {
        guard dtype == .bool else {
          throw .dtype("its condition is \(dtype), not bool", remedy: "Compare, or cast with `.cast(to: .bool)`")
        }
        dtype = other.dtype
      }
      guard other.dtype == dtype else {
        throw .dtype("its operands are \(dtype) and \(other.dtype)", remedy: "Cast one to the other's dtype")
      }
      guard let common = Shape.broadcast(shape, other.shape) else {
        throw .shape(
          "shapes \(shape) and \(other.shape) do not broadcast",
          remedy: "Aligned at the last axis, extents must be equal or 1; reshape or transpose one of them")
      }
      shape = common
    }
    let fits =
      switch function.domain {
      case .any: true
      case .numbers: dtype != .bool
      case .floats: dtype.isFloat
      case .logical: !dtype.isFloat
      }
    if !fits { throw .dtype("does not take \(dtype)", remedy: "Cast its operand first, with `.cast(to:)`") }
    return ResultTypes(shape, function.isPredicate ? .bool : dtype)
  }

  public var semantics: Semantics {
    .elementwise { builder, operands, result in function.expression(builder, operands).rounded(to: result) }
  }

  public var gradient: GradientRule {
    guard function.hasGradient else {
      return .none("\(name) is constant almost everywhere or not of floats")
    }
    return .rule { context in
      guard let cotangent = context.cotangents[0] else { return context.operands.map { _ in nil } }
      let operands = context.operands
      if function === ElementwiseFunction.multiply, operands[0] == operands[1] {
        // Of a square: what is doubled is often one value for many elements.
        return [context.isNeeded[0] ? (cotangent + cotangent) * operands[0] : nil, nil]
      }
      return operands.indices.map { index in
        guard context.isNeeded[index], let rule = function.gradients[index] else { return nil }
        return rule(operands, context.results[0], cotangent).summed(to: operands[index].shape)
      }
    }
  }

  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    let rank = operands.indices.map { operands[$0].rank - (isBatched[$0] ? 1 : 0) }.max() ?? 0
    return [
      record(self, operands.indices.map { isBatched[$0] ? operands[$0].withBatchAxis(beforeRank: rank) : operands[$0] })
    ]
  }

  public func cost(_ operands: OperandTypes, _ results: ResultTypes) -> Cost {
    var bytes = results.first.byteCount
    for index in 0..<operands.count { bytes += operands[index].byteCount }
    return Cost(flops: function.flops.multipliedSaturated(by: results.first.shape.count), bytes: bytes)
  }
}

/// Converts to another dtype: floats to integers truncate towards zero and saturate (NaN gives 0),
/// integers wrap, anything to `bool` is `!= 0`. Gradient between floats alone.
public struct Cast: Operation {
  public let dtype: DType

  public init(to dtype: DType) { self.dtype = dtype }

  public var name: String { "cast" }
  public func encode(into key: inout PlanKey) { key.write(dtype) }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    ResultTypes(operands[0].shape, dtype)
  }

  public var semantics: Semantics {
    .elementwise { _, operands, result in operands[0].cast(to: result.computeType).rounded(to: result) }
  }

  public var gradient: GradientRule {
    .rule { context in
      let source = context.operands[0].dtype
      guard let cotangent = context.cotangents[0], source.isFloat, dtype.isFloat else { return [nil] }
      return [cotangent.cast(to: source)]
    }
  }

  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { [record(self, operands)] }
}

extension Value {
  /// Applies `function`; operands have one dtype already.
  static func apply(_ function: ElementwiseFunction, _ a: Value) -> Value {
    record(Elementwise(function), function.autocast == .full ? a.raised : a)
  }
  static func apply(_ function: ElementwiseFunction, _ a: Value, _ b: Value) -> Value {
    record(Elementwise(function), a, b)
  }
  static func apply(_ function: ElementwiseFunction, _ a: Value, _ b: Value, _ c: Value) -> Value {
    record(Elementwise(function), a, b, c)
  }

  /// See ``Cast``.
  public func cast(to dtype: DType) -> Value {
    if self.dtype == dtype || isFailed { return self }
    if let constant = literal { return .constant(constant, dtype) }
    return record(Cast(to: dtype), self)
  }

  /// `self` as a float: integers and bool become float32.
  public var floating: Value { cast(to: dtype.floating) }

  /// Both in the dtype that they promote to; a literal takes the other's.
  static func promoted(_ a: Value, _ b: Value) -> (Value, Value) {
    if a.dtype == b.dtype { return (a, b) }
    if let literal = a.weakLiteral, b.weakLiteral == nil {
      let dtype = b.dtype.meeting(literal)
      return (.constant(literal, dtype), b.cast(to: dtype))
    }
    if let literal = b.weakLiteral, a.weakLiteral == nil {
      let dtype = a.dtype.meeting(literal)
      return (a.cast(to: dtype), .constant(literal, dtype))
    }
    let dtype = DType.promote(a.dtype, b.dtype)
    return (a.cast(to: dtype), b.cast(to: dtype))
  }

  static func binary(_ function: ElementwiseFunction, _ a: Value, _ b: Value) -> Value {
    let (x, y) = promoted(a, b)
    return apply(function, x, y)
  }

  /// Summed over the axes along which `shape` was stretched to this value's shape.
  func summed(to shape: Shape) -> Value {
    if self.shape == shape || isFailed { return self }
    let lead = rank - shape.rank
    let axes = (0..<rank).filter { $0 < lead || (shape[$0 - lead] == 1 && self.shape[$0] != 1) }
    let total = axes.isEmpty ? self : record(Reduce(.sum, axes: axes), self).cast(to: dtype)
    return total.reshaped(to: shape)
  }

  /// With a leading batch axis, and ones behind it so that the rest aligns with operands of `rank`.
  func withBatchAxis(beforeRank rank: Int) -> Value {
    let own = self.rank - 1
    if own == rank { return self }
    return reshaped(to: Shape([shape[0]]) + Shape(repeating: 1, count: rank - own) + shape.suffix(from: 1))
  }
}
