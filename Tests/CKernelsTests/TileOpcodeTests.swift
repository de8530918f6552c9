import CajalCKernels
import Foundation
import Testing

extension CKernels {
  /// Every opcode and type against scalar Swift.
  @Suite struct TileOpcodes {
    static let floatValues: [Double] = [
      0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3, -3, 7.25, 1e10, -1e10, 1e-40, 3e38, .infinity, -.infinity, .nan,
    ]
    static let integerValues: [Int64] = [0, 1, -1, 2, -2, 3, 5, -7, 100, -128, 255, 40000, -70000, .max, .min, 1 << 31]

    /// All pairs of the special values, then random ones, to an awkward length.
    func pairs<T>(_ values: [T], _ random: () -> T) -> ([T], [T]) {
      var a: [T] = []
      var b: [T] = []
      for x in values {
        for y in values {
          a.append(x)
          b.append(y)
        }
      }
      for _ in 0..<1701 {
        a.append(random())
        b.append(random())
      }
      return (a, b)
    }

    func same<F: BinaryFloatingPoint & BitwiseCopyable>(_ x: F, _ y: F) -> Bool {
      x.isNaN ? y.isNaN : x == y && (x != 0 || x.sign == y.sign)
    }

    func checkFloats<F: BinaryFloatingPoint & BitwiseCopyable>(
      _ type: cj_type, _ dtype: cj_dtype, _ level: String, _: F.Type
    ) {
      var draws = Draws(4)
      let (a, b) = pairs(Self.floatValues.map { F($0) }) { F(draws.uniform() * pow(10, Double(draws.below(6)))) }
      let c = a.reversed() as [F]
      let n = a.count
      func operand(_ x: [F]) -> Operand { Operand(dtype, x, strides: [1]) }
      func unary(_ op: cj_opcode, _ f: (F) -> F) {
        let got = runOne(op, type, extents: [n], [operand(a)], out: dtype).values(F.self)
        let wrong = (0..<n).first { !same(got[$0], f(a[$0])) }
        #expect(wrong == nil, "\(level) \(op) of \(wrong.map { "\(a[$0]) gave \(got[$0])" } ?? "")")
      }
      func binary(_ op: cj_opcode, _ f: (F, F) -> F) {
        let got = runOne(op, type, extents: [n], [operand(a), operand(b)], out: dtype).values(F.self)
        let wrong = (0..<n).first { !same(got[$0], f(a[$0], b[$0])) }
        #expect(wrong == nil, "\(level) \(op) of \(wrong.map { "\(a[$0]), \(b[$0]) gave \(got[$0])" } ?? "")")
      }
      func comparison(_ op: cj_opcode, _ f: (F, F) -> Bool) {
        let got = runOne(op, type, extents: [n], [operand(a), operand(b)], out: CJ_BOOL)
        #expect(got == (0..<n).map { f(a[$0], b[$0]) ? 1 : 0 }, "\(level) \(op)")
      }
      binary(CJ_ADD) { $0 + $1 }
      binary(CJ_SUBTRACT) { $0 - $1 }
      binary(CJ_MULTIPLY) { $0 * $1 }
      binary(CJ_DIVIDE) { $0 / $1 }
      binary(CJ_FLOOR_DIVIDE) { ($0 / $1).rounded(.down) }
      binary(CJ_REMAINDER) { x, y in
        let rest = x.truncatingRemainder(dividingBy: y)
        if rest == 0 { return F(signOf: y, magnitudeOf: 0) }
        return (rest < 0) != (y < 0) ? rest + y : rest
      }
      binary(CJ_MAXIMUM) { x, y in x.isNaN || y.isNaN ? .nan : x > y ? x : y }  // of two zeros the second
      binary(CJ_MINIMUM) { x, y in x.isNaN || y.isNaN ? .nan : x < y ? x : y }
      unary(CJ_NEGATE) { -$0 }
      unary(CJ_ABS) { abs($0) }
      unary(CJ_SIGN) { $0.isNaN ? .nan : $0 > 0 ? 1 : $0 < 0 ? -1 : 0 }
      unary(CJ_SQRT) { $0.squareRoot() }
      unary(CJ_RSQRT) { 1 / $0.squareRoot() }
      unary(CJ_FLOOR) { $0.rounded(.down) }
      unary(CJ_CEIL) { $0.rounded(.up) }
      unary(CJ_ROUND_EVEN) { $0.rounded(.toNearestOrEven) }
      comparison(CJ_EQUAL) { $0 == $1 }
      comparison(CJ_NOT_EQUAL) { $0 != $1 }
      comparison(CJ_LESS) { $0 < $1 }
      comparison(CJ_LESS_EQUAL) { $0 <= $1 }
      comparison(CJ_GREATER) { $0 > $1 }
      comparison(CJ_GREATER_EQUAL) { $0 >= $1 }
      let sums = runOne(
        CJ_MULTIPLY_ADD, type, extents: [n], [operand(a), operand(b), operand(c)], out: dtype
      ).values(F.self)
      #expect((0..<n).allSatisfy { same(sums[$0], a[$0] * b[$0] + c[$0]) }, "\(level) two roundings")
      let mask = (0..<n).map { UInt8($0 % 3 == 0 ? 1 : 0) }
      let selected = runOne(
        CJ_SELECT, type, extents: [n], [Operand(CJ_BOOL, mask, strides: [1]), operand(a), operand(b)], out: dtype
      ).values(F.self)
      #expect((0..<n).allSatisfy { same(selected[$0], mask[$0] == 1 ? a[$0] : b[$0]) }, "\(level) select")
    }

