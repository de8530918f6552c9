import Cajal
import Testing

/// Two parameters whose gradients are what the test says.
private struct Pair: Module {
  let weight = Parameter(Tensor([1, 2], dtype: .float32))
  let bias = Parameter(Tensor([3], dtype: .float64))

  func gradients(_ a: [Double], _ b: Double) -> Gradients {
    valueAndGradient(of: self) {
      (weight.value * Tensor(a, dtype: .float32)).sum().cast(to: .float64) + (bias.value * Tensor([b])).sum()
    }.1
  }

  var numbers: [Double] { weight.value.numbers + bias.value.numbers }

  /// What a step of length 1 takes away.
  func taken(by gradients: Gradients) -> [Double] {
    let before = numbers
    SGD(learningRate: 1).update(self, gradients)
    return zip(before, numbers).map { $0 - $1 }
  }
}

@Suite struct GradientChangeTests {
  private let pair = Pair()

  @Test func theGlobalNormIsThatOfAllGradientsAsOneVector() throws {
    let gradients = pair.gradients([3, 4], 12)
    #expect(gradients.globalNorm.numbers == [13])
    #expect(pair.taken(by: gradients) == [3, 4, 12])
  }

  @Test func longGradientsAreClippedAndShortOnesStay() throws {
    let clipped = pair.taken(by: pair.gradients([3, 4], 12).clipped(toGlobalNorm: 1.3))
    for (a, b) in zip(clipped, [0.3, 0.4, 1.2]) { #expect(abs(a - b) < 1e-6) }
    let fresh = Pair()
    #expect(fresh.taken(by: fresh.gradients([3, 4], 12).clipped(toGlobalNorm: 14)) == [3, 4, 12])
    #expect(pair.taken(by: pair.gradients([0, 0], 0).clipped(toGlobalNorm: 1)) == [0, 0, 0])
  }

  @Test func gradientsAreClippedByValue() {
    #expect(pair.taken(by: pair.gradients([3, -4], 0.5).clipped(to: -1...2)) == [2, -1, 0.5])
  }

  @Test func transformsSeeTheParameterAndItsPath() {
    var seen: [String] = []
    let gradients = pair.gradients([3, 4], 12).mapByParameter { parameter, gradient in
      seen.append(parameter.path)
      #expect(parameter.dtype == gradient.dtype)
      return parameter === pair.bias ? gradient * 2 : gradient
    }
    #expect(seen == ["bias", "weight"])
    #expect(pair.taken(by: gradients) == [3, 4, 24])
  }

  @Test func changesUseUpWhatTheyAreMadeOf() {
    let gradients = pair.gradients([3, 4], 12)
    _ = gradients.clipped(to: -1...1)
    expectError("used by an update before") { _ = try gradients.globalNorm.item() }
    expectError("used by an update before") { _ = try gradients.areFinite.bytes() }
    let before = pair.numbers
    SGD().update(pair, gradients.clipped(toGlobalNorm: 1))
    expectError("used by an update before") { _ = try pair.weight.value.bytes() }
    #expect(pair.numbers == before)
  }

  @Test func gradientsOfSeveralPassesAdd() throws {
    var sum = pair.gradients([1, 2], 3)
    sum += pair.gradients([10, 20], 30)
    sum += valueAndGradient(of: pair) { pair.weight.value.sum() }.1
    #expect(try #require(sum[pair.bias]).numbers == [33])
    #expect(pair.taken(by: sum.scaled(by: 0.5)) == [6, 11.5, 16.5])
  }

  @Test func aPassMayBringAParameterThatTheOthersDidNotRead() {
    let first = valueAndGradient(of: pair) { pair.weight.value.sum() }.1
    let second = valueAndGradient(of: pair) { pair.bias.value.sum() * 2 }.1
    #expect(pair.taken(by: first + second) == [1, 1, 2])
  }

  @Test func accumulationSetsEveryPassGoingAndCompilesOnce() throws {
    let pupil = Pupil(seed: 1)
    let optimizer = Adam()
    func step(_ index: Int) {
      var sum = valueAndGradient(of: pupil) { pupil.loss(index) }.1
      for pass in 1..<4 { sum += valueAndGradient(of: pupil) { pupil.loss(4 * index + pass) }.1 }
      optimizer.update(pupil, sum)
    }
    step(0)
    step(1)
    let meter = EngineMeter()
    meter.measure { for index in 2..<6 { step(index) } }
    #expect(meter.counters.plansCompiled == 0)
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity])
  func gradientsThatAreNotFiniteCanSkipTheStep(_ bad: Double) throws {
    let pair = Pair()
    let (optimizer, twin) = (Adam(learningRate: 0.1), Adam(learningRate: 0.1))
    let other = Pair()
    for (a, isGood) in [(1.0, true), (bad, false), (2, true)] {
      let gradients = pair.gradients([a, 1], 1)
      #expect(gradients.areFinite.numbers == [isGood ? 1 : 0])
      let before = pair.numbers
      optimizer.update(pair, gradients.skippingNonFinite())
      #expect((pair.numbers != before) == isGood)
      if isGood { twin.update(other, other.gradients([a, 1], 1)) }
    }
    #expect(pair.numbers == other.numbers)
    #expect(optimizer.state(of: pair).mapValues(\.numbers) == twin.state(of: other).mapValues(\.numbers))
  }

  @Test func changedGradientsWorkInACompiledStep() throws {
    let (pupil, twin) = (Pupil(seed: 1), Pupil(seed: 1))
    let optimizers = [Adam(learningRate: 0.1), Adam(learningRate: 0.1)]
    func step(_ model: Pupil, _ optimizer: Adam, _ x: Tensor) -> Tensor {
      func pass(_ target: Tensor) -> Gradients {
        valueAndGradient(of: model) { (model.second(model.first(x)) - target).squared().mean() }.1
      }
      let sum = (pass(1) + pass(3)).scaled(by: 0.5).skippingNonFinite().clipped(toGlobalNorm: 0.5)
      optimizer.update(model, sum)
      return x.sum()
    }
    let compiled = compile { x in step(pupil, optimizers[0], x) }
    for number in [1.0, 2, .nan, 4] {
      let x = Tensor([[number, -1], [2, 1]], dtype: .float32)
      _ = compiled(x)
      _ = step(twin, optimizers[1], x)
    }
    #expect(pupil.bytes == twin.bytes)
    #expect(pupil.bytes != Pupil(seed: 1).bytes)
  }
}
