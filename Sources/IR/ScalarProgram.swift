import CajalBase

/// The instructions that scalar expressions are made of: what every backend
/// prints or interprets. The raw values are the kernels' `cj_opcode`.
public enum ScalarOpcode: UInt8, CaseIterable, Hashable, Sendable {
  case constant, cast, round
  case add, subtract, multiply, divide, multiplyAdd, floorDivide, remainder, power
  case maximum, minimum, negate, abs, sign
  case sqrt, rsqrt, exp, expm1, log, log1p, sin, cos, tanh, erf, sigmoid
  case floor, ceil, roundEven
  case equal, notEqual, less, lessEqual, greater, greaterEqual
  case and, or, xor, not
  case select

  public var isComparison: Bool {
    rawValue >= ScalarOpcode.equal.rawValue && rawValue <= ScalarOpcode.greaterEqual.rawValue
  }

  /// Registers read.
  public var arity: Int {
    switch self {
    case .constant: 0
    case .cast, .round, .negate, .abs, .sign, .sqrt, .rsqrt, .exp, .expm1, .log, .log1p, .sin, .cos, .tanh, .erf,
      .sigmoid, .floor, .ceil, .roundEven, .not:
      1
    case .multiplyAdd, .select: 3
    default: 2
    }
  }

  /// Whether every backend gives the same bits: exactly rounded by IEEE 754, or no rounding at all.
  public var isExact: Bool {
    switch self {
    case .power, .rsqrt, .exp, .expm1, .log, .log1p, .sin, .cos, .tanh, .erf, .sigmoid: false
    default: true
    }
  }
}

/// One instruction; registers are numbered by their writer: arguments first.
public struct ScalarInstruction: Hashable, Sendable {
  public var opcode: ScalarOpcode
  /// What the operation computes in (for comparisons and `select`: the operands compared or chosen).
  public var type: ComputeType
  /// The source's compute type of a cast, the dtype of a rounding.
  public var detail: UInt8
  public var a: Int32
  public var b: Int32
  public var c: Int32
  /// The bits of a constant.
  public var immediate: UInt64

  public init(
    opcode: ScalarOpcode, type: ComputeType, detail: UInt8 = 0, a: Int32 = 0, b: Int32 = 0, c: Int32 = 0,
    immediate: UInt64 = 0
  ) {
    self.opcode = opcode
    self.type = type
    self.detail = detail
    self.a = a
    self.b = b
    self.c = c
    self.immediate = immediate
  }

  public var resultType: ComputeType { opcode.isComparison ? .bool : type }
}

/// A straight-line program from argument registers to one result register.
public struct ScalarProgram: Hashable, Sendable {
  public var arguments: [ComputeType]
  public var instructions: [ScalarInstruction]
  public var result: Int32

  public var isExact: Bool { instructions.allSatisfy(\.opcode.isExact) }
}

/// Writes a program by evaluating Swift expressions on ``ScalarExpression``s.
public final class ScalarProgramBuilder {
  public private(set) var arguments: [ComputeType]
  public private(set) var instructions: [ScalarInstruction] = []

  public init(arguments: [ComputeType]) { self.arguments = arguments }

  public func argument(_ index: Int) -> ScalarExpression {
    ScalarExpression(builder: self, register: Int32(index), type: arguments[index])
  }

  func append(_ instruction: ScalarInstruction) -> ScalarExpression {
    instructions.append(instruction)
    return ScalarExpression(
      builder: self, register: Int32(arguments.count + instructions.count - 1), type: instruction.resultType)
  }

  public func constant(_ value: Scalar, _ type: ComputeType) -> ScalarExpression {
    append(ScalarInstruction(opcode: .constant, type: type, immediate: value.bits(as: type.dtype)))
  }

  public func program(_ result: ScalarExpression) -> ScalarProgram {
    ScalarProgram(arguments: arguments, instructions: instructions, result: result.register)
  }
}

extension ComputeType {
  /// The dtype that this type holds exactly.
  public var dtype: DType {
    switch self {
    case .float32: .float32
    case .float64: .float64
    case .int32: .int32
    case .int64: .int64
    case .bool: .bool
    }
  }
}

/// A register of a program under construction, with Swift's operators.
public struct ScalarExpression {
  let builder: ScalarProgramBuilder
  public let register: Int32
  public let type: ComputeType

  public func constant(_ value: Double) -> ScalarExpression { builder.constant(.float(value), type) }

  public func unary(_ opcode: ScalarOpcode) -> ScalarExpression {
    builder.append(ScalarInstruction(opcode: opcode, type: type, a: register))
  }

  public func binary(_ opcode: ScalarOpcode, _ other: ScalarExpression) -> ScalarExpression {
    builder.append(ScalarInstruction(opcode: opcode, type: type, a: register, b: other.register))
  }

  /// Converted as `CJ_CAST` says: floats to integers truncate and saturate, to bool is `!= 0`.
  public func cast(to target: ComputeType) -> ScalarExpression {
    if target == type { return self }
    return builder.append(ScalarInstruction(opcode: .cast, type: target, detail: type.rawValue, a: register))
  }

  /// Brought to the precision of `dtype`, without leaving the compute type.
  public func rounded(to dtype: DType) -> ScalarExpression {
    guard dtype.narrowsComputeType else { return self }
    return builder.append(ScalarInstruction(opcode: .round, type: type, detail: dtype.rawValue, a: register))
  }

  /// `self ? first : second`, for a bool register.
  public func select(_ first: ScalarExpression, _ second: ScalarExpression) -> ScalarExpression {
    builder.append(
      ScalarInstruction(opcode: .select, type: first.type, a: register, b: first.register, c: second.register))
  }

  public static func + (a: Self, b: Self) -> Self { a.binary(.add, b) }
  public static func - (a: Self, b: Self) -> Self { a.binary(.subtract, b) }
  public static func * (a: Self, b: Self) -> Self { a.binary(.multiply, b) }
  public static func / (a: Self, b: Self) -> Self { a.binary(.divide, b) }
  public static prefix func - (a: Self) -> Self { a.unary(.negate) }
  public static func + (a: Double, b: Self) -> Self { b.constant(a) + b }
  public static func + (a: Self, b: Double) -> Self { a + a.constant(b) }
  public static func - (a: Double, b: Self) -> Self { b.constant(a) - b }
  public static func - (a: Self, b: Double) -> Self { a - a.constant(b) }
  public static func * (a: Double, b: Self) -> Self { b.constant(a) * b }
  public static func * (a: Self, b: Double) -> Self { a * a.constant(b) }
  public static func / (a: Double, b: Self) -> Self { b.constant(a) / b }
  public static func / (a: Self, b: Double) -> Self { a / a.constant(b) }
}

extension ScalarExpression {
  public func ternary(_ opcode: ScalarOpcode, _ second: ScalarExpression, _ third: ScalarExpression) -> ScalarExpression
  {
    builder.append(
      ScalarInstruction(opcode: opcode, type: type, a: register, b: second.register, c: third.register))
  }
}
