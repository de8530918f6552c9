import CajalBase
import CajalData
import Foundation

/// What k trainings found, each tested on the part that it was not trained on: Stone 1974.
public struct CrossValidation: Sendable {
  /// The measures on each fold's part.
  public let folds: [Measures]

  public init(folds: [Measures]) { self.folds = folds }

  /// The mean over the folds.
  public func mean(_ name: String) -> Double {
    let values = folds.compactMap { $0[name] }
    return values.reduce(0, +) / Double(max(1, values.count))
  }

  /// The standard deviation over the folds, as of a sample.
  public func standardDeviation(_ name: String) -> Double {
    let values = folds.compactMap { $0[name] }
    let mean = mean(name)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(max(1, values.count - 1))).squareRoot()
  }

  /// Trains and tests `folds` times.
  ///
  /// ```swift
  /// let result = try CrossValidation.run(count: digits.count, folds: 5, strata: classes) { train, test in
  ///   let trainer = Trainer(makeModel(), loss: .softmaxCrossEntropy, optimizer: Adam(), metrics: [.accuracy])
  ///   try trainer.fit(digits.selecting(train), epochs: 20)
  ///   return try trainer.evaluate(digits.selecting(test).batched(100))
  /// }
  /// print(result.mean("accuracy"), result.standardDeviation("accuracy"))
  /// ```
  ///
  /// - Parameters:
  ///   - strata: a number for each example, such as its class: each fold has its share of every stratum.
  ///   - body: makes a model anew, trains it on the first examples and measures it on the second.
  public static func run(
    count: Int, folds: Int, strata: [Int]? = nil, seed: UInt64 = 0,
    _ body: (_ train: [Int], _ test: [Int]) throws -> Measures
  ) throws -> CrossValidation {
    let parts = try Partition.folds(count, folds, strata: strata, seed: seed)
    return CrossValidation(
      folds: try parts.indices.map { fold in
        let train = parts.indices.filter { $0 != fold }.flatMap { parts[$0] }.sorted()
        return try body(train, parts[fold])
      })
  }
}
