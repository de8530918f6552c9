import CajalBase
import CajalIR
import CajalOperations

// Functions made of others: not in the catalogue, judged all the same.

extension Samples {
  private static func composite(
    _ name: String, _ operands: [Operand], _ tolerance: Tolerance, differentiates: [Int] = [0],
    _ body: @escaping @Sendable ([Value]) -> Value
  ) -> [Sample] {
    let narrow = operands.map { operand -> Operand in
      var copy = operand
      if operand.dtype == .float64 { copy.dtype = .float32 }
      return copy
    }
    return [
      Sample("composite", name, narrow, tolerance) { [body($0)] },
      Sample("composite", "\(name) gradient", operands, tolerance, differentiates: differentiates) { [body($0)] },
    ]
  }

  private static let matrix = Operand([3, 4], .float64)
  private static let away = Operand([3, 4], .float64, .magnitudes(0.2...2))
  private static let close = Tolerance.scaled(16, scale: 4)

  static let composites: [Sample] =
    [
      composite("softmax", [matrix], close) { $0[0].softmax(-1) },
      composite("softmax of columns", [matrix], close) { $0[0].softmax(0) },
      composite("logSoftmax", [matrix], close) { $0[0].logSoftmax(-1) },
      composite("logSumExp", [matrix], close) { $0[0].logSumExp([1]) },
      composite("logSumExp of all", [matrix], close) { $0[0].logSumExp() },
      composite("cross-entropy", [matrix, Operand([3], .int64, .uniform(0...3))], close) {
        $0[0].softmaxCrossEntropy(labels: $0[1])
      },
      composite("mean", [matrix], close) { $0[0].mean([0]) },
      composite("variance", [matrix], close) { $0[0].variance([1], correction: 1) },
      composite("leakyRelu", [away], close) { $0[0].leakyRelu(slope: .constant(.float(0.1), $0[0].dtype)) },
      composite("elu", [away], close) { $0[0].elu(alpha: .constant(.float(1.5), $0[0].dtype)) },
      composite("selu", [away], close) { $0[0].selu() },
      composite("celu", [away], close) { $0[0].celu(alpha: .constant(.float(1.5), $0[0].dtype)) },
      composite("geluTanh", [matrix], close) { $0[0].geluTanh() }, composite("mish", [matrix], close) { $0[0].mish() },
      composite("softsign", [away], close) { $0[0].softsign() },
      composite("logSigmoid", [matrix], close) { $0[0].logSigmoid() },
      composite("relu6", [away], close) { $0[0].relu6() },
      composite("hardTanh", [Operand([2, 3], .float64, .list([-2, -0.5, 0.3, 1.8]))], close) { $0[0].hardTanh() },
      composite("hardSigmoid", [matrix], close) { $0[0].hardSigmoid() },
      composite("hardSwish", [matrix], close) { $0[0].hardSwish() },
      composite("tanhShrink", [matrix], close) { $0[0].tanhShrink() },
      composite("softShrink", [Operand([2, 3], .float64, .list([-2, -0.2, 0.3, 1.8]))], close) {
        $0[0].softShrink(lambda: .constant(.float(0.5), $0[0].dtype))
      },
      composite("hardShrink", [Operand([2, 3], .float64, .list([-2, -0.2, 0.3, 1.8]))], .exact) {
        $0[0].hardShrink(lambda: .constant(.float(0.5), $0[0].dtype))
      },
      composite("glu", [matrix], close) { $0[0].glu(axis: -1) },
      composite("maxout", [away], .exact) { $0[0].maxout(pieces: 2) },
      composite("stack", [matrix, matrix], .exact, differentiates: [0, 1]) { .stacked($0, axis: 1) },
      composite("take", [matrix, Operand([2], .int32, .uniform(-4...3))], .exact) { $0[0].take($0[1], axis: -1) },
    ].flatMap { $0 }
    + [
      Sample("composite", "split", [matrix]) { $0[0].split([1, 2, 1], axis: 1) },
      Sample("composite", "arange", [Operand([], .float32, .list([0.5])), Operand([], .float32, .list([0.25]))]) {
        [.arange(start: $0[0], step: $0[1], count: 9)]
      },
      Sample("composite", "eye", []) { _ in [.eye(3, 4, offset: 1, .float32), .eye(2, 2, offset: 0, .bool)] },
      Sample("composite", "step", [Operand([3, 4], .float32)]) {
        [$0[0].step(threshold: .constant(.float(0.5), .float32))]
      },
      Sample("composite", "any and all", [Operand([3, 4], .int8, .list([0, 0, 0, 0, 1, 0, 2, 3]))]) {
        [$0[0].any([1]), $0[0].all([0]), $0[0].all()]
      },
      Sample("composite", "one-hot", [Operand([4], .int32, .uniform(0...2))]) { [$0[0].oneHot(3, .float32)] },
      Sample(
        "composite", "softmax of infinities",
        [Operand([2, 3], .float32, .list([-.infinity, 0, 1, -.infinity, -.infinity, 2]))], close
      ) {
        [$0[0].softmax(-1), $0[0].logSumExp([1])]
      },
      Sample(
        "composite", "log-sum-exp of large numbers",
        [Operand([2, 3], .float32, .list([1e4, 1e4, -1e4, -3e4, -3e4, -3e4]))], .ulps(4)
      ) {
        [$0[0].logSumExp([1])]
      },
    ]
}