    func checkIntegers<I: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
      _ type: cj_type, _ dtype: cj_dtype, _ level: String, _: I.Type
    ) {
      var draws = Draws(5)
      let (a, b) = pairs(Self.integerValues.map { I(truncatingIfNeeded: $0) } + [I.min, I.max]) {
        I(truncatingIfNeeded: Int64(draws.below(2001)) - 1000)
      }
      let c = a.reversed() as [I]
      let n = a.count
      func operand(_ x: [I]) -> Operand { Operand(dtype, x, strides: [1]) }
      func unary(_ op: cj_opcode, _ f: (I) -> I) {
        #expect(runOne(op, type, extents: [n], [operand(a)], out: dtype).values(I.self) == a.map(f), "\(level) \(op)")
      }
      func binary(_ op: cj_opcode, _ f: (I, I) -> I) {
        let got = runOne(op, type, extents: [n], [operand(a), operand(b)], out: dtype).values(I.self)
        #expect(got == zip(a, b).map(f), "\(level) \(op)")
      }
      func comparison(_ op: cj_opcode, _ f: (I, I) -> Bool) {
        let got = runOne(op, type, extents: [n], [operand(a), operand(b)], out: CJ_BOOL)
        #expect(got == zip(a, b).map { f($0, $1) ? 1 : 0 }, "\(level) \(op)")
      }
      func remainder(_ x: I, _ y: I) -> I {
        if y == 0 || y == -1 { return 0 }
        let rest = x % y
        return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest
      }
      binary(CJ_ADD) { $0 &+ $1 }
      binary(CJ_SUBTRACT) { $0 &- $1 }
      binary(CJ_MULTIPLY) { $0 &* $1 }
      binary(CJ_REMAINDER, remainder)
      binary(CJ_FLOOR_DIVIDE) { x, y in
        y == 0 ? 0 : y == -1 ? 0 &- x : x / y - (x % y != 0 && (x < 0) != (y < 0) ? 1 : 0)
      }
      binary(CJ_POWER) { base, exponent in
        if exponent < 0 { return base == 1 ? 1 : base == -1 ? (exponent & 1 == 0 ? 1 : -1) : 0 }
        var result: I = 1
        var square = base
        var rest = exponent
        while rest > 0 {
          if rest & 1 == 1 { result = result &* square }
          square = square &* square
          rest >>= 1
        }
        return result
      }
      binary(CJ_MAXIMUM) { max($0, $1) }
      binary(CJ_MINIMUM) { min($0, $1) }
      binary(CJ_AND) { $0 & $1 }
      binary(CJ_OR) { $0 | $1 }
      binary(CJ_XOR) { $0 ^ $1 }
      unary(CJ_NOT) { ~$0 }
      unary(CJ_NEGATE) { 0 &- $0 }
      unary(CJ_ABS) { $0 < 0 ? 0 &- $0 : $0 }
      unary(CJ_SIGN) { $0.signum() }
      comparison(CJ_EQUAL, ==)
      comparison(CJ_NOT_EQUAL, !=)
      comparison(CJ_LESS, <)
      comparison(CJ_LESS_EQUAL, <=)
      comparison(CJ_GREATER, >)
      comparison(CJ_GREATER_EQUAL, >=)
      let sums = runOne(CJ_MULTIPLY_ADD, type, extents: [n], [operand(a), operand(b), operand(c)], out: dtype)
      #expect(sums.values(I.self) == (0..<n).map { a[$0] &* b[$0] &+ c[$0] })
      let mask = (0..<n).map { UInt8($0 % 3 == 0 ? 1 : 0) }
      let selected = runOne(
        CJ_SELECT, type, extents: [n], [Operand(CJ_BOOL, mask, strides: [1]), operand(a), operand(b)], out: dtype)
      #expect(selected.values(I.self) == (0..<n).map { mask[$0] == 1 ? a[$0] : b[$0] })
    }

    @Test func floatOpcodesMatchScalars() {
      atEveryLevel { level in
        checkFloats(CJ_F32, CJ_FLOAT32, level, Float.self)
        checkFloats(CJ_F64, CJ_FLOAT64, level, Double.self)
      }
    }

