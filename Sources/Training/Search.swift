import CajalBase
import Foundation

/// Looks for the hyperparameters with the best score.
///
/// ```swift
/// let search = Search(["rate": .logarithmic(1e-4...1e-1), "units": .choices([32, 64, 128])])
/// let trials = try search.run(search.drawn(20, seed: 1), budget: 10) { candidate, epochs in
///   let model = makeModel(units: Int(candidate["units"]))
///   let trainer = Trainer(model, loss: .softmaxCrossEntropy, optimizer: Adam(learningRate: candidate["rate"]))
///   try trainer.fit(train, epochs: epochs)
///   return try accuracy(of: model, on: validation)
/// }
/// print(trials[0].candidate.values)
/// ```
public struct Search: Sendable {
  /// Where a hyperparameter may lie.
  public enum Domain: Sendable {
    case choices([Double])
    case linear(ClosedRange<Double>)
    /// Positive; each factor of ten is as likely.
    case logarithmic(ClosedRange<Double>)
  }

  /// A choice of all hyperparameters.
  public struct Candidate: Sendable, Hashable {
    public let values: [String: Double]
    public init(_ values: [String: Double]) { self.values = values }
    /// NaN where there is none of that name.
    public subscript(name: String) -> Double { values[name] ?? .nan }
  }

  /// A candidate that was tried.
  public struct Trial: Sendable {
    public let candidate: Candidate
    public let score: Double
    /// What it was given: epochs, as a rule.
    public let budget: Int
  }

  /// Trains by a candidate with a budget of epochs, and gives its score.
  public typealias Evaluation = (_ candidate: Candidate, _ budget: Int) throws -> Double

  public let domains: [String: Domain]
  /// Whether more is better.
  public let shouldRise: Bool

  public init(_ domains: [String: Domain], shouldRise: Bool = true) {
    self.domains = domains
    self.shouldRise = shouldRise
  }

  // MARK: Candidates

  /// All combinations; of ranges, `points` numbers each.
  public func grid(points: Int = 4) -> [Candidate] {
    domains.sorted { $0.key < $1.key }.reduce([[:]]) { combinations, entry in
      combinations.flatMap { combination in
        entry.value.points(points).map { combination.merging([entry.key: $0]) { _, new in new } }
      }
    }.map(Candidate.init)
  }

  /// Draws: Bergstra and Bengio 2012, "Random search for hyper-parameter optimization".
  public func drawn(_ count: Int, seed: UInt64) -> [Candidate] {
    (0..<max(0, count)).map { index in
      var values: [String: Double] = [:]
      for (position, entry) in domains.sorted(by: { $0.key < $1.key }).enumerated() {
        let word = Philox.word(key: Philox.derive(seed, UInt64(index)), stream: 0, index: UInt64(position))
        values[entry.key] = entry.value.place(Double(word) / 0x1p32)
      }
      return Candidate(values)
    }
  }

  // MARK: Trying

  /// Tries each, and gives the trials, the best first.
  ///
  /// - Parameter onTrial: told of each trial, and how many there will be.
  public func run(
    _ candidates: [Candidate], budget: Int, onTrial: (Trial, _ done: Int, _ count: Int) throws -> Void = { _, _, _ in },
    _ evaluation: Evaluation
  ) throws -> [Trial] {
    var trials: [Trial] = []
    for candidate in candidates {
      trials.append(Trial(candidate: candidate, score: try evaluation(candidate, budget), budget: budget))
      try onTrial(trials[trials.count - 1], trials.count, candidates.count)
    }
    return ranked(trials)
  }

  /// Successive halving (Jamieson and Talwalkar 2016): all candidates get a little budget, the best third of them
  /// three times as much, and so on up to `budget`. Gives the last round's trials, the best first.
  public func halving(
    _ candidates: [Candidate], budget: Int, factor: Int = 3,
    onTrial: (Trial, _ done: Int, _ count: Int) throws -> Void = { _, _, _ in }, _ evaluation: Evaluation
  ) throws -> [Trial] {
    let factor = max(2, factor)
    var rounds = 0
    while candidates.count >= Int(pow(Double(factor), Double(rounds + 1))) { rounds += 1 }
    var left = candidates
    var trials: [Trial] = []
    for round in 0...rounds {
      let share = max(1, budget / Int(pow(Double(factor), Double(rounds - round))))
      trials = try run(left, budget: share, onTrial: onTrial, evaluation)
      left = trials.prefix(max(1, left.count / factor)).map(\.candidate)
    }
    return trials
  }

  /// Equal scores stay in the order of their candidates; what is no number comes last.
  private func ranked(_ trials: [Trial]) -> [Trial] {
    let scores = trials.map { $0.score.isNaN ? -.infinity : shouldRise ? $0.score : -$0.score }
    return trials.indices.sorted { scores[$0] != scores[$1] ? scores[$0] > scores[$1] : $0 < $1 }.map { trials[$0] }
  }
}

extension Search.Domain {
  /// What stands at `fraction`, from 0 up to but not 1.
  func place(_ fraction: Double) -> Double {
    switch self {
    case .choices(let choices):
      choices.isEmpty ? .nan : choices[min(choices.count - 1, Int(fraction * Double(choices.count)))]
    case .linear(let range): range.lowerBound + fraction * (range.upperBound - range.lowerBound)
    case .logarithmic(let range): range.lowerBound * pow(range.upperBound / range.lowerBound, fraction)
    }
  }

  /// All choices, or `count` numbers from end to end.
  func points(_ count: Int) -> [Double] {
    if case .choices(let choices) = self { return choices }
    return (0..<max(1, count)).map { place(count > 1 ? Double($0) / Double(count - 1) : 0.5) }
  }
}
