import CajalBase
import CajalIR

// Softmax and what is made of it: composites, which the compiler fuses. The maximum is subtracted
// first and taken as a constant: its gradient cancels.

extension Value {
  /// ln Σ eˣ over `axes`.
  public func logSumExp(_ axes: [Int]? = nil, keepingAxes: Bool = false) -> Value {
    let x = floating
    let highest = x.finiteMax(axes)
    let sum = (x - highest).exp().sum(axes, keepingAxes: true)
    let result = sum.log() + highest
    if keepingAxes || result.isFailed { return result }
    return result.reshaped(to: shape.reduced(over: shape.normalized(axes), keepingAxes: false))
  }

  /// eˣ / Σ eˣ along `axis`.
  public func softmax(_ axis: Int) -> Value {
    let x = floating
    let exponentials = (x - x.finiteMax([axis])).exp()
    // One division a row, and none for each element in the gradient either.
    return exponentials * (1 / exponentials.sum([axis], keepingAxes: true))
  }

  /// x − ln Σ eˣ along `axis`.
  public func logSoftmax(_ axis: Int) -> Value {
    let x = floating
    let shifted = x - x.finiteMax([axis])
    return shifted - shifted.exp().sum([axis], keepingAxes: true).log()
  }

  /// The maximum, as a constant, and 0 where it is infinite: ∞ − ∞ would be NaN.
  private func finiteMax(_ axes: [Int]?) -> Value {
    if isFailed { return self }
    let highest = record(StopGradient(), max(axes, keepingAxes: true))
    return .select(highest.abs() < Double.infinity, highest, highest.zerosLike)
  }

  /// −ln softmax(logits)[label], one for each label.
  ///
  /// **Shapes**: logits `[…, C]`, labels `[…]` of int32 or int64 in 0..<C; result `[…]`.
  public func softmaxCrossEntropy(labels: Value) -> Value { CompositeFunction.softmaxCrossEntropy(self, labels) }

  /// The mean of ``softmaxCrossEntropy(labels:)``.
  public func meanSoftmaxCrossEntropy(labels: Value) -> Value {
    CompositeFunction.meanSoftmaxCrossEntropy(self, labels)
  }

  fileprivate func softmaxCrossEntropyParts(labels: Value) -> Value {
    guard rank >= 1, labels.shape == shape.prefix(rank - 1) else {
      return errorValue(
        "softmaxCrossEntropy", [self, labels],
        .shape(
          "labels \(labels.shape) do not match logits \(shape)",
          remedy: "Labels have the logits' shape without the last axis, which counts the classes"))
    }
    guard labels.dtype.isInteger else {
      return errorValue(
        "softmaxCrossEntropy", [self, labels],
        .dtype(
          "labels are \(labels.dtype)",
          remedy: "Pass class numbers as integers, or soft labels as probabilities of shape \(shape)"))
    }
    let hot = labels.isHot(shape[-1], noun: "label")
    // ln Σ eˣ − x[label], both less the maximum: the gradient is softmax less one, without a detour.
    let x = floating
    let shifted = x - x.finiteMax([-1])
    let chosen = Value.select(hot, shifted, .constant(.integer(0), x.dtype)).sum([-1])
    return shifted.exp().sum([-1]).log() - chosen
  }
}

extension CompositeFunction {
  fileprivate static let softmaxCrossEntropy = CompositeFunction("softmaxCrossEntropy") {
    $0[0].softmaxCrossEntropyParts(labels: $0[1])
  }
  fileprivate static let meanSoftmaxCrossEntropy = CompositeFunction("meanSoftmaxCrossEntropy") {
    $0[0].softmaxCrossEntropy(labels: $0[1]).mean()
  }
}
