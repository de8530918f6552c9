import CajalBase
import CajalData
import CajalNN
import CajalTensor

/// The fraction of `data` whose class the model gives the highest score.
///
/// - Parameters:
///   - model: from `[N, …]` to scores `[N, classes]`.
///   - onProgress: called after each batch with the number of examples seen.
public func accuracy(
  of model: some Layer, on data: LabeledData, batchSize: Int = 1000, onProgress: (_ done: Int) throws -> Void = { _ in }
) throws -> Double {
  var right = Tensor.zeros([], dtype: .int64)
  var done = 0
  for (x, y) in data.batches(of: batchSize) {
    right += (model(x).argmax(axis: -1) .== y).sum()
    done += y.shape[0]
    try onProgress(done)
  }
  return Double(try right.item(as: Int.self)) / Double(max(1, data.count))
}
