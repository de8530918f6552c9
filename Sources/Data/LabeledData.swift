import CajalBase
import CajalTensor

/// Examples and their labels, in memory of a device.
public struct LabeledData: Sendable {
  /// `[N, …]`: what is seen. uint8 pictures count as 0…1 in batches.
  public let inputs: Tensor
  /// `[N]`, integers: the class of each.
  public let labels: Tensor
  /// How many classes there are.
  public let classes: Int

  public init(inputs: Tensor, labels: Tensor, classes: Int) {
    self.inputs = inputs
    self.labels = labels
    self.classes = classes
  }

  /// How many examples.
  public var count: Int { inputs.shape[0] }

  /// The examples in batches; the last may be shorter.
  ///
  /// - Parameters:
  ///   - seed, epoch: say the order, if shuffled: the same for the same numbers.
  public func batches(of size: Int, shuffled: Bool = false, seed: UInt64 = 0, epoch: Int = 0) -> Batches {
    // No larger than the data, so that sums of sizes and positions cannot overflow.
    let size = Swift.max(1, Swift.min(size, count))
    return Batches(self, size: size, order: shuffled ? Permutation.make(count, seed: seed, epoch: epoch) : nil)
  }
}

/// One pass over examples: `for (x, y) in data.batches(of: 128)`. Each batch is part of the step's plan.
public struct Batches: Sequence, IteratorProtocol, Sendable {
  private let data: LabeledData
  private let size: Int
  private let order: [Int32]?
  private var position = 0

  init(_ data: LabeledData, size: Int, order: [Int32]?) {
    self.data = data
    self.size = size
    self.order = order
  }

  /// Batches in all.
  public var count: Int { (data.count + size - 1) / size }

  public mutating func next() -> (x: Tensor, y: Tensor)? {
    guard position < data.count else { return nil }
    Runtime.startPending()
    let end = Swift.min(position + size, data.count)
    defer { position = end }
    let (inputs, labels) = withDevice(data.inputs.device) { select(position..<end) }
    return (Batches.scaled(inputs), labels)
  }

  private func select(_ range: Range<Int>) -> (Tensor, Tensor) {
    guard let order else { return (data.inputs[range], data.labels[range]) }
    let indices = Tensor(Array(order[range]))
    return (data.inputs.take(indices), data.labels.take(indices))
  }

  /// Bytes are brightness: 0…255 becomes 0…1.
  private static func scaled(_ inputs: Tensor) -> Tensor { inputs.dtype == .uint8 ? inputs / 255 : inputs }
}

/// Orders of examples that depend on nothing but (seed, epoch).
enum Permutation {
  /// Fisher and Yates's shuffle (Durstenfeld 1964) of 0..<count, drawn from Philox.
  static func make(_ count: Int, seed: UInt64, epoch: Int) -> [Int32] {
    var order = (0..<Int32(clamping: count)).map { $0 }
    let key = Philox.derive(seed, UInt64(bitPattern: Int64(epoch)))
    for last in stride(from: order.count - 1, to: 0, by: -1) {
      let word = Philox.word(key: key, stream: 0, index: UInt64(last))
      // ⌊word · (last + 1) / 2³²⌋: uniform to one part in 2³² / (last + 1).
      let other = Int((UInt64(word) * UInt64(last + 1)) >> 32)
      order.swapAt(last, other)
    }
    return order
  }
}
