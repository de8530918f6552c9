import Cajal
import Testing

/// Rosenbrock's valley: (1 − x)² + 100 (y − x²)², least at (1, 1).
private struct Valley: Module {
  let x: Parameter
  let y = Parameter(Tensor([1], dtype: .float64))

  init(_ start: Double = -1.2) { x = Parameter(Tensor([start], dtype: .float64)) }

  func loss() -> Tensor {
    ((1 - x.value).squared() + (y.value - x.value.squared()).squared() * 100).sum()
  }

  var numbers: [Double] { x.value.numbers + y.value.numbers }
}

@Suite struct OptimizerLBFGSTests {
  @Test func itFindsTheEndOfAValley() throws {
    let valley = Valley()
    let optimizer = LBFGS(maxIterations: 100, lineSearch: .strongWolfe)
    let first = try optimizer.step(valley) { valley.loss() }
    #expect(abs(try first.item() - 24.2) < 1e-5)
    // Near (1, 1), where PyTorch 2.13 stops as well.
    for (a, b) in zip(valley.numbers, [0.9999814210791366, 0.9999619651810989]) { #expect(abs(a - b) < 1e-9) }
  }

  @Test func withoutALineSearchTheRateIsTheLength() throws {
    let valley = Valley(1)
    valley.y.value = Tensor([0], dtype: .float64)
    // g = (400, −200) at (1, 0): the first move is g / Σ|g|.
    let optimizer = LBFGS(learningRate: 0.5, maxIterations: 1)
    try optimizer.step(valley) { valley.loss() }
    for (a, b) in zip(valley.numbers, [1 - 400 * 0.5 / 600, 200 * 0.5 / 600]) { #expect(abs(a - b) < 1e-12) }
  }

  @Test(arguments: [LBFGS.LineSearch.none, .strongWolfe])
  func aRestoredOptimizerGoesOnBitForBit(_ lineSearch: LBFGS.LineSearch) throws {
    func make() -> LBFGS { LBFGS(learningRate: 0.1, maxIterations: 3, historySize: 4, lineSearch: lineSearch) }
    for pause in [0, 1, 4] {
      let (whole, part) = (Valley(), Valley())
      let optimizer = make()
      var other = make()
      for step in 0..<7 {
        if step == pause {
          let state = other.state(of: part)
          #expect(state.isEmpty == (pause == 0))
          other = make()
          try other.restore(state, to: part)
        }
        try optimizer.step(whole) { whole.loss() }
        try other.step(part) { part.loss() }
      }
      #expect(whole.numbers == part.numbers && whole.numbers != Valley().numbers)
    }
  }

  @Test func aStateThatDoesNotFitIsRefused() throws {
    let valley = Valley()
    let optimizer = LBFGS(maxIterations: 3)
    try optimizer.step(valley) { valley.loss() }
    let good = optimizer.state(of: valley)
    func refuse(_ part: String, change: (inout [String: Tensor]) -> Void) {
      var state = good
      change(&state)
      expectError(part) { try optimizer.restore(state, to: valley) }
    }
    refuse("there is no moves") { $0["moves"] = nil }
    refuse("stranger") { $0["stranger"] = Tensor([1]) }
    refuse("[2]") { $0["gradient"] = Tensor([1.0, 2, 3]) }
    #expect(optimizer.state(of: valley).mapValues(\.numbers) == good.mapValues(\.numbers))
  }

  @Test func aFailureInTheClosureLeavesEverythingAsItWas() throws {
    struct Trouble: Error {}
    let valley = Valley()
    let optimizer = LBFGS(maxIterations: 3, lineSearch: .strongWolfe)
    try optimizer.step(valley) { valley.loss() }
    let (numbers, state) = (valley.numbers, optimizer.state(of: valley))
    var calls = 0
    #expect(throws: Trouble.self) {
      try optimizer.step(valley) {
        calls += 1
        if calls == 3 { throw Trouble() }
        return valley.loss()
      }
    }
    #expect(throws: TensorError.self) { try optimizer.step(valley) { Tensor([1.0, 2]) } }
    #expect(valley.numbers == numbers)
    #expect(optimizer.state(of: valley).mapValues(\.numbers) == state.mapValues(\.numbers))
  }

  @Test func frozenParametersStay() throws {
    let valley = Valley()
    valley.x.isFrozen = true
    let optimizer = LBFGS(maxIterations: 50, lineSearch: .strongWolfe)
    try optimizer.step(valley) { valley.loss() }
    #expect(valley.x.value.numbers == [-1.2])
    #expect(abs(valley.numbers[1] - 1.44) < 1e-6)
  }

  @Test func parametersOfSeveralDtypesKeepThem() throws {
    struct Mixed: Module {
      let a = Parameter(Tensor([3], dtype: .float32))
      let b = Parameter(Tensor([3], dtype: .bfloat16))
    }
    let mixed = Mixed()
    try LBFGS().step(mixed) { (mixed.a.value.squared() + mixed.b.value.squared().cast(to: .float32)).sum() }
    #expect(mixed.a.value.dtype == .float32 && mixed.b.value.dtype == .bfloat16)
    #expect(abs(mixed.a.value.numbers[0]) < 1e-2 && abs(mixed.b.value.numbers[0]) < 1e-1)
  }
}
