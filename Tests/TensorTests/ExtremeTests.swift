import Cajal
import Foundation
import Testing

/// Numbers that make sums, products and negations overflow.
private let extremes = [Int.min, -2, 0, 2, 1 << 47, Int.max]

private let isFull = ProcessInfo.processInfo.environment["CAJAL_FULL"] == "1"

/// No number that a user may pass as an axis, extent or bound ends the process: each call gives a tensor that
/// can be read, or an error that says something.
///
/// Some 900 errors, each with a backtrace.
@Suite(.enabled(if: isFull, "slow: set CAJAL_FULL=1")) struct ExtremeTests {
  private let x = Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
  private let empty = Tensor.zeros([1 << 44, 0])

  /// Reads what is small enough to be read; whatever is wrong must say so.
  private func read(_ tensors: Tensor..., sourceLocation: SourceLocation = #_sourceLocation) {
    for tensor in tensors where tensor.error != nil || tensor.count < 1 << 20 {
      do {
        _ = try tensor.bytes()
      } catch {
        #expect(!error.problem.isEmpty && !error.remedy.isEmpty, sourceLocation: sourceLocation)
      }
    }
  }

  @Test(arguments: extremes) func axesAreChecked(_ axis: Int) {
    for y in [x, empty, Tensor.ones([])] {
      read(
        y.sum(axis: axis), y.mean(axis: axis, keepingAxes: true), y.max(axis: axis), y.product(axes: [axis, axis]),
        y.argmax(axis: axis), y.any(axes: [axis]), y.variance(axes: [axis], correction: axis), y.softmax(axis: axis),
        y.logSumExp(axes: [axis]), y.flattened(from: axis), y.transposed(axis, 0), y.expanded(at: axis),
        y.squeezed(axis), y.flipped(axis), .concatenate([y, y], axis: axis), .stack([y, y], axis: axis),
        y.take(Tensor([0]), axis: axis), y.takeAlong(Tensor([[0]]), axis: axis), y.split([1, 2], axis: axis)[0],
        y.split(into: 2, axis: axis)[0], y.scatterAdded(y, at: Tensor([0]), axis: axis),
        y.scatterAddedAlong(y, at: Tensor([[0]]), axis: axis))
    }
  }

  @Test(arguments: extremes) func extentsAreChecked(_ extent: Int) {
    read(
      x.reshaped(extent), x.reshaped(extent, -1), x.reshaped(extent, extent), x.broadcast(to: [extent, 2, 3]),
      .zeros([extent]), .ones([extent, extent]), .arange(extent), .linspace(0, 1, count: extent), .eye(extent),
      .eye(2, columns: extent), .eye(2, diagonal: extent), .uniform([extent]), .normal([extent, 0]),
      .bernoulli([2, extent]), Tensor([0]).oneHot(extent), x.padded([(extent, 0), (0, extent)]),
      empty.padded([(extent, extent), (0, 0)]), empty.reshaped(extent, 0), empty.broadcast(to: [extent, Int.max, 0]),
      Tensor([1, 2, 3, 4, 5, 6], shape: [extent, 2]), x.matmul(.zeros([3, extent])), x.split([extent, extent])[0],
      x.split([extent, 2], axis: 1)[0])
    if extent < 1 << 31 { read(x.split(into: extent)[0]) }
    read(scan([x], over: [], length: min(extent, 4)) { carry, _ in (carry, []) }.carries[0])
  }

  @Test(arguments: extremes) func boundsAreChecked(_ bound: Int) {
    for other in extremes {
      read(
        x[bound, other], x[.every(bound)], x[.every(bound, from: other)], x[.every(1, from: bound, to: other)],
        empty[bound..., other])
      read(x[min(bound, other)..<max(bound, other)], empty[min(bound, other)...max(bound, other)])
      read(.arange(from: bound, to: other, by: 1 << 45), .arange(from: bound, to: bound, by: other))
      if bound <= other { read(.randomIntegers([2], in: bound..<other)) }
    }
    var y = x
    y[bound...] = Tensor([1.0])
    read(y, x.take(Tensor([bound])), Tensor([bound]).oneHot(3), Tensor.ones([3])[Tensor([bound])])
    read(softmaxCrossEntropy(x, Tensor([bound, 0])))
  }

  @Test(arguments: extremes) func arithmeticOfExtremeIntegersWrapsAndSaturates(_ number: Int) {
    for other in extremes {
      let (a, b) = (Tensor([number]), Tensor([other]))
      read(a + b, a - b, a * b, a / b, a % b, a.floorDivided(by: b), a.pow(b), -a, a.abs(), maximum(a, b), a & b)
      #expect(try! (a + b).item(as: Int.self) == number &+ other)
      #expect(try! (a * b).item(as: Int.self) == number &* other)
    }
    for dtype in DType.allCases { read(Tensor([number]).cast(to: dtype), Tensor.full([1], number, dtype: dtype)) }
  }
}
