import Cajal
import Foundation
import Testing

/// A function of one number, and what it should be.
private struct Case: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let function: @Sendable (Tensor) -> Tensor
  let expected: @Sendable (Double) -> Double

  init(
    _ name: String, _ function: @escaping @Sendable (Tensor) -> Tensor,
    _ expected: @escaping @Sendable (Double) -> Double
  ) {
    testDescription = name
    self.function = function
    self.expected = expected
  }
}

private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

private let cases: [Case] = [
  Case("abs", { $0.abs() }, { abs($0) }), Case("sign", { $0.sign() }, { $0 > 0 ? 1 : ($0 < 0 ? -1 : 0) }),
  Case("squared", { $0.squared() }, { $0 * $0 }), Case("exp", { $0.exp() }, { exp($0) }),
  Case("expm1", { $0.expm1() }, { expm1($0) }), Case("sin", { $0.sin() }, { sin($0) }),
  Case("cos", { $0.cos() }, { cos($0) }), Case("tan", { $0.tan() }, { tan($0) }),
  Case("tanh", { $0.tanh() }, { tanh($0) }), Case("erf", { $0.erf() }, { erf($0) }),
  Case("floor", { $0.floor() }, { floor($0) }), Case("ceil", { $0.ceil() }, { ceil($0) }),
  Case("round", { $0.round() }, { $0.rounded(.toNearestOrEven) }), Case("negate", { -$0 }, { -$0 }),
  Case("sigmoid", { $0.sigmoid() }, { sigmoid($0) }), Case("softplus", { $0.softplus() }, { log1p(exp($0)) }),
  Case("relu", { $0.relu() }, { max(0, $0) }), Case("silu", { $0.silu() }, { $0 * sigmoid($0) }),
  Case("gelu", { $0.gelu() }, { $0 * 0.5 * (1 + erf($0 / 2.0.squareRoot())) }),
  Case(
    "gelu by tanh", { $0.gelu(approximate: true) },
    {
      0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0)))
    }),
  Case("leakyRelu", { $0.leakyRelu(slope: 0.2) }, { $0 > 0 ? $0 : 0.2 * $0 }),
  Case("elu", { $0.elu(alpha: 2) }, { $0 > 0 ? $0 : 2 * expm1($0) }),
  Case("celu", { $0.celu(alpha: 2) }, { max(0, $0) + min(0, 2 * expm1($0 / 2)) }),
  // Klambauer et al. 2017 give these two numbers.
  Case("selu", { $0.selu() }, { 1.0507009873554805 * ($0 > 0 ? $0 : 1.6732632423543772 * expm1($0)) }),
  Case("mish", { $0.mish() }, { $0 * tanh(log1p(exp($0))) }),
  Case("softsign", { $0.softsign() }, { $0 / (1 + abs($0)) }),
  Case("logSigmoid", { $0.logSigmoid() }, { -log1p(exp(-$0)) }), Case("relu6", { $0.relu6() }, { min(6, max(0, $0)) }),
  Case("hardTanh", { $0.hardTanh() }, { min(1, max(-1, $0)) }),
  Case("hardSigmoid", { $0.hardSigmoid() }, { min(1, max(0, $0 / 6 + 0.5)) }),
  Case("hardSwish", { $0.hardSwish() }, { $0 * min(1, max(0, $0 / 6 + 0.5)) }),
  Case("tanhShrink", { $0.tanhShrink() }, { $0 - tanh($0) }),
  Case("softShrink", { $0.softShrink(lambda: 0.5) }, { $0 > 0.5 ? $0 - 0.5 : ($0 < -0.5 ? $0 + 0.5 : 0) }),
  Case("clamped", { $0.clamped(to: -1...2) }, { min(2, max(-1, $0)) }),
  Case("pow 3", { $0.pow(3) }, { $0 * $0 * $0 }), Case("pow 2", { $0.pow(2) }, { $0 * $0 }),
]

private let positive: [Case] = [
  Case("sqrt", { $0.sqrt() }, { $0.squareRoot() }), Case("rsqrt", { $0.rsqrt() }, { 1 / $0.squareRoot() }),
  Case("log", { $0.log() }, { log($0) }), Case("log1p", { $0.log1p() }, { log1p($0) }),
  Case("pow -1.5", { $0.pow(-1.5) }, { pow($0, -1.5) }),
]

@Suite struct FunctionTests {
  @Test(arguments: cases) private func aFunctionOfAnyNumberIsRight(_ one: Case) {
    let numbers = [-7, -2.5, -1, -0.3, 0, 0.3, 0.5, 1, 1.5, 2.5, 7]
    expect(one.function(Tensor(numbers, dtype: .float64)), numbers.map(one.expected), [11], .float64, tolerance: 1e-12)
    expect(one.function(Tensor(numbers, dtype: .float32)), numbers.map(one.expected), [11], .float32, tolerance: 2e-6)
  }

