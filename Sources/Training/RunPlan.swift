import CajalData
import CajalTensor

/// What makes a run the one it is, besides its model and its seed: as a checkpoint holds it, for what goes on to be the
/// same.
struct RunPlan: Codable {
  /// Passes in all, where the schedule goes by them.
  var epochs: Int?
  var stepsPerEpoch: Int?
  var accumulatedBatches: Int
  var precision: String?
  /// Before the schedule, by the names of the optimizers.
  var learningRates: [String: Double]
  /// `nil` where there is none, or it cannot be read.
  var firstBatch: BatchDigest?

  /// What is other in `new`, which is to go on, and does no harm.
  ///
  /// - Parameter again: reads the first batch once more.
  /// - Throws: ``TrainingError`` where steps would be others than they would have been.
  func differences(from new: RunPlan, again: () -> BatchDigest?) throws -> [String] {
    func check(_ what: String, _ was: (some Equatable)?, _ now: (some Equatable)?) throws {
      let (old, new) = (was.map { "\($0)" } ?? "none", now.map { "\($0)" } ?? "none")
      guard old != new else { return }
      throw TrainingError(
        problem: "the run was begun with another \(what): \(old), not \(new)",
        remedy: "Go on with what it was begun with, or name another folder to begin anew")
    }
    try check("precision", precision, new.precision)
    try check("number of accumulated batches", accumulatedBatches, new.accumulatedBatches)
    if let old = firstBatch, let now = new.firstBatch, old != now {
      // What is drawn without a seed is another each time, and tells nothing.
      let second = again()
      if second?.shapes == now.shapes { try check("shape of batches", old.shapes, now.shapes) }
      if second == now {
        throw TrainingError(
          problem: "the data is not what the run was begun with: its first batch holds other numbers",
          remedy: "Give the same data, prepared and ordered as it was, or name another folder to begin anew")
      }
    }
    // Nobody knows how many some data has before it has been read.
    if stepsPerEpoch != nil, new.stepsPerEpoch != nil { try check("number of steps", stepsPerEpoch, new.stepsPerEpoch) }
    var harmless: [String] = []
    if let epochs, let now = new.epochs, epochs != now {
      harmless.append("the schedule is of \(now) epochs from here on; the run was begun for \(epochs).")
    }
    for (name, old) in learningRates.sorted(by: { $0.key < $1.key }) {
      guard let now = new.learningRates[name], now != old else { continue }
      harmless.append("the learning rate of \(name) is \(now) from here on; it was \(old).")
    }
    return harmless
  }
}

/// Enough of a batch to know it again: what its numbers sum to, as they are and by their places. Close sums count as
/// equal: another machine may round otherwise.
struct BatchDigest: Codable, Equatable {
  private struct Part: Codable {
    var shape: [Int]
    var dtype: String
    /// Σx, Σ|x| and Σ place · x with places from 0 to 1; 0 for what is not finite.
    var sums: [Double]
  }

  private var inputs: Part
  private var targets: Part

  /// `nil` where there is no batch, or it cannot be read.
  init?(firstOf data: Dataset<Batch>) {
    var pass = data.pass(epoch: 1)
    guard let batch = pass.next(), let inputs = BatchDigest.part(batch.inputs),
      let targets = BatchDigest.part(batch.targets)
    else { return nil }
    (self.inputs, self.targets) = (inputs, targets)
  }

  private static func part(_ tensor: Tensor) -> Part? {
    let numbers = tensor.flattened().cast(to: .float64)
    let places = Tensor.arange(numbers.count, dtype: .float64) / Double(max(1, numbers.count))
    let sums = Tensor.stack([numbers.sum(), numbers.abs().sum(), (numbers * places).sum()])
    guard let found = try? sums.scalars(Double.self) else { return nil }
    return Part(shape: tensor.shape.array, dtype: "\(tensor.dtype)", sums: found.map { $0.isFinite ? $0 : 0 })
  }

  /// `inputs [8, 2] float32, targets [8] int32`.
  var shapes: String {
    "inputs \(inputs.shape) \(inputs.dtype), targets \(targets.shape) \(targets.dtype)"
  }

  static func == (left: BatchDigest, right: BatchDigest) -> Bool {
    left.shapes == right.shapes && isClose(left.inputs, right.inputs) && isClose(left.targets, right.targets)
  }

  private static func isClose(_ left: Part, _ right: Part) -> Bool {
    let size = max(left.sums[1], right.sums[1])
    return zip(left.sums, right.sums).allSatisfy { abs($0 - $1) <= 1e-6 * size }
  }
}
