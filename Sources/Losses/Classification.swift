import CajalBase
import CajalIR
import CajalOperations
import CajalTensor

// How far scores are from classes. Scores are logits: no softmax or sigmoid before them, which would cost precision.

/// −ln softmax(logits) of the right class.
///
/// Labels are class numbers, or one probability a class (one-hot among them).
///
/// **Shapes**: logits `[…, C]`; labels `[…]` (or `[…, 1]`) of integers in 0..<C, or `[…, C]`; weights `[C]`. A label
/// outside fails the step, which then changes nothing.
///
/// - Parameters:
///   - weights: how much each class counts. The mean is then divided by the weights of the labels, as PyTorch's.
///   - smoothing: the share of each label that is spread over all classes: Szegedy et al. 2016.
///   - ignored: a label whose examples do not count, such as that of padding.
public func softmaxCrossEntropy(
  _ logits: Tensor, _ labels: Tensor, weights: Tensor? = nil, smoothing: Double = 0, ignoring ignored: Int? = nil,
  reduction: Reduction = .mean
) -> Tensor {
  let isSoft = labels.shape == logits.shape && logits.rank > 0
  let numbers = isSoft ? labels : squeezed(labels, logits)
  if !isSoft, weights == nil, smoothing == 0, ignored == nil {
    if reduction == .mean { return logits.map(numbers) { $0.meanSoftmaxCrossEntropy(labels: $1) } }
    return reduction(logits.map(numbers) { $0.softmaxCrossEntropy(labels: $1) })
  }
  if hasFailed(logits, labels) { return logits + labels.cast(to: logits.dtype) }
  let x = logits.computing
  if isSoft {
    return softCrossEntropy(
      x, smoothed(labels.cast(to: x.dtype), smoothing, classes: logits.shape[-1]), weights, reduction)
  }
  guard numbers.shape == logits.shape.prefix(logits.rank - 1), !labels.dtype.isFloat else {
    // Says what is wrong.
    return logits.map(numbers) { $0.softmaxCrossEntropy(labels: $1) }
  }
  let counts = ignored.map { numbers .!= numbers.data($0) }
  let known = counts.map { $0.select(numbers, 0) } ?? numbers
  var hot = known.map { $0.oneHot(logits.shape[-1], x.dtype, noun: "label") }
  if let counts { hot = counts.expanded(at: -1).select(hot, 0) }
  // What an example counts: nothing where its label is ignored, the weight of its class otherwise.
  let shares = (weights.map { hot * $0.cast(to: x.dtype) } ?? hot).sum(axis: -1)
  var soft = smoothed(hot, smoothing, classes: logits.shape[-1])
  if let counts { soft = counts.expanded(at: -1).select(soft, 0) }
  let losses = softCrossEntropy(x, soft, weights, .none)
  return reduction == .mean ? losses.sum() / shares.sum() : reduction(losses)
}

/// Class numbers in the logits' shape without its last axis.
private func squeezed(_ labels: Tensor, _ logits: Tensor) -> Tensor {
  guard labels.error == nil, labels.rank == logits.rank, labels.shape[-1] == 1 else { return labels }
  return labels.reshaped(to: labels.shape.prefix(labels.rank - 1))
}

/// Targets of which a share is spread over as many classes.
private func smoothed(_ targets: Tensor, _ smoothing: Double, classes: Int) -> Tensor {
  let (kept, spread) = (1 - smoothing, smoothing / Double(classes))
  return smoothing == 0 ? targets : targets * kept + spread
}

private func softCrossEntropy(_ x: Tensor, _ targets: Tensor, _ weights: Tensor?, _ reduction: Reduction) -> Tensor {
  softLabels(x, weights.map { targets * $0.cast(to: x.dtype) } ?? targets, reduction: reduction)
}
private let softLabels = LossFormula("softmaxCrossEntropy") { -($0[1] * $0[0].logSoftmax()).sum(axis: -1) }

