import CajalBase
import CajalTensor

/// Says of an example what the k examples nearest to it say: by most votes of their classes, or the mean of their
/// numbers (Cover and Hart 1967). Distances are Euclidean; of equal ones, the earlier example is nearer.
///
/// It learns nothing and needs no epochs: what a network must beat.
///
/// ```swift
/// let neighbors = NearestNeighbors(train, k: 5)
/// let right = (try neighbors.predictions(test.inputs) .== test.labels).cast(to: .float32).mean()
/// ```
public struct NearestNeighbors: Sendable {
  public let data: LabeledData
  public let k: Int

  /// - Parameter k: how many neighbours are asked; at least 1, at most all.
  public init(_ data: LabeledData, k: Int = 5) {
    self.data = data
    self.k = Swift.max(1, Swift.min(k, data.count))
  }

  /// The class of each example, or its number.
  ///
  /// **Shapes**: `[N, …]` gives `[N]`, int32, for classes; of votes that are equal, the class of the nearest. For numbers
  /// `[N, M]` where the targets are `[examples, M]`.
  /// - Throws: ``TensorError`` where the examples have other shapes than those known.
  public func predictions(_ inputs: Tensor) throws -> Tensor {
    guard let classes = data.classes else { return try means(inputs) }
    let labels = try data.targets.scalars(Int.self)
    let predicted = try neighbors(of: inputs).map { nearest -> Int32 in
      var votes = [Int](repeating: 0, count: classes)
      for index in nearest { votes[labels[index]] += 1 }
      let most = votes.max() ?? 0
      return Int32(nearest.first { votes[labels[$0]] == most }.map { labels[$0] } ?? 0)
    }
    return Tensor(predicted)
  }

  /// The share of each class among the neighbours.
  ///
  /// **Shapes**: `[N, …]` gives `[N, classes]`, float32.
  public func probabilities(_ inputs: Tensor) throws -> Tensor {
    let classes = data.classes ?? 0
    let labels = try data.targets.scalars(Int.self)
    let nearest = try neighbors(of: inputs)
    var shares = [Float](repeating: 0, count: nearest.count * classes)
    for (row, indices) in nearest.enumerated() {
      for index in indices { shares[row * classes + labels[index]] += 1 / Float(k) }
    }
    return Tensor(shares, shape: [nearest.count, classes])
  }

  /// The indices of the nearest examples of each, the nearest first.
  public func neighbors(of inputs: Tensor) throws -> [[Int]] {
    let known = data.inputs.flattened(from: 1).cast(to: .float32)
    let asked = inputs.flattened(from: 1).cast(to: .float32)
    let lengths = known.squared().sum(axis: 1)
    try eval(known, asked, lengths)
    // Distances in blocks of at most 16 Mi numbers.
    let block = Swift.max(1, (16 << 20) / Swift.max(1, data.count))
    var nearest: [[Int]] = []
    var start = 0
    while start < inputs.shape[0] {
      let end = Swift.min(start + block, inputs.shape[0])
      // ‖a − b‖² = ‖a‖² − 2ab + ‖b‖²; ‖a‖² is the same for all.
      let distances = try (lengths - asked[start..<end].matmul(known, transposingOther: true) * 2).scalars(Float.self)
      distances.withUnsafeBufferPointer { distances in
        for row in 0..<end - start {
          nearest.append(smallest(UnsafeBufferPointer(rebasing: distances[row * data.count..<(row + 1) * data.count])))
        }
      }
      start = end
    }
    return nearest
  }

  /// The places of the k smallest numbers, the smallest first.
  private func smallest(_ numbers: UnsafeBufferPointer<Float>) -> [Int] {
    var best: [Int] = []
    var worst = Float.infinity
    for index in numbers.indices where best.count < k || numbers[index] < worst {
      if best.count == k { best.removeLast() }
      let place = best.firstIndex { numbers[$0] > numbers[index] } ?? best.count
      best.insert(index, at: place)
      worst = numbers[best[best.count - 1]]
    }
    return best
  }

  private func means(_ inputs: Tensor) throws -> Tensor {
    let nearest = try neighbors(of: inputs)
    let chosen = data.targets.take(Tensor(nearest.flatMap { $0.map { Int32($0) } }))
    let width = data.targets.shape.suffix(from: 1)
    return chosen.reshaped(to: [nearest.count, k] + width).mean(axis: 1)
  }
}