    @Test func integerOpcodesMatchScalars() {
      atEveryLevel { level in
        checkIntegers(CJ_I32, CJ_INT32, level, Int32.self)
        checkIntegers(CJ_I64, CJ_INT64, level, Int64.self)
      }
    }

    @Test func boolOpcodesMatchTheirTables() {
      atEveryLevel { level in
        let n = 131
        let a = (0..<n).map { UInt8($0 & 1) }
        let b = (0..<n).map { UInt8($0 >> 1 & 1) }
        let c = (0..<n).map { UInt8($0 >> 2 & 1) }
        func run(_ op: cj_opcode, _ operands: [[UInt8]]) -> [UInt8] {
          runOne(op, CJ_B8, extents: [n], operands.map { Operand(CJ_BOOL, $0, strides: [1]) }, out: CJ_BOOL)
        }
        func expect(_ op: cj_opcode, _ f: (UInt8, UInt8) -> UInt8) {
          #expect(run(op, [a, b]) == zip(a, b).map(f), "\(level) \(op)")
        }
        expect(CJ_AND, &)
        expect(CJ_OR, |)
        expect(CJ_XOR, ^)
        expect(CJ_ADD, |)
        expect(CJ_MULTIPLY, &)
        expect(CJ_MAXIMUM, |)
        expect(CJ_MINIMUM, &)
        expect(CJ_EQUAL) { $0 == $1 ? 1 : 0 }
        expect(CJ_NOT_EQUAL, ^)
        expect(CJ_LESS) { $0 < $1 ? 1 : 0 }
        expect(CJ_LESS_EQUAL) { $0 <= $1 ? 1 : 0 }
        expect(CJ_GREATER) { $0 > $1 ? 1 : 0 }
        expect(CJ_GREATER_EQUAL) { $0 >= $1 ? 1 : 0 }
        #expect(run(CJ_NOT, [a]) == a.map { 1 - $0 })
        #expect(run(CJ_SELECT, [a, b, c]) == (0..<n).map { a[$0] == 1 ? b[$0] : c[$0] })
      }
    }

    @Test func castsTruncateSaturateAndWrap() {
      atEveryLevel { level in
        var draws = Draws(6)
        let doubles =
          Self.floatValues + [2_147_483_647, 2_147_483_648, -2_147_483_648, -2_147_483_649, 9.3e18, -9.3e18]
          + (0..<1000).map { _ in draws.uniform() * 1e12 }
        let floats = doubles.map { Float($0) }
        let integers = Self.integerValues + (0..<1000).map { _ in Int64(bitPattern: draws.bits()) }
        func clamp<I: FixedWidthInteger>(_ x: Double, _: I.Type) -> I {
          x.isNaN ? 0 : I(exactly: x.rounded(.towardZero)) ?? (x < 0 ? I.min : I.max)
        }
        func cast<T: BitwiseCopyable, R: Equatable & BitwiseCopyable>(
          _ from: cj_dtype, _ to: cj_dtype, _ values: [T], _ f: (T) -> R
        ) {
          let got = runOne(
            CJ_CAST, computeType(to), aux: Int(computeType(from).rawValue), extents: [values.count],
            [Operand(from, values, strides: [1])], out: to
          ).values(R.self)
          let wrong = values.indices.first { got[$0] != f(values[$0]) && f(values[$0]) == f(values[$0]) }
          #expect(wrong == nil, "\(level) \(from) \(to) \(wrong.map { "\(values[$0]) gave \(got[$0])" } ?? "")")
        }
        cast(CJ_FLOAT32, CJ_INT32, floats) { clamp(Double($0), Int32.self) }
        cast(CJ_FLOAT32, CJ_INT64, floats) { clamp(Double($0), Int64.self) }
        cast(CJ_FLOAT32, CJ_FLOAT64, floats) { Double($0) }
        cast(CJ_FLOAT32, CJ_BOOL, floats) { UInt8($0 != 0 ? 1 : 0) }
        cast(CJ_FLOAT64, CJ_INT32, doubles) { clamp($0, Int32.self) }
        cast(CJ_FLOAT64, CJ_INT64, doubles) { clamp($0, Int64.self) }
        cast(CJ_FLOAT64, CJ_FLOAT32, doubles) { Float($0) }
        cast(CJ_FLOAT64, CJ_BOOL, doubles) { UInt8($0 != 0 ? 1 : 0) }
        cast(CJ_INT64, CJ_INT32, integers) { Int32(truncatingIfNeeded: $0) }
        cast(CJ_INT64, CJ_FLOAT32, integers) { Float($0) }
        cast(CJ_INT64, CJ_FLOAT64, integers) { Double($0) }
        cast(CJ_INT64, CJ_BOOL, integers) { UInt8($0 != 0 ? 1 : 0) }
        let words = integers.map { Int32(truncatingIfNeeded: $0) }
        cast(CJ_INT32, CJ_INT64, words) { Int64($0) }
        cast(CJ_INT32, CJ_FLOAT32, words) { Float($0) }
        cast(CJ_INT32, CJ_FLOAT64, words) { Double($0) }
        cast(CJ_INT32, CJ_BOOL, words) { UInt8($0 != 0 ? 1 : 0) }
        let bools = words.indices.map { UInt8($0 % 2) }
        cast(CJ_BOOL, CJ_FLOAT32, bools) { Float($0) }
        cast(CJ_BOOL, CJ_FLOAT64, bools) { Double($0) }
        cast(CJ_BOOL, CJ_INT32, bools) { Int32($0) }
        cast(CJ_BOOL, CJ_INT64, bools) { Int64($0) }
      }
    }

