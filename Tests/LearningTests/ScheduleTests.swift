import Cajal
import Foundation
import Testing

/// Rates of PyTorch's schedules.
private struct Golden: Decodable, Sendable {
  struct Options: Decodable, Sendable {
    var stepSize: Int?
    var gamma: Double?
    var milestones: [Int]?
    var tMax: Int?
    var etaMin: Double?
    var t0: Int?
    var tMult: Int?
    var startFactor: Double?
    var endFactor: Double?
    var totalIters: Int?
    var power: Double?
    var maxLR: Double?
    var totalSteps: Int?
    var pctStart: Double?
    var divFactor: Double?
    var finalDivFactor: Double?
    var stepSizeUp: Int?

    enum CodingKeys: String, CodingKey {
      case gamma, milestones, power
      case stepSize = "step_size"
      case tMax = "T_max"
      case etaMin = "eta_min"
      case t0 = "T_0"
      case tMult = "T_mult"
      case startFactor = "start_factor"
      case endFactor = "end_factor"
      case totalIters = "total_iters"
      case maxLR = "max_lr"
      case totalSteps = "total_steps"
      case pctStart = "pct_start"
      case divFactor = "div_factor"
      case finalDivFactor = "final_div_factor"
      case stepSizeUp = "step_size_up"
    }
  }

  struct Run: Decodable, Sendable {
    var schedule: String
    var options: Options
    var baseLR: Double
    var rates: [Double]

    enum CodingKeys: String, CodingKey {
      case schedule, options
      case baseLR = "base_lr"
      case rates = "lr_at_step"
    }

    /// Ours, and the rate that it is a factor of: where the schedule sets a peak, the peak.
    func make() throws -> (Schedule, Double) {
      let lowest = (options.etaMin ?? 0) / baseLR
      switch schedule {
      case "StepLR": return (.step(every: options.stepSize!, by: options.gamma!), baseLR)
      case "MultiStepLR": return (.multiStep(at: options.milestones!, by: options.gamma!), baseLR)
      case "ExponentialLR": return (.exponential(by: options.gamma!), baseLR)
      case "CosineAnnealingLR": return (.cosine(to: lowest, over: options.tMax), baseLR)
      case "CosineAnnealingWarmRestarts":
        return (.cosineRestarts(first: options.t0!, growth: options.tMult!, to: lowest), baseLR)
      case "LinearLR":
        return (.linear(from: options.startFactor!, to: options.endFactor!, over: options.totalIters), baseLR)
      case "PolynomialLR": return (.polynomial(power: options.power!, over: options.totalIters), baseLR)
      case "OneCycleLR":
        let start = 1 / options.divFactor!
        return (
          .oneCycle(
            rise: options.pctStart!, from: start, to: start / options.finalDivFactor!, over: options.totalSteps),
          options.maxLR!
        )
      case "CyclicLR":
        return (.cyclic(from: baseLR / options.maxLR!, up: options.stepSizeUp!, halving: true), options.maxLR!)
      default: throw TestError.unknown(schedule)
      }
    }
  }

  enum TestError: Error { case unknown(String) }

  var schedules: [Run]

  static let shared: Golden? = testData("torch-golden/schedules.json").flatMap { path in
    try? JSONDecoder().decode(Golden.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
  }
}

@Suite struct ScheduleTests {
  @Test(.enabled(if: Golden.shared != nil, "no golden values of PyTorch")) func ratesAgreeWithPyTorch() throws {
    let golden = try #require(Golden.shared)
    #expect(golden.schedules.count == 9)
    for run in golden.schedules {
      let (schedule, rate) = try run.make()
      #expect(run.rates.count == 40)
      for (step, expected) in run.rates.enumerated() {
        let found = rate * schedule.factor(step: step, of: run.rates.count)
        #expect(abs(found - expected) <= 1e-12, "\(run.schedule) at \(step): \(found), \(expected)")
      }
    }
  }

  private func factors(_ schedule: Schedule, _ total: Int) -> [Double] {
    (0..<total).map { (schedule.factor(step: $0, of: total) * 1e6).rounded() / 1e6 }
  }

