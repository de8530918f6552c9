import CajalBase
import CajalIR

// Arithmetic, comparison, logic and choice.

extension ElementwiseFunction {
  public static let add = ElementwiseFunction(
    "add", arity: 2, .numbers, gradients: [{ _, _, g in g }, { _, _, g in g }]
  ) { _, x in x[0] + x[1] }

  public static let subtract = ElementwiseFunction(
    "subtract", arity: 2, .numbers, gradients: [{ _, _, g in g }, { x, _, g in -g.summed(to: x[1].shape) }]
  ) { _, x in x[0] - x[1] }

  public static let multiply = ElementwiseFunction(
    "multiply", arity: 2, .numbers, gradients: [{ x, _, g in g * x[1] }, { x, _, g in g * x[0] }]
  ) { _, x in x[0] * x[1] }

  public static let divide = ElementwiseFunction(
    "divide", arity: 2, .floats, gradients: [{ x, _, g in g / x[1] }, { x, y, g in -(g / x[1] * y) }]
  ) { _, x in x[0] / x[1] }

  /// round(round(a·b) + c): made by the compiler from a product and a sum, with the bits of both.
  public static let multiplyAdd = ElementwiseFunction(
    "multiplyAdd", arity: 3, .numbers, flops: ScalarOpcode.multiplyAdd.flops,
    gradients: [{ x, _, g in g * x[1] }, { x, _, g in g * x[0] }, { _, _, g in g }]
  ) { builder, x in builder.multiplyAdd(x[0], x[1], x[2]) }

  /// ⌊a / b⌋; integers divided by zero give 0.
  public static let floorDivide = ElementwiseFunction("floorDivide", arity: 2, .numbers) { _, x in
    x[0].binary(.floorDivide, x[1])
  }

  /// a − ⌊a / b⌋·b, with the sign of b, as Python's `%`; integers by zero give 0.
  public static let remainder = ElementwiseFunction(
    "remainder", arity: 2, .numbers,
    gradients: [{ _, _, g in g }, { x, _, g in -(g * Value.binary(.floorDivide, x[0], x[1])) }]
  ) { _, x in x[0].binary(.remainder, x[1]) }

  /// aᵇ. The gradient by a is 0 where b is 0; that by b is 0 where a is 0.
  public static let power = ElementwiseFunction(
    "power", arity: 2, .numbers, flops: ScalarOpcode.power.flops, autocast: .full,
    gradients: [
      { x, _, g in g * Value.select(x[1].equals(0), x[1].zerosLike, x[1] * Value.power(x[0], x[1] - 1)) },
      { x, y, g in
        g * Value.select(x[0].equals(0), x[0].zerosLike, y * Value.select(x[0].equals(0), x[0].onesLike, x[0]).log())
      },
    ]
  ) { _, x in x[0].binary(.power, x[1]) }

  /// The larger; NaN if either is. Ties share the gradient equally.
  public static let maximum = ElementwiseFunction(
    "maximum", arity: 2, .any,
    gradients: [{ x, _, g in g * share(x[0], over: x[1]) }, { x, _, g in g * share(x[1], over: x[0]) }]
  ) { _, x in x[0].binary(.maximum, x[1]) }

  /// The smaller; NaN if either is. Ties share the gradient equally.
  public static let minimum = ElementwiseFunction(
    "minimum", arity: 2, .any,
    gradients: [{ x, _, g in g * share(x[1], over: x[0]) }, { x, _, g in g * share(x[0], over: x[1]) }]
  ) { _, x in x[0].binary(.minimum, x[1]) }

  /// 1 where a > b, ½ where they are equal, 0 elsewhere.
  private static func share(_ a: Value, over b: Value) -> Value {
    let dtype = a.dtype
    return ((a > b).cast(to: dtype) + (a >= b).cast(to: dtype)) * 0.5
  }

  public static let negate = ElementwiseFunction("negate", arity: 1, .numbers, gradients: [{ _, _, g in -g }]) { _, x in
    -x[0]
  }

  /// |x|; gradient 0 at 0.
  public static let abs = ElementwiseFunction("abs", arity: 1, .numbers, gradients: [{ x, _, g in g * x[0].sign() }]) {
    _, x in x[0].unary(.abs)
  }

  /// −1, 0 or 1; NaN stays.
  public static let sign = ElementwiseFunction("sign", arity: 1, .numbers) { _, x in x[0].unary(.sign) }

  public static let equal = comparison("equal", .equal, .any)
  public static let notEqual = comparison("notEqual", .notEqual, .any)
  public static let less = comparison("less", .less, .any)
  public static let lessEqual = comparison("lessEqual", .lessEqual, .any)
  public static let greater = comparison("greater", .greater, .any)
  public static let greaterEqual = comparison("greaterEqual", .greaterEqual, .any)

  private static func comparison(_ name: String, _ opcode: ScalarOpcode, _ domain: Domain) -> ElementwiseFunction {
    ElementwiseFunction(name, arity: 2, domain, isPredicate: true) { _, x in x[0].binary(opcode, x[1]) }
  }

  /// Logical on `bool`, bit by bit on integers.
  public static let and = ElementwiseFunction("and", arity: 2, .logical) { _, x in x[0].binary(.and, x[1]) }
  public static let or = ElementwiseFunction("or", arity: 2, .logical) { _, x in x[0].binary(.or, x[1]) }
  public static let xor = ElementwiseFunction("xor", arity: 2, .logical) { _, x in x[0].binary(.xor, x[1]) }
  public static let not = ElementwiseFunction("not", arity: 1, .logical) { _, x in x[0].unary(.not) }

