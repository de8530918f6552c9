import CajalBase
import CajalTensor

/// Examples that one step looks at.
public struct Batch: Sendable {
  /// `[N, …]`: what is seen.
  public var inputs: Tensor
  /// `[N, …]`: what is to be said of each.
  public var targets: Tensor
  /// How many examples, N.
  public var count: Int

  public init(inputs: Tensor, targets: Tensor) {
    self.inputs = inputs
    self.targets = targets
    count = inputs.rank > 0 ? inputs.shape[0] : 1
  }
}

/// Elements that can say why they could not be read.
protocol FailureCarrying {
  init(failure: any Error)
}

extension Tensor: FailureCarrying {
  init(failure: any Error) {
    let error =
      failure as? TensorError
      ?? TensorError(.input, operation: "data", "\(failure)", remedy: "Mend the data, or leave the example out")
    self.init(error: error)
  }
}

extension Batch: FailureCarrying {
  init(failure: any Error) {
    let tensor = Tensor(failure: failure)
    self.init(inputs: tensor, targets: tensor)
  }
}

extension Dataset {
  /// What `collate` makes of each `size` elements in a row.
  ///
  /// - Parameter droppingLast: leaves out what is left at the end where it does not fill a batch.
  public func batched<Result: Sendable>(
    _ size: Int, droppingLast: Bool = false, collate: @escaping @Sendable ([Element]) throws -> Result
  ) -> Dataset<Result> {
    let size = Swift.max(1, size)
    let batches: @Sendable (Int) -> Int = { $0 / size + (droppingLast || $0 % size == 0 ? 0 : 1) }
    switch opening {
    case .indexed(let workers, let open):
      return Dataset<Result>(
        count: count.map(batches), depth: depth,
        .indexed(workers) { epoch in
          let indexed = try open(epoch)
          return Indexed(count: batches(indexed.count)) { batch in
            let start = batch * size
            let end = indexed.count - start < size ? indexed.count : start + size
            return try collate(try (start..<end).map(indexed.element))
          }
        })
    case .streamed(let open):
      return Dataset<Result>(
        count: count.map(batches), depth: depth,
        .streamed { epoch, position in
          let pull = try open(epoch, position * size)
          return {
            var elements: [Element] = []
            while elements.count < size, let element = try pull() { elements.append(element) }
            return elements.count == size || !droppingLast && !elements.isEmpty ? try collate(elements) : nil
          }
        })
    }
  }
}

extension Dataset where Element == Tensor {
  /// Stacks each `size` tensors in a row.
  ///
  /// **Shapes**: `[…]` gives `[N, …]`. Where extents differ, they must be padded: see `padding`.
  ///
  /// - Parameters:
  ///   - droppingLast: leaves out what is left at the end where it does not fill a batch.
  ///   - padding: fills shorter tensors, at the end of each axis, up to the longest of the batch.
  public func batched(_ size: Int, droppingLast: Bool = false, padding: Float? = nil) -> Dataset<Tensor> {
    batched(size, droppingLast: droppingLast) { stacked($0, padding: padding) }
  }
}

extension Dataset where Element == (Tensor, Tensor) {
  /// Stacks each `size` examples (input, target) in a row.
  ///
  /// **Shapes**: `([…], […])` gives `([N, …], [N, …])`.
  ///
  /// - Parameters:
  ///   - droppingLast: leaves out what is left at the end where it does not fill a batch.
  ///   - padding: fills shorter inputs, at the end of each axis, up to the longest of the batch.
  public func batched(_ size: Int, droppingLast: Bool = false, padding: Float? = nil) -> Dataset<Batch> {
    batched(size, droppingLast: droppingLast) { examples in
      Batch(
        inputs: stacked(examples.map { $0.0 }, padding: padding), targets: stacked(examples.map { $0.1 }, padding: nil))
    }
  }
}

private func stacked(_ tensors: [Tensor], padding: Float?) -> Tensor {
  guard let padding, let rank = tensors.first?.rank, tensors.allSatisfy({ $0.rank == rank && $0.error == nil }) else {
    return Tensor.stack(tensors)
  }
  let longest = (0..<rank).map { axis in tensors.map { $0.shape[axis] }.max() ?? 0 }
  return Tensor.stack(
    tensors.map { tensor in
      let widths = longest.enumerated().map { (0, $1 - tensor.shape[$0]) }
      return widths.allSatisfy { $0.1 == 0 } ? tensor : tensor.padded(widths, with: padding)
    })
}
