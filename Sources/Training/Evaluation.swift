import CajalBase
import CajalData
import CajalNN
import CajalTensor

/// The fraction of `data` whose class the model gives the highest score.
///
/// - Parameter model: from `[N, …]` to scores `[N, classes]`.
public func accuracy(of model: some Layer, on data: LabeledData, batchSize: Int = 1000) throws -> Double {
  var right = Tensor.zeros([], dtype: .int64)
  for (x, y) in data.batches(of: batchSize) {
    right += (model(x).argmax(axis: -1) .== y).sum()
  }
  return Double(try right.item(as: Int.self)) / Double(max(1, data.count))
}