  /// `condition ? a : b`.
  public static let select = ElementwiseFunction(
    "select", arity: 3, .any, hasCondition: true,
    gradients: [
      nil, { x, _, g in Value.select(x[0], g, g.zerosLike) }, { x, _, g in Value.select(x[0], g.zerosLike, g) },
    ]
  ) { _, x in x[0].select(x[1], x[2]) }

  static let arithmetic = [
    add, subtract, multiply, divide, multiplyAdd, floorDivide, remainder, power, maximum, minimum, negate, abs, sign,
    equal, notEqual, less, lessEqual, greater, greaterEqual, and, or, xor, not, select,
  ]
}

extension ScalarProgramBuilder {
  /// round(round(a·b) + c).
  public func multiplyAdd(_ a: ScalarExpression, _ b: ScalarExpression, _ c: ScalarExpression) -> ScalarExpression {
    a.ternary(.multiplyAdd, b, c)
  }
}

// MARK: Recording

extension Value {
  public static func + (a: Value, b: Value) -> Value { arithmetic(.add, a, b) }
  public static func - (a: Value, b: Value) -> Value { arithmetic(.subtract, a, b) }
  public static func * (a: Value, b: Value) -> Value { arithmetic(.multiply, a, b) }
  public static prefix func - (a: Value) -> Value { apply(.negate, a.number) }

  /// True division: integers become float32.
  public static func / (a: Value, b: Value) -> Value {
    let (x, y) = promoted(a, b)
    return apply(.divide, x.floating, y.floating)
  }

  /// `bool` counts as int64 in arithmetic.
  private static func arithmetic(_ function: ElementwiseFunction, _ a: Value, _ b: Value) -> Value {
    if a.dtype == b.dtype, a.dtype != .bool { return apply(function, a, b) }
    let (x, y) = promoted(a, b)
    return apply(function, x.number, y.number)
  }

  /// `bool` as int64, the rest as it is.
  public var number: Value { dtype == .bool ? cast(to: .int64) : self }

  public static func floorDivide(_ a: Value, _ b: Value) -> Value { arithmetic(.floorDivide, a, b) }
  public static func remainder(_ a: Value, _ b: Value) -> Value { arithmetic(.remainder, a, b) }
  public static func power(_ a: Value, _ b: Value) -> Value {
    // A literal 2 is a square, on every device the same bits as the product.
    if b.literal == .integer(2) || b.literal == .float(2), b.rank == 0, a.dtype.isFloat,
      b.dtype == a.dtype || b.weakLiteral != nil
    {
      return a * a
    }
    return arithmetic(.power, a, b)
  }
  public static func maximum(_ a: Value, _ b: Value) -> Value { binary(.maximum, a, b) }
  public static func minimum(_ a: Value, _ b: Value) -> Value { binary(.minimum, a, b) }

  public func abs() -> Value { dtype == .bool ? self : .apply(.abs, self) }
  public func sign() -> Value { .apply(.sign, number) }

  // `==` of values says whether they are the same node.
  public static func equal(_ a: Value, _ b: Value) -> Value { binary(.equal, a, b) }
  public static func notEqual(_ a: Value, _ b: Value) -> Value { binary(.notEqual, a, b) }
  func equals(_ number: Double) -> Value { .equal(self, literal(number)) }
  public static func < (a: Value, b: Value) -> Value { binary(.less, a, b) }
  public static func <= (a: Value, b: Value) -> Value { binary(.lessEqual, a, b) }
  public static func > (a: Value, b: Value) -> Value { binary(.greater, a, b) }
  public static func >= (a: Value, b: Value) -> Value { binary(.greaterEqual, a, b) }

  public static func & (a: Value, b: Value) -> Value { binary(.and, a, b) }
  public static func | (a: Value, b: Value) -> Value { binary(.or, a, b) }
  public static func ^ (a: Value, b: Value) -> Value { binary(.xor, a, b) }
  public static prefix func ! (a: Value) -> Value { apply(.not, a) }

  /// `condition ? a : b`, all three broadcast.
  public static func select(_ condition: Value, _ a: Value, _ b: Value) -> Value {
    let (x, y) = promoted(a, b)
    return apply(.select, condition.cast(to: .bool), x, y)
  }

  // A number in a rule is structure: it becomes a literal of the value's dtype.
  package static func + (a: Value, b: Double) -> Value { a + a.literal(b) }
  package static func - (a: Value, b: Double) -> Value { a - a.literal(b) }
  package static func * (a: Value, b: Double) -> Value { a * a.literal(b) }
  package static func / (a: Value, b: Double) -> Value { a / a.literal(b) }
  package static func + (a: Double, b: Value) -> Value { b.literal(a) + b }
  package static func - (a: Double, b: Value) -> Value { b.literal(a) - b }
  package static func * (a: Double, b: Value) -> Value { b.literal(a) * b }
  package static func / (a: Double, b: Value) -> Value { b.literal(a) / b }
  package static func < (a: Value, b: Double) -> Value { a < a.literal(b) }
  package static func > (a: Value, b: Double) -> Value { a > a.literal(b) }
  static func >= (a: Value, b: Double) -> Value { a >= a.literal(b) }

  /// A literal of this value's dtype.
  func literal(_ number: Double) -> Value { .constant(.float(number), dtype) }
}
