import CajalBase
import CajalData
import CajalTensor

// Augmentation that blends the pictures of a batch; targets become shares of classes, `[N, C]`, which
// `softmaxCrossEntropy` and `accuracy` take as well.

extension Dataset where Element == Batch {
  /// Each picture blended with the one before it in the batch, by one share of the distribution β(α, α) a batch (Zhang
  /// et al. 2018, "mixup").
  public func mixedUp(alpha: Double = 0.2, classes: Int, seed: UInt64 = 0) -> Dataset<Batch> {
    map(seed: seed) { batch, generator in
      var draws = RandomDraws(key: generator.key)
      let share = draws.beta(alpha)
      let others = batch.inputs.rolled()
      return Batch(
        inputs: batch.inputs * share + others * (1 - share), targets: batch.blendedTargets(share, classes))
    }
  }

  /// Of each picture a rectangle from the one before it in the batch, of a share of the area from the distribution
  /// β(α, α), the same one a batch (Yun et al. 2019, "CutMix").
  ///
  /// **Shapes**: inputs `[N, H, W, C]`.
  public func cutMixed(alpha: Double = 1, classes: Int, seed: UInt64 = 0) -> Dataset<Batch> {
    map(seed: seed) { batch, generator in
      guard batch.inputs.rank == 4 else { return batch }
      var draws = RandomDraws(key: generator.key)
      let (height, width) = (batch.inputs.shape[1], batch.inputs.shape[2])
      let side = (1 - draws.beta(alpha)).squareRoot()
      let (high, wide) = (Int(side * Double(height)), Int(side * Double(width)))
      let (top, left) = (draws.index(height) - high / 2, draws.index(width) - wide / 2)
      // As a picture: 255 where the other shows.
      let mask = Image(width, height, color: [0]).covered(left: left, top: top, width: wide, height: high, with: 255)
      let covered = mask.bytes.reduce(0) { $0 + ($1 > 0 ? 1 : 0) }
      let inputs = (mask.tensor .> 0).select(batch.inputs.rolled(), batch.inputs)
      return Batch(
        inputs: inputs, targets: batch.blendedTargets(1 - Double(covered) / Double(width * height), classes))
    }
  }
}

extension Batch {
  fileprivate func blendedTargets(_ share: Double, _ classes: Int) -> Tensor {
    let own = targets.rank > 1 ? targets : targets.oneHot(classes)
    return own * share + own.rolled() * (1 - share)
  }
}

extension Tensor {
  /// The last example first.
  fileprivate func rolled() -> Tensor {
    let count = shape[0]
    return count > 1 ? Tensor.concatenate([self[(count - 1)..<count], self[0..<(count - 1)]]) : self
  }
}
