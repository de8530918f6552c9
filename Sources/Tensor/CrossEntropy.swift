import CajalIR
import CajalOperations

/// −ln softmax(logits)[label], one for each label.
///
/// **Shapes**: logits `[…, C]`; labels `[…]`, integers in 0..<C. A label outside fails the step, which
/// then changes nothing.
public func softmaxCrossEntropies(_ logits: Tensor, _ labels: Tensor) -> Tensor {
  logits.map(labels) { $0.softmaxCrossEntropy(labels: $1) }
}

/// The mean of ``softmaxCrossEntropies(_:_:)``.
public func softmaxCrossEntropy(_ logits: Tensor, _ labels: Tensor) -> Tensor {
  logits.map(labels) { $0.meanSoftmaxCrossEntropy(labels: $1) }
}
