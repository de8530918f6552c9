import Cajal

/// A work, ready to run.
protocol Job {
  /// Numbers that must agree with everybody's.
  var checks: [Check] { get }
  mutating func warm() throws
  /// Milliseconds, one number a sample of `seconds` in all.
  mutating func sample(seconds: Double) throws -> [Double]
}

/// A sample lasts at least this long: the clock and the wait at the end cost nothing then.
let sampleSeconds = 0.010
/// Seconds after which two samples are enough.
private let long = 1.0
/// Steps set going before one is waited for, as a training loop that shows its loss now and then.
private let stepsARead = 10
/// Training steps of which the losses are compared.
private let checkedSteps = 8

/// A step that is run over and over.
struct RepeatedJob: Job {
  /// Sets one step going.
  let step: () throws -> Void
  /// Waits for what was set going, and reads the loss if there is one.
  let wait: () throws -> Void
  let checks: [Check]
  /// How often one step does the work.
  let units: Int
  private var steps = 1
  private var bursts = 1

  private init(step: @escaping () throws -> Void, wait: @escaping () throws -> Void, checks: [Check], units: Int) {
    (self.step, self.wait, self.checks, self.units) = (step, wait, checks, units)
  }

  /// Results that are computed whole at each step.
  init(units: Int = 1, _ results: @escaping () throws -> [Tensor]) throws {
    let checks = try digest(results())
    self.init(step: { try eval(results()) }, wait: {}, checks: checks, units: units)
  }

  /// What is waited for itself.
  init(checks: [Check], _ step: @escaping () throws -> Void) {
    self.init(step: step, wait: {}, checks: checks, units: 1)
  }

  /// Training: `step` gives its loss, which is read now and then.
  static func training(_ step: @escaping () -> Tensor) throws -> RepeatedJob {
    let checks = try (0..<checkedSteps).map { _ in
      let loss = Double(try step().item())
      return [loss, loss]
    }
    var loss = step()
    return RepeatedJob(step: { loss = step() }, wait: { _ = try loss.item() }, checks: checks, units: 1)
  }

  private func burst(_ count: Int) throws {
    for _ in 0..<count { try step() }
    try wait()
  }

  /// Runs for a while, and finds how many steps make a sample.
  mutating func warm() throws {
    try burst(1)
    let one = try seconds { try burst(1) }
    // Long steps are waited for one by one.
    steps = max(1, min(stepsARead, Int((10 * sampleSeconds / one).rounded())))
    var shortest = Double.infinity
    var total = 0.0
    while total < 0.3 {
      let time = try seconds { try burst(steps) }
      shortest = min(shortest, time)
      total += time
    }
    bursts = Int(sampleSeconds / shortest) + 1
  }

  /// The first, which wakes threads and fills caches, is left out.
  mutating func sample(seconds limit: Double) throws -> [Double] {
    var samples: [Double] = []
    var total = 0.0
    while samples.count < 2 || (samples.count < 4 && total < long) || total < limit {
      let time = try seconds { for _ in 0..<bursts { try burst(steps) } }
      samples.append(time * 1e3 / Double(bursts * steps * units))
      total += time
    }
    return Array(samples.dropFirst())
  }
}

func seconds(_ body: () throws -> Void) rethrows -> Double {
  let duration = try ContinuousClock().measure(body)
  return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}