  @Test(arguments: positive) private func aFunctionOfPositiveNumbersIsRight(_ one: Case) {
    let numbers = [1e-3, 0.5, 1, 2, 100]
    expect(one.function(Tensor(numbers, dtype: .float64)), numbers.map(one.expected), [5], .float64, tolerance: 1e-12)
    expect(one.function(Tensor(numbers, dtype: .float32)), numbers.map(one.expected), [5], .float32, tolerance: 2e-6)
  }

  @Test func integersBecomeFloat32OrStayWhereThatMakesSense() {
    let x = Tensor([-2, 0, 3])
    expect(x.exp(), [exp(-2), 1, exp(3)], [3], .float32)
    expect(x.sigmoid(), [sigmoid(-2), 0.5, sigmoid(3)], [3], .float32)
    expect(x.abs(), [2, 0, 3], [3], .int64)
    expect(x.sign(), [-1, 0, 1], [3], .int64)
    expect(x.relu(), [0, 0, 3], [3], .int64)
  }

  @Test func remainderAndFloorDivisionFollowPython() {
    let (a, b) = (Tensor([7, -7, 7, -7, 5]), Tensor([3, 3, -3, -3, 0]))
    expect(a % b, [1, 2, -2, -1, 0], [5], .int64)
    expect(a.floorDivided(by: b), [2, -3, -3, 2, 0], [5], .int64)
    expect(Tensor([5.5, -5.5]) % 2, [1.5, 0.5], [2], .float32)
    let two = 2
    expect(a.floorDivided(by: two), [3, -4, 3, -4, 2], [5], .int64)
  }

  @Test func comparisonsGiveBool() {
    let (a, b) = (Tensor([1, 2, 3]), Tensor([2.0, 2.0, 2.0]))
    expect(a .< b, [1, 0, 0], [3], .bool)
    expect(a .<= b, [1, 1, 0], [3], .bool)
    expect(a .> b, [0, 0, 1], [3], .bool)
    expect(a .>= b, [0, 1, 1], [3], .bool)
    expect(a .== b, [0, 1, 0], [3], .bool)
    expect(a .!= 2, [1, 0, 1], [3], .bool)
    expect(Tensor([Float.nan]) .== Tensor([Float.nan]), [0], [1], .bool)
  }

  @Test func logicWorksOnBoolAndBits() {
    let (p, q) = (Tensor([true, true, false]), Tensor([true, false, false]))
    expect(p & q, [1, 0, 0], [3], .bool)
    expect(p | q, [1, 1, 0], [3], .bool)
    expect(p ^ q, [0, 1, 0], [3], .bool)
    expect(!p, [0, 0, 1], [3], .bool)
    expect(Tensor([12]) & Tensor([10]), [8], [1], .int64)
    expectError(Tensor([1.0]) & Tensor([1.0]), .dtype)
  }

  @Test func selectMaximumAndMinimumBroadcast() {
    let x = Tensor([[1.0, -2.0], [-3.0, 4.0]])
    expect(select(x .> 0, x, Tensor([0.0])), [1, 0, 0, 4], [2, 2])
    expect((x .> 0).select(1, -1), [1, -1, -1, 1], [2, 2], .int64)
    expect(maximum(x, Tensor([0.0, 5.0])), [1, 5, 0, 5], [2, 2])
    expect(minimum(x, 0), [0, -2, -3, 0], [2, 2], .float32)
    expect(maximum(Tensor([Float.nan, 1]), Tensor([0.0, Float.nan])), [.nan, .nan], [2])
  }

  @Test func castsTruncateSaturateAndWrap() {
    let x = Tensor([-1.9, 1.9, 300, Float.nan, -1e30])
    expect(x.cast(to: .int64), [-1, 1, 300, 0, Double(Int64.min)], [5], .int64)
    expect(x.cast(to: .bool), [1, 1, 1, 1, 1], [5], .bool)
    expect(Tensor([300, -1]).cast(to: .uint8), [44, 255], [2], .uint8)
    expect(Tensor([2.5, 0.1], dtype: .bfloat16).cast(to: .float32), [2.5, 0.10009765625], [2], .float32, tolerance: 0)
  }

  @Test func nanAndInfinityAreFound() {
    let x = Tensor([1, Float.nan, .infinity, -.infinity])
    expect(x.isNaN(), [0, 1, 0, 0], [4], .bool)
    expect(x.isFinite(), [1, 0, 0, 0], [4], .bool)
    expect(Tensor([1, 2]).isFinite(), [1, 1], [2], .bool)
  }
}