/// −ln of the probability that sigmoid(logit) gives the target: softplus(x) − x · target.
///
/// **Shapes**: logits and targets (0 to 1) alike, but for axes of extent 1.
///
/// - Parameters:
///   - positiveWeight: how much positive targets count, for rare ones; broadcasts against the logits.
///   - smoothing: the share of each target that is moved to ½.
public func binaryCrossEntropy(
  _ logits: Tensor, _ targets: Tensor, positiveWeight: Tensor? = nil, smoothing: Double = 0,
  reduction: Reduction = .mean
) -> Tensor {
  var (x, y) = paired("binaryCrossEntropy", logits, targets)
  y = smoothed(y, smoothing, classes: 2)
  guard let positiveWeight else { return binary(x, y, reduction: reduction) }
  return weightedBinary(x, y, positiveWeight.cast(to: x.dtype), reduction: reduction)
}
private let binary = LossFormula("binaryCrossEntropy") { $0[0].softplus() - $0[0] * $0[1] }
private let weightedBinary = LossFormula("binaryCrossEntropy") { operands in
  let (x, y, weight) = (operands[0], operands[1], operands[2])
  return (1 - y) * x + (1 + (weight - 1) * y) * (-x).softplus()
}

/// Cross-entropy times (1 − p)^γ, where p is the probability of the right class: what is easy counts little. Lin
/// et al. 2017.
///
/// **Shapes**: as ``binaryCrossEntropy(_:_:positiveWeight:smoothing:reduction:)`` where logits and targets are
/// alike, as ``softmaxCrossEntropy(_:_:weights:smoothing:ignoring:reduction:)`` for class numbers.
///
/// - Parameter alpha: the weight of positive targets, that of the others being 1 − alpha; nothing to class numbers.
public func focal(
  _ logits: Tensor, _ targets: Tensor, alpha: Double = 0.25, gamma: Double = 2, reduction: Reduction = .mean
) -> Tensor {
  if targets.error == nil, targets.rank + 1 == logits.rank, logits.shape[-1] > 1 {
    let losses = logits.computing.map(targets) { $0.softmaxCrossEntropy(labels: $1) }
    return focalClasses(losses, losses.data(gamma), reduction: reduction)
  }
  let (x, y) = paired("focal", logits, targets)
  return focalBinary(x, y, x.data(alpha), x.data(gamma), reduction: reduction)
}
private let focalClasses = LossFormula("focal") { ease($0[0]).pow($0[1]) * $0[0] }
private let focalBinary = LossFormula("focal") { operands in
  let (x, y, alpha) = (operands[0], operands[1], operands[2])
  let loss = x.softplus() - x * y
  return (alpha * y + (1 - alpha) * (1 - y)) * ease(loss).pow(operands[3]) * loss
}
/// 1 − p from −ln p.
private func ease(_ loss: Tensor) -> Tensor { -(-loss).expm1() }

/// max(0, 1 − target · score): support vector machines.
///
/// **Shapes**: scores and targets (−1 or 1, or bool) alike, but for axes of extent 1.
public func hinge(_ scores: Tensor, _ targets: Tensor, reduction: Reduction = .mean) -> Tensor {
  let (x, y) = paired("hinge", scores, signs(targets))
  return hingeError(x, y, reduction: reduction)
}
private let hingeError = LossFormula("hinge") { (1 - $0[1] * $0[0]).relu() }

/// max(0, 1 − target · score)².
///
/// **Shapes**: as ``hinge(_:_:reduction:)``.
public func squaredHinge(_ scores: Tensor, _ targets: Tensor, reduction: Reduction = .mean) -> Tensor {
  let (x, y) = paired("squaredHinge", scores, signs(targets))
  return squaredHingeError(x, y, reduction: reduction)
}
private let squaredHingeError = LossFormula("squaredHinge") { (1 - $0[1] * $0[0]).relu().squared() }

/// −1 and 1 from bool; numbers as they are.
func signs(_ targets: Tensor) -> Tensor {
  targets.dtype == .bool && targets.error == nil ? targets.cast(to: .float32) * 2 - 1 : targets
}

/// Σ target · (ln target − output): how much the distribution whose logarithms the outputs are loses of the
/// targets'. Kullback and Leibler 1951. Its mean is over examples, not over elements.
///
/// **Shapes**: log-probabilities (see ``Tensor/logSoftmax(axis:)``) and targets (probabilities) `[…, C]`.
public func kullbackLeiblerDivergence(
  _ logProbabilities: Tensor, _ targets: Tensor, reduction: Reduction = .mean
) -> Tensor {
  let (x, y) = paired("kullbackLeiblerDivergence", logProbabilities, targets)
  return divergence(x, y, reduction: reduction)
}
private let divergence = LossFormula("kullbackLeiblerDivergence") { operands in
  let (x, y) = (operands[0], operands[1])
  // 0 · ln 0 counts 0.
  let isPossible = y .> 0
  return (isPossible.select(y, 0) * (isPossible.select(y, 1).log() - x)).sum(axis: -1)
}