  @Test func lengthsThatAreNotSaidAreTheRuns() {
    #expect(factors(.linear(), 4) == [1, 0.75, 0.5, 0.25])
    #expect(factors(.polynomial(power: 2), 2) == [1, 0.25])
    #expect(factors(.cosine(), 4) == [1, 0.853553, 0.5, 0.146447])
    #expect(Schedule.oneCycle().factor(step: 99, of: 100) == 1 / 25e4)
    #expect(abs(Schedule.oneCycle().factor(step: 29, of: 100) - 1) < 1e-12)
  }

  @Test func schedulesFollowEachOther() {
    #expect(factors(.warmUp(2).then(.linear()), 6) == [0.5, 1, 1, 0.75, 0.5, 0.25])
    #expect(factors(.warmUp(2).then(.constant(0.5, over: 2)).then(.linear(to: 0.5)), 6) == [0.5, 1, 0.5, 0.5, 1, 0.75])
    // What takes the whole run leaves nothing.
    #expect(factors(.constant(2).then(.constant(3)), 3) == [2, 2, 2])
    // A schedule that is itself made of two has their length.
    let both = Schedule.constant(1, over: 1).then(.constant(2, over: 1))
    #expect(factors(both.then(.constant(3)), 4) == [1, 2, 3, 3])
  }

  @Test func schedulesMultiply() {
    #expect(factors(.linear() * .constant(0.5), 2) == [0.5, 0.25])
    #expect(factors(2 * .step(every: 1, by: 0.5), 3) == [2, 1, 0.5])
    #expect(factors((.constant(2, over: 1) * .constant(3, over: 2)).then(.constant(0)), 3) == [6, 6, 0])
  }

  @Test func piecesHoldOrLeadToTheNext() {
    let points: KeyValuePairs = [1: 1.0, 3: 0.5, 5: 0.1]
    #expect(factors(.piecewise(points), 7) == [1, 1, 1, 0.5, 0.5, 0.1, 0.1])
    #expect(factors(.piecewise(points, isLinear: true), 7) == [1, 1, 0.75, 0.5, 0.3, 0.1, 0.1])
    #expect(factors(.piecewise([:]), 2) == [1, 1])
  }

  @Test func schedulesOfYourOwnAreGivenStepAndTotal() {
    #expect(factors(Schedule { step, total in Double(step) / Double(total) }, 4) == [0, 0.25, 0.5, 0.75])
  }

  @Test func noLengthIsTooShort() {
    for schedule in [
      Schedule.warmUp(0), .linear(over: 0), .cosine(over: 0), .oneCycle(over: 1), .step(every: 0),
      .cyclic(from: 0, up: 0),
      .cosineRestarts(first: 0), .warmUp(5).then(.cosine()), .exponential(by: 0.5, every: 0), .oneCycle(),
    ] {
      for total in 0...2 {
        for step in 0...2 { #expect(schedule.factor(step: step, of: total).isFinite) }
      }
    }
  }

  @Test func aPlateauReducesTheRate() throws {
    // Two results may be no better, the third reduces; a tie is no better.
    var plateau = ReduceOnPlateau(reduction: 0.5, patience: 2, threshold: 0.1, cooldown: 1, lowest: 0.2)
    let losses = [1, 0.8, 0.79, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, .nan, 0.8, 0.8, 0.8, 0.8]
    #expect(losses.map { plateau.update($0) } == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.2, 0.2])
    #expect(plateau.best == 0.8)
  }

  @Test func aPlateauOfAMetricThatShouldGrow() {
    var plateau = ReduceOnPlateau(goal: .maximum, reduction: 0.5, patience: 0)
    #expect([0.5, 0.6, 0.6, 0.7].map { plateau.update($0) } == [1, 1, 0.5, 0.5])
  }

  @Test func aPlateauGoesOnFromItsState() throws {
    var plateau = ReduceOnPlateau(reduction: 0.5, patience: 2, cooldown: 1)
    for loss in [1.0, 2, 3] { plateau.update(loss) }
    var restored = try JSONDecoder().decode(ReduceOnPlateau.self, from: JSONEncoder().encode(plateau))
    #expect(restored == plateau)
    for loss in [2.0, 0.5, 3, 3, 3, 3, 3] { #expect(restored.update(loss) == plateau.update(loss)) }
    #expect(plateau.factor == 0.25)
  }
}
