import CajalTensor

// How embeddings should lie to each other.

/// d where the target is 1, max(0, margin − d) where it is −1: distances of what is alike become small.
///
/// **Shapes**: distances and targets (−1 or 1, or bool) alike, but for axes of extent 1.
public func hingeEmbedding(
  _ distances: Tensor, _ targets: Tensor, margin: Double = 1, reduction: Reduction = .mean
) -> Tensor {
  let (x, y) = paired("hingeEmbedding", distances, signs(targets))
  return hingeEmbeddingError(x, y, x.data(margin), reduction: reduction)
}
private let hingeEmbeddingError = LossFormula("hingeEmbedding") { operands in
  (operands[1] .> 0).select(operands[0], (operands[2] - operands[0]).relu())
}

/// 1 − cos of the angle between output and target.
///
/// **Shapes**: `[…, C]` both.
public func cosineDistance(_ outputs: Tensor, _ targets: Tensor, reduction: Reduction = .mean) -> Tensor {
  let (x, y) = paired("cosineDistance", outputs, targets)
  return cosineError(x, y, reduction: reduction)
}
private let cosineError = LossFormula("cosineDistance") { 1 - cosine($0[0], $0[1]) }

private func cosine(_ x: Tensor, _ y: Tensor) -> Tensor {
  // So that a vector of zeros has a gradient; as PyTorch's.
  let (a, b) = (x.squared().sum(axis: -1) + 1e-12, y.squared().sum(axis: -1) + 1e-12)
  return (x * y).sum(axis: -1) * (a * b).rsqrt()
}

/// 1 − cos of the angle between two embeddings where the target is 1, max(0, cos − margin) where it is −1.
///
/// **Shapes**: embeddings `[…, C]`, targets (−1 or 1, or bool) `[…]`.
public func cosineEmbedding(
  _ first: Tensor, _ second: Tensor, _ targets: Tensor, margin: Double = 0, reduction: Reduction = .mean
) -> Tensor {
  let (x, y) = paired("cosineEmbedding", first, second)
  let target = signs(targets).cast(to: x.dtype)
  return cosineEmbeddingError(x, y, target, x.data(margin), reduction: reduction)
}
private let cosineEmbeddingError = LossFormula("cosineEmbedding") { operands in
  let cos = cosine(operands[0], operands[1])
  return (operands[2] .> 0).select(1 - cos, (cos - operands[3]).relu())
}

/// max(0, |anchor − positive| − |anchor − negative| + margin): what is alike lies nearer than what is not. Schroff
/// et al. 2015, with distances in place of their squares.
///
/// **Shapes**: `[…, C]` all three.
public func triplet(
  _ anchors: Tensor, _ positives: Tensor, _ negatives: Tensor, margin: Double = 1, reduction: Reduction = .mean
) -> Tensor {
  let (anchor, positive) = paired("triplet", anchors, positives)
  let (_, negative) = paired("triplet", anchors, negatives)
  return tripletError(anchor, positive, negative, anchor.data(margin), reduction: reduction)
}
private let tripletError = LossFormula("triplet") { operands in
  (distance(operands[0], operands[1]) - distance(operands[0], operands[2]) + operands[3]).relu()
}

/// |x − y|, whose gradient is finite where they are equal too: each difference is 1e-6 more, as PyTorch's.
private func distance(_ x: Tensor, _ y: Tensor) -> Tensor { (x - y + 1e-6).norm }

/// d² / 2 where two embeddings are alike, max(0, margin − d)² / 2 where they are not, of d = |first − second|:
/// Hadsell et al. 2006.
///
/// **Shapes**: embeddings `[…, C]`; `isAlike` (1 or 0, or bool) `[…]`.
public func contrastive(
  _ first: Tensor, _ second: Tensor, isAlike: Tensor, margin: Double = 1, reduction: Reduction = .mean
) -> Tensor {
  let (x, y) = paired("contrastive", first, second)
  return contrastiveError(x, y, isAlike.cast(to: .bool), x.data(margin), reduction: reduction)
}
private let contrastiveError = LossFormula("contrastive") { operands in
  let d = distance(operands[0], operands[1])
  return operands[2].select(d, (operands[3] - d).relu()).squared() * 0.5
}

/// max(0, margin − order · (first − second)): the first should be the greater where the order is 1, the second where
/// it is −1.
///
/// **Shapes**: first, second and order (−1 or 1, or bool) alike, but for axes of extent 1.
public func marginRanking(
  _ first: Tensor, _ second: Tensor, _ order: Tensor, margin: Double = 0, reduction: Reduction = .mean
) -> Tensor {
  let (x, y) = paired("marginRanking", first, second)
  let (_, sign) = paired("marginRanking", first, signs(order))
  return rankingError(x, y, sign, x.data(margin), reduction: reduction)
}
private let rankingError = LossFormula("marginRanking") { operands in
  (operands[3] - operands[2] * (operands[0] - operands[1])).relu()
}
