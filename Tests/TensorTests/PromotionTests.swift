import Cajal
import CajalBase
import Testing

/// The rule, said another way than by a table: an independent statement that judges the table.
private func expected(_ a: DType, _ b: DType) -> DType {
  if a == b { return a }
  // A float wins over everything that is none; two floats meet in the smallest that holds both.
  if a.isFloat != b.isFloat { return a.isFloat ? a : b }
  if a.isFloat { return [a, b].contains(.float64) ? .float64 : .float32 }
  // The smallest type of integers that holds every value of both, `bool` being 0 and 1.
  let (x, y) = (range(a), range(b))
  let low = min(x.lowerBound, y.lowerBound)
  let high = max(x.upperBound, y.upperBound)
  let order: [DType] = [.bool, .uint8, .int8, .int16, .int32, .int64]
  return order.first { range($0).contains(low) && range($0).contains(high) }!
}

private func range(_ dtype: DType) -> ClosedRange<Int64> {
  switch dtype {
  case .bool: 0...1
  case .uint8: 0...Int64(UInt8.max)
  case .int8: Int64(Int8.min)...Int64(Int8.max)
  case .int16: Int64(Int16.min)...Int64(Int16.max)
  case .int32: Int64(Int32.min)...Int64(Int32.max)
  default: .min ... .max
  }
}

private let ones = Dictionary(uniqueKeysWithValues: DType.allCases.map { ($0, Tensor.ones([1], dtype: $0)) })

@Suite struct PromotionTests {
  @Test(arguments: DType.allCases) func everyPairPromotesByTheRule(_ left: DType) {
    for right in DType.allCases {
      #expect(DType.promote(left, right) == expected(left, right), "\(left) with \(right)")
      #expect(maximum(ones[left]!, ones[right]!).dtype == expected(left, right))
    }
  }

  @Test func promotionHasNoOrderAndNoFavourites() {
    for a in DType.allCases {
      #expect(DType.promote(a, a) == a)
      for b in DType.allCases { #expect(DType.promote(a, b) == DType.promote(b, a)) }
    }
  }

  @Test(arguments: DType.allCases) func arithmeticOfTwoTensorsPromotes(_ left: DType) {
    for right in DType.allCases {
      let (a, b) = (ones[left]!, ones[right]!)
      let both = expected(left, right)
      // `bool` counts as int64 in arithmetic, and division is true division.
      #expect((a + b).dtype == (both == .bool ? .int64 : both), "\(left) + \(right)")
      #expect((a / b).dtype == (both.isFloat ? both : .float32), "\(left) / \(right)")
      #expect((a .< b).dtype == .bool)
    }
  }

  @Test func promotedValuesSurvive() {
    expect(Tensor([200], dtype: .uint8) + Tensor([-100], dtype: .int8), [100], [1], .int16)
    expect(Tensor([true, false]) + Tensor([true, true]), [2, 1], [2], .int64)
    expect(Tensor([40000], dtype: .int32) + Tensor([0.5], dtype: .float32), [40000.5], [1], .float32)
    expect(Tensor([1.0], dtype: .float16) + Tensor([1.0], dtype: .bfloat16), [2], [1], .float32)
  }
}

@Suite struct ScalarRuleTests {
  @Test(arguments: DType.allCases) func aWholeLiteralKeepsTheDtype(_ dtype: DType) {
    let x = ones[dtype]!
    let kept = dtype == .bool ? DType.int64 : dtype
    #expect((x * 2).dtype == kept)
    #expect((2 * x).dtype == kept)
    #expect((x + 1).dtype == kept)
    #expect((1 - x).dtype == kept)
    #expect((x % 2).dtype == kept)
  }

  @Test(arguments: DType.allCases) func aFractionalLiteralTurnsIntegersIntoFloat32(_ dtype: DType) {
    let x = ones[dtype]!
    let kept = dtype.isFloat ? dtype : .float32
    #expect((x * 0.5).dtype == kept)
    #expect((0.5 + x).dtype == kept)
    #expect((x / 2).dtype == kept)
    #expect((2 / x).dtype == kept)
  }

  @Test(arguments: DType.allCases) func aVariableFollowsTheSameRuleAsALiteral(_ dtype: DType) {
    let x = ones[dtype]!
    let (whole, float, double, flag) = (3, Float(0.5), 0.5, true)
    #expect((x * whole).dtype == (dtype == .bool ? .int64 : dtype))
    #expect((whole + x).dtype == (dtype == .bool ? .int64 : dtype))
    #expect((x * float).dtype == (dtype.isFloat ? dtype : .float32))
    #expect((double - x).dtype == (dtype.isFloat ? dtype : .float32))
    #expect((x / whole).dtype == (dtype.isFloat ? dtype : .float32))
    #expect(maximum(x, Tensor(scalar: flag)).dtype == dtype)
  }

  @Test func picturesDividedBy255LieBetweenZeroAndOne() {
    let images = Tensor([0, 51, 255], dtype: .uint8)
    expect(images / 255, [0, 0.2, 1], [3], .float32)
    let brightest = 255
    expect(images / brightest, [0, 0.2, 1], [3], .float32)
  }

  @Test func aFloatVariableTimesAnIntegerTensorKeepsItsFraction() {
    let rate: Float = 0.5
    expect(Tensor([1, 2, 3]) * rate, [0.5, 1, 1.5], [3], .float32)
    expect(rate * Tensor([1, 2], dtype: .uint8), [0.5, 1], [2], .float32)
  }

  @Test func literalsMeetEachOtherAsNumbers() {
    let x: Tensor = 2
    let y: Tensor = 2.5
    expect(x * 3, [6], [], .int64)
    expect(x * y, [5], [], .float32)
    expect(Tensor([1, 2], dtype: .int8) * x, [2, 4], [2], .int8)
  }

  @Test func literalArraysAreTensors() {
    let numbers: Tensor = [1, 2.5, 3]
    expect(numbers, [1, 2.5, 3], [3], .float32)
    let whole: Tensor = [1, 2]
    expect(whole, [1, 2], [2], .int64)
    let nested: Tensor = [[1, 2], [3, 4]]
    expect(nested, [1, 2, 3, 4], [2, 2], .int64)
    let flags: Tensor = [true, false]
    expect(flags, [1, 0], [2], .bool)
    let mixed: Tensor = [[1, 2.5], [3, 4]]
    expect(mixed, [1, 2.5, 3, 4], [2, 2], .float32)
  }

  @Test func compoundAssignmentGivesTheVariableANewTensor() {
    var x = Tensor([1.0, 2.0])
    let before = x
    x += 1
    x *= 2
    x -= Tensor([1.0])
    x /= 3
    let half = 0.5
    x *= half
    expect(x, [0.5, 5.0 / 6], [2], .float32)
    expect(before, [1, 2], [2])
  }
}
