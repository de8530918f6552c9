import Cajal
import Foundation
import Testing

private let x = Tensor([[1.0, 5.0, 3.0], [4.0, 2.0, 6.0]])

@Suite struct ReductionTests {
  @Test func sumsRunOverAllAxesOrSome() {
    expect(x.sum(), [21], [])
    expect(x.sum(axis: 0), [5, 7, 9], [3])
    expect(x.sum(axis: -1), [9, 12], [2])
    expect(x.sum(axis: 1, keepingAxes: true), [9, 12], [2, 1])
    expect(x.sum(axes: [0, 1], keepingAxes: true), [21], [1, 1])
    expect(x.sum(axes: []), [1, 5, 3, 4, 2, 6], [2, 3])
  }

  @Test func meansProductsAndExtremes() {
    expect(x.mean(), [3.5], [])
    expect(x.mean(axis: 0), [2.5, 3.5, 4.5], [3])
    expect(x.product(axes: [1]), [15, 48], [2])
    expect(x.max(axis: 0), [4, 5, 6], [3])
    expect(x.min(axis: 1, keepingAxes: true), [1, 2], [2, 1])
    expect(x.max(), [6], [])
    expect(x.min(axes: [-1, 0]), [1], [])
  }

  @Test func variancesTakeACorrection() {
    let y = Tensor([1.0, 2.0, 3.0, 4.0])
    expect(y.variance(), [1.25], [])
    expect(y.variance(correction: 1), [5.0 / 3], [])
    expect(y.standardDeviation(axes: [0], keepingAxes: true), [Double(1.25).squareRoot()], [1])
    expect((y + 10000).variance(), [1.25], [])
  }

  @Test func integersAndBoolAddUpInInt64() {
    expect(Tensor([200, 200], dtype: .uint8).sum(), [400], [], .int64)
    expect(Tensor([true, true, false]).sum(), [2], [], .int64)
    expect(Tensor([100, 100], dtype: .int8).product(), [10000], [], .int64)
    expect(Tensor([1, 2], dtype: .int32).mean(), [1.5], [], .float32)
    expect(Tensor([3, 9], dtype: .int16).max(), [9], [], .int16)
  }

  @Test func argmaxFindsTheFirst() {
    expect(x.argmax(axis: 1), [1, 2], [2], .int64)
    expect(x.argmin(axis: 0), [0, 1, 0], [3], .int64)
    expect(x.argmax(), [5], [], .int64)
    expect(x.argmax(axis: -1, keepingAxis: true), [1, 2], [2, 1], .int64)
    expect(Tensor([2.0, 7.0, 7.0]).argmax(), [1], [])
    expect(Tensor([2.0, Float.nan, 7.0]).argmax(), [1], [])
  }

  @Test func anyAndAllGiveBool() {
    let p = Tensor([[true, false], [true, true]])
    expect(p.any(axes: [1]), [1, 1], [2], .bool)
    expect(p.all(axes: [1]), [0, 1], [2], .bool)
    expect(p.all(), [0], [], .bool)
    expect(Tensor([0.0, 2.0]).any(), [1], [], .bool)
  }

  @Test func nothingAddsUpToItsNeutralNumber() {
    let empty = Tensor.zeros([0, 2])
    expect(empty.sum(axis: 0), [0, 0], [2])
    expect(empty.product(axes: [0]), [1, 1], [2])
    expect(empty.mean(axis: 0), [.nan, .nan], [2])
    expect(empty.any(), [0], [])
    expect(empty.all(), [1], [])
    expect(empty.sum(axis: 1), [], [0])
    expectError(empty.argmax(axis: 0), .shape)
  }

  @Test func aNaNWins() {
    let y = Tensor([1.0, Float.nan, 3.0])
    expect(y.max(), [.nan], [])
    expect(y.min(), [.nan], [])
    expect(y.sum(), [.nan], [])
  }

  @Test func softmaxAndItsKinAddUpAndStayFinite() {
    let y = Tensor([[1000.0, 1000.0], [0.0, -1000.0]])
    expect(y.softmax(), [0.5, 0.5, 1, 0], [2, 2])
    expect(y.logSoftmax(axis: 1), [-log(2.0), -log(2.0), 0, -1000], [2, 2])
    expect(y.logSumExp(axes: [1]), [1000 + log(2.0), 0], [2])
    expect(y.logSumExp(axes: [0], keepingAxes: true), [1000, 1000], [1, 2])
    expect(x.softmax(axis: 0).sum(axis: 0), [1, 1, 1], [3])
    let spread = x.softmax(axis: 0)
    let share: Double = 1 / (1 + exp(3.0))
    expect(spread[0, 0], [share], [])
  }

  @Test func crossEntropyIsTheLogarithmOfTheLabelsShare() {
    let logits = Tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    let total: Double = exp(1.0) + exp(2.0) + exp(3.0)
    let first = log(total) - 1
    expect(softmaxCrossEntropy(logits, Tensor([0, 2]), reduction: .none), [first, log(3.0)], [2])
    expect(softmaxCrossEntropy(logits, Tensor([0, 2], dtype: .int32)), [(first + log(3.0)) / 2], [])
    expectError(softmaxCrossEntropy(logits, Tensor([0, 3])), .index, "3")
    expectError(softmaxCrossEntropy(logits, Tensor([0, -1])), .index)
    expectError(softmaxCrossEntropy(logits, Tensor([0.0, 1.0])), .dtype)
    expectError(softmaxCrossEntropy(logits, Tensor([0])), .shape)
  }

  @Test func aWrongAxisIsAnErrorThatNamesIt() {
    expectError(x.sum(axis: 2), .index, "2", "[2, 3]")
    expectError(x.mean(axis: -3), .index, "-3")
    expectError(x.max(axes: [0, 0]), .index)
    expectError(x.argmax(axis: 5), .index)
    expectError(x.softmax(axis: 2), .index)
  }
}