    @Test func narrowDtypesWidenInLoadsAndRoundInStores() {
      atEveryLevel { level in
        var draws = Draws(7)
        let floats = Self.floatValues.map { Float($0) } + draws.floats(1000) + [65519, 65520, 1e-7, 3e-8]
        func copy<T: BitwiseCopyable, R: BitwiseCopyable>(_ from: cj_dtype, _ to: cj_dtype, _ values: [T], _: R.Type)
          -> [R]
        {
          var slots = [values.bytes(), [UInt8](repeating: 0, count: values.count * elementBytes(to))]
          runGroup(
            [values.count], loads: [access(0, from, 0, strides: [1])], stores: [access(1, to, 0, strides: [1])],
            registers: 1, [], slots: &slots)
          return slots[1].values(R.self)
        }
        func rounded(_ aux: cj_dtype) -> [Float] {
          runOne(
            CJ_ROUND, CJ_F32, aux: Int(aux.rawValue), extents: [floats.count],
            [Operand(CJ_FLOAT32, floats, strides: [1])],
            out: CJ_FLOAT32
          ).values(Float.self)
        }
        let halves = copy(CJ_FLOAT32, CJ_FLOAT16, floats, UInt16.self)
        let brains = copy(CJ_FLOAT32, CJ_BFLOAT16, floats, UInt16.self)
        for i in floats.indices where !floats[i].isNaN {
          #expect(halves[i] == cj_float_to_half(floats[i]), "\(level) \(floats[i])")
          let bits = floats[i].bitPattern
          #expect(brains[i] == UInt16(truncatingIfNeeded: (bits + 0x7fff + (bits >> 16 & 1)) >> 16), "\(level)")
        }
        #expect(zip(copy(CJ_FLOAT16, CJ_FLOAT32, halves, Float.self), rounded(CJ_FLOAT16)).allSatisfy { same($0, $1) })
        #expect(
          zip(copy(CJ_BFLOAT16, CJ_FLOAT32, brains, Float.self), rounded(CJ_BFLOAT16)).allSatisfy { same($0, $1) })
        let words =
          Self.integerValues.map { Int32(truncatingIfNeeded: $0) } + (0..<500).map { Int32($0 * 977 - 200_000) }
        #expect(copy(CJ_INT32, CJ_INT8, words, Int8.self) == words.map { Int8(truncatingIfNeeded: $0) })
        #expect(copy(CJ_INT32, CJ_UINT8, words, UInt8.self) == words.map { UInt8(truncatingIfNeeded: $0) })
        #expect(copy(CJ_INT32, CJ_INT16, words, Int16.self) == words.map { Int16(truncatingIfNeeded: $0) })
        let small = words.map { Int8(truncatingIfNeeded: $0) }
        let plain = words.map { UInt8(truncatingIfNeeded: $0) }
        let short = words.map { Int16(truncatingIfNeeded: $0) }
        #expect(copy(CJ_INT8, CJ_INT32, small, Int32.self) == small.map { Int32($0) })
        #expect(copy(CJ_UINT8, CJ_INT32, plain, Int32.self) == plain.map { Int32($0) })
        #expect(copy(CJ_INT16, CJ_INT32, short, Int32.self) == short.map { Int32($0) })
        for (aux, f) in [
          (CJ_INT8, { Int32(Int8(truncatingIfNeeded: $0)) }), (CJ_UINT8, { Int32(UInt8(truncatingIfNeeded: $0)) }),
          (CJ_INT16, { Int32(Int16(truncatingIfNeeded: $0)) }),
        ] as [(cj_dtype, (Int32) -> Int32)] {
          let got = runOne(
            CJ_ROUND, CJ_I32, aux: Int(aux.rawValue), extents: [words.count], [Operand(CJ_INT32, words, strides: [1])],
            out: CJ_INT32)
          #expect(got.values(Int32.self) == words.map(f))
        }
      }
    }
  }
}
