import Cajal
import Testing

@Suite struct RandomTests {
  @Test func theSameSeedGivesTheSameBits() throws {
    func draw(_ seed: UInt64) throws -> [[UInt8]] {
      try withSeed(seed) {
        [
          try Tensor.uniform([100]).bytes(), try Tensor.normal([100]).bytes(), try Tensor.bernoulli([100]).bytes(),
          try Tensor.randomIntegers([100], in: 0..<1000).bytes(), try Tensor.uniform([100], dtype: .float64).bytes(),
        ]
      }
    }
    let first = try draw(7)
    #expect(try draw(7) == first)
    for (one, other) in zip(try draw(8), first) { #expect(one != other) }
  }

  @Test func eachDrawTakesANewStreamWhateverIsReadFirst() throws {
    let (a, b) = withSeed(1) { (Tensor.uniform([8]), Tensor.uniform([8])) }
    let (c, d) = withSeed(1) { (Tensor.uniform([8]), Tensor.uniform([8])) }
    let last = try d.bytes()
    #expect(try b.bytes() == last)
    #expect(try a.bytes() == c.bytes())
    #expect(try a.bytes() != last)
  }

  @Test func aGeneratorOfOnesOwnIsUsed() throws {
    let (one, other) = (Generator(seed: 5), Generator(seed: 5))
    let a = Tensor.normal([4], generator: one)
    let b = withGenerator(other) { Tensor.normal([4]) }
    #expect(try a.bytes() == b.bytes())
    #expect(one.stream == 1 && other.stream == 1)
  }

  @Test func drawingAgainAndAgainIsOnePlan() throws {
    let meter = EngineMeter()
    try withSeed(2) { try meter.measure { for _ in 0..<20 { _ = try Tensor.uniform([17]).sum().item() } } }
    #expect(meter.counters.plansCompiled <= 1)
  }

  @Test(arguments: [DType.float32, .float64, .float16, .bfloat16]) func uniformsFillTheirRange(_ dtype: DType) throws {
    let draws = try withSeed(4) { try Tensor.uniform([20_000], dtype: dtype).scalars(Double.self) }
    #expect(draws.allSatisfy { $0 >= 0 && $0 < 1 })
    // The mean of 20,000 uniforms has a standard deviation of 0.002.
    let mean = draws.reduce(0, +) / 20_000
    #expect(abs(mean - 0.5) < 0.01)
    let wide = try withSeed(4) { try Tensor.uniform([1000], from: -3, to: 5, dtype: dtype).scalars(Double.self) }
    let (low, high) = (try #require(wide.min()), try #require(wide.max()))
    #expect(low >= -3 && low < -2.5 && high > 4.5 && high <= 5)
  }

  @Test func normalsHaveTheirMeanAndDeviation() throws {
    let draws = withSeed(5) { Tensor.normal([40_000], mean: 3, standardDeviation: 2) }
    let (mean, deviation) = (try draws.mean().item(), try draws.standardDeviation().item())
    #expect(abs(mean - 3) < 0.05)
    #expect(abs(deviation - 2) < 0.05)
    #expect(try draws.isFinite().all().item(as: Bool.self))
  }

  @Test func bernoulliIsTrueAsOftenAsAsked() throws {
    for probability in [0.0, 0.1, 0.5, 1.0] {
      let draws = withSeed(6) { Tensor.bernoulli([20_000], probability: probability) }
      #expect(draws.dtype == .bool)
      let mean = Double(try draws.mean().item())
      #expect(abs(mean - probability) < 0.02)
    }
  }

  @Test(arguments: [0..<2, -5..<5, 0..<1, 7..<1007]) func integersFillTheirRange(_ range: Range<Int>) throws {
    let draws = try withSeed(7) { try Tensor.randomIntegers([20_000], in: range).scalars(Int.self) }
    #expect(draws.allSatisfy(range.contains))
    #expect(Set(draws).count == range.count)
  }

  @Test(arguments: [0..<(1 << 32), -(1 << 31)..<(1 << 31), 0..<(3 << 30), 5..<((1 << 31) + 7)])
  func wideRangesOfIntegersAreFilledToo(_ range: Range<Int>) throws {
    let draws = try withSeed(8) { try Tensor.randomIntegers([4000], in: range).scalars(Int.self) }
    #expect(draws.allSatisfy(range.contains))
    let middle = range.lowerBound + range.count / 2
    let below = draws.count { $0 < middle }
    #expect(abs(below - 2000) < 200)
  }

  @Test func rangesThatCannotBeDrawnFromAreErrors() {
    expectError(.randomIntegers([2], in: 3..<3), .shape, "3..<3")
    expectError(.randomIntegers([2], in: 0..<(1 << 33)), .shape)
    expectError(.randomIntegers([2], in: Int.min..<Int.max), .shape)
    expectError(.uniform([2], dtype: .int32), .dtype)
    expectError(.uniform([-1]), .shape)
  }
}
