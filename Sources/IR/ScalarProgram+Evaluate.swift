import CajalBase
import Foundation

// The meaning of scalar programs: one element at a time, in plain Swift. float32
// instructions are computed in double and rounded, which for + − × ÷ and √ is the
// exactly rounded float32 result (double has more than 2·24 + 2 bits).

extension ScalarProgram {
  /// The program's value on `arguments`, whose cases match the argument types.
  public func evaluate(_ arguments: [Scalar]) -> Scalar {
    var registers = arguments
    registers.reserveCapacity(arguments.count + instructions.count)
    for instruction in instructions { registers.append(instruction.evaluate(registers)) }
    return registers[Int(result)]
  }
}

extension ScalarInstruction {
  func evaluate(_ registers: [Scalar]) -> Scalar {
    switch opcode {
    case .constant: return Scalar(bits: immediate, dtype: type.dtype)
    case .cast, .round: return evaluateConversion(registers[Int(a)])
    case .select: return registers[Int(a)].int64 != 0 ? registers[Int(b)] : registers[Int(c)]
    default: break
    }
    let x = registers[Int(a)]
    let y = opcode.arity > 1 ? registers[Int(b)] : x
    if opcode.isComparison { return .bool(compare(x, y)) }
    switch type {
    case .float32:
      return .float(
        Double(Float(evaluateFloat(x.double, y.double, z: opcode.arity > 2 ? registers[Int(c)].double : 0))))
    case .float64:
      return .float(evaluateFloat(x.double, y.double, z: opcode.arity > 2 ? registers[Int(c)].double : 0))
    case .int32:
      let value = evaluateInteger(x.int64, y.int64, z: opcode.arity > 2 ? registers[Int(c)].int64 : 0)
      return .integer(Int64(Int32(truncatingIfNeeded: value)))
    case .int64:
      return .integer(evaluateInteger(x.int64, y.int64, z: opcode.arity > 2 ? registers[Int(c)].int64 : 0))
    case .bool:
      return .bool(evaluateLogic(x.int64 != 0, y.int64 != 0))
    }
  }

  private func evaluateConversion(_ x: Scalar) -> Scalar {
    if opcode == .round { return x.rounded(to: DType(rawValue: detail) ?? .float32) }
    switch type {
    case .float32: return .float(Double(x.float32))
    case .float64: return .float(x.double)
    case .int32: return .integer(x.int32)
    case .int64: return .integer(x.int64)
    case .bool: return .bool(x.double != 0)
    }
  }

  private func compare(_ x: Scalar, _ y: Scalar) -> Bool {
    if type.isFloat { return ordered(x.double, y.double) }
    return ordered(x.int64, y.int64)
  }

  private func ordered<T: Comparable>(_ x: T, _ y: T) -> Bool {
    switch opcode {
    case .equal: x == y
    case .notEqual: x != y
    case .less: x < y
    case .lessEqual: x <= y
    case .greater: x > y
    default: x >= y
    }
  }

  private func evaluateLogic(_ x: Bool, _ y: Bool) -> Bool {
    switch opcode {
    case .and, .minimum, .multiply: x && y
    case .or, .maximum, .add: x || y
    case .xor: x != y
    default: !x
    }
  }

  private func evaluateFloat(_ x: Double, _ y: Double, z: Double) -> Double {
    switch opcode {
    case .add: return x + y
    case .subtract: return x - y
    case .multiply: return x * y
    case .divide: return x / y
    case .multiplyAdd: return type == .float32 ? Double(Float(x * y)) + z : x * y + z
    case .floorDivide: return type == .float32 ? Double(Float(x / y)).rounded(.down) : (x / y).rounded(.down)
    case .remainder: return floatRemainder(x, y)
    case .power: return type == .float32 ? Double(Float(pow(x, y))) : pow(x, y)
    // Of two zeros the second, as the kernels' comparisons choose.
    case .maximum: return x.isNaN || y.isNaN ? .nan : (x > y ? x : y)
    case .minimum: return x.isNaN || y.isNaN ? .nan : (x < y ? x : y)
    default: return evaluateUnary(x)
    }
  }

  private func evaluateUnary(_ x: Double) -> Double {
    switch opcode {
    case .negate: -x
    case .abs: Swift.abs(x)
    case .sign: x.isNaN ? x : (x > 0 ? 1 : (x < 0 ? -1 : 0))
    case .sqrt: x.squareRoot()
    case .rsqrt: 1 / x.squareRoot()
    case .exp: Foundation.exp(x)
    case .expm1: Foundation.expm1(x)
    case .log: Foundation.log(x)
    case .log1p: Foundation.log1p(x)
    case .sin: Foundation.sin(x)
    case .cos: Foundation.cos(x)
    case .tanh: Foundation.tanh(x)
    case .erf: Foundation.erf(x)
    case .sigmoid: x >= 0 ? 1 / (1 + Foundation.exp(-x)) : Foundation.exp(x) / (1 + Foundation.exp(x))
    case .floor: x.rounded(.down)
    case .ceil: x.rounded(.up)
    case .roundEven: x.rounded(.toNearestOrEven)
    default: .nan
    }
  }

  /// Python's `%`: the sign of the divisor, zeros included.
  private func floatRemainder(_ x: Double, _ y: Double) -> Double {
    let remainder = fmod(x, y)
    if remainder == 0 { return y.sign == .minus ? -0.0 : 0 }
    return (remainder < 0) != (y < 0) ? remainder + y : remainder
  }

  private func evaluateInteger(_ x: Int64, _ y: Int64, z: Int64) -> Int64 {
    switch opcode {
    case .add: return x &+ y
    case .subtract: return x &- y
    case .multiply: return x &* y
    case .multiplyAdd: return x &* y &+ z
    case .floorDivide: return floorDivide(x, y)
    case .remainder: return y == 0 ? 0 : x &- floorDivide(x, y) &* y
    case .power: return integerPower(x, y)
    case .maximum: return Swift.max(x, y)
    case .minimum: return Swift.min(x, y)
    case .negate: return 0 &- x
    case .abs: return x < 0 ? 0 &- x : x
    case .sign: return x.signum()
    case .and: return x & y
    case .or: return x | y
    case .xor: return x ^ y
    case .not: return ~x
    default: return 0
    }
  }

  private func floorDivide(_ x: Int64, _ y: Int64) -> Int64 {
    if y == 0 { return 0 }
    if y == -1 { return 0 &- x }
    let quotient = x / y
    return x % y != 0 && (x < 0) != (y < 0) ? quotient - 1 : quotient
  }

  private func integerPower(_ base: Int64, _ exponent: Int64) -> Int64 {
    if exponent < 0 { return base == 1 ? 1 : (base == -1 ? (exponent & 1 == 0 ? 1 : -1) : 0) }
    var result: Int64 = 1
    var square = base
    var remaining = exponent
    while remaining > 0 {
      if remaining & 1 == 1 { result = result &* square }
      square = square &* square
      remaining >>= 1
    }
    return result
  }
}

extension Scalar {
  /// Integers go to float32 in one rounding, as the kernels' conversions do.
  fileprivate var float32: Float {
    switch self {
    case .integer(let value): Float(value)
    case .float(let value): Float(value)
    case .bool(let value): value ? 1 : 0
    }
  }

  fileprivate var int32: Int64 {
    switch self {
    case .float(let value): Int64(Int32(saturating: value))
    default: Int64(Int32(truncatingIfNeeded: int64))
    }
  }
}
