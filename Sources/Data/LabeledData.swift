import CajalBase
import CajalTensor

/// Examples and what is to be said of them, in memory of a device.
public struct LabeledData: Sendable {
  /// `[N, …]`: what is seen. uint8 pictures count as 0…1 in batches.
  public let inputs: Tensor
  /// `[N, …]`: the class of each, integers; or numbers.
  public let targets: Tensor
  /// How many classes there are; `nil` where the targets are no classes.
  public let classes: Int?

  public init(inputs: Tensor, targets: Tensor, classes: Int? = nil) {
    self.inputs = inputs
    let isMatched = inputs.error != nil || targets.error != nil || inputs.shape[0] == targets.shape[0]
    self.targets = isMatched ? targets : LabeledData.mismatch(inputs, targets)
    self.classes = classes
  }

  private static func mismatch(_ inputs: Tensor, _ targets: Tensor) -> Tensor {
    Tensor(
      error: TensorError(
        .shape, operation: "data", "inputs \(inputs.shape) and targets \(targets.shape) are not as many examples",
        remedy: "Give each example one target, along the first axis"))
  }

  public init(inputs: Tensor, labels: Tensor, classes: Int) {
    self.init(inputs: inputs, targets: labels, classes: classes)
  }

  /// The targets, where they are classes.
  public var labels: Tensor { targets }

  /// How many examples.
  public var count: Int { inputs.shape[0] }

  /// The examples in batches, again and again: in the order of the examples, or in each epoch another if shuffled.
  /// Each batch is part of the step's plan.
  ///
  /// - Parameters:
  ///   - droppingLast: leaves out what is left at the end where it does not fill a batch.
  ///   - seed: with the epoch, says the order, if shuffled.
  public func batched(
    _ size: Int, shuffled: Bool = false, seed: UInt64 = 0, droppingLast: Bool = false
  ) -> Dataset<Batch> {
    // No larger than the data, so that sums of sizes and positions cannot overflow.
    let size = Swift.max(1, Swift.min(size, count))
    let batches = droppingLast ? count / size : (count + size - 1) / size
    return Dataset(
      count: batches,
      .indexed(.none) { epoch in
        let order = shuffled ? Permutation.make(count, seed: seed, epoch: epoch) : nil
        return Indexed(count: batches) { batch in
          self.batch(batch * size..<Swift.min((batch + 1) * size, count), in: order)
        }
      })
  }

  /// The examples in batches, once; the last may be shorter.
  ///
  /// - Parameters:
  ///   - seed, epoch: say the order, if shuffled: the same for the same numbers.
  public func batches(of size: Int, shuffled: Bool = false, seed: UInt64 = 0, epoch: Int = 0) -> Batches {
    let batched = batched(size, shuffled: shuffled, seed: seed)
    return Batches(count: batched.count ?? 0, pass: batched.pass(epoch: epoch))
  }

  /// The examples that `indices` name.
  public func selecting(_ indices: [Int]) -> LabeledData {
    let (inputs, targets) = gathered(Tensor(indices.map { Int32(clamping: $0) }))
    return LabeledData(inputs: inputs, targets: targets, classes: classes)
  }

  private func batch(_ range: Range<Int>, in order: [Int32]?) -> Batch {
    let (inputs, targets) = withDevice(inputs.device) {
      order.map { gathered(Tensor(Array($0[range]))) } ?? (self.inputs[range], self.targets[range])
    }
    // Bytes are brightness: 0…255 becomes 0…1.
    return Batch(inputs: inputs.dtype == .uint8 ? inputs / 255 : inputs, targets: targets)
  }

  private func gathered(_ indices: Tensor) -> (Tensor, Tensor) { (inputs.take(indices), targets.take(indices)) }
}

/// One pass over examples: `for (x, y) in data.batches(of: 128)`. Each batch is part of the step's plan.
public struct Batches: Sequence, IteratorProtocol {
  /// Batches in all.
  public let count: Int
  private var pass: Pass<Batch>

  init(count: Int, pass: Pass<Batch>) {
    self.count = count
    self.pass = pass
  }

  public mutating func next() -> (x: Tensor, y: Tensor)? { pass.next().map { ($0.inputs, $0.targets) } }
}
