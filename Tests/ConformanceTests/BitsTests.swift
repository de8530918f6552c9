import CajalBackends
import CajalBase
import CajalIR
import CajalOperations
import Testing

/// How a value lies in memory, held or not, changes no bit of what is made of it.
@Suite struct BitsTests {
  /// Products whose matrix is a view in one graph, and lies contiguously in the other.
  @Test(arguments: [
    [1, 1, 40, 7], [1, 7, 40, 1], [3, 1, 5, 1], [2, 1, 33, 9], [4, 6, 19, 1], [2, 5, 20, 6], [1, 1, 1, 5],
    [3, 1, 20, 1], [1, 1, 300, 1],
  ])
  func productsOfViewsAndOfCopiesAreTheSameBits(_ size: [Int]) throws {
    let (batch, m, k, n) = (size[0], size[1], size[2], size[3])
    for layout in Samples.layouts + [.contiguous] {
      for flags in 0..<4 {
        let product = MatMul(transposesA: flags & 1 == 1, transposesB: flags & 2 == 2)
        let a: Shape = product.transposesA ? [batch, k, m] : [batch, m, k]
        let b: Shape = product.transposesB ? [batch, n, k] : [batch, k, n]
        for dtype in [DType.float32, .float64, .bfloat16] {
          let operands = [Operand(a, dtype, .uniform(-2...2), layout), Operand(b, dtype, .uniform(-2...2), layout)]
          try compare("\(size) \(layout) \(flags) \(dtype)", operands, product)
          // Views as a transposition of the last axes makes them.
          let turned = operands.map { Operand($0.shape.matrixTransposed, dtype, .uniform(-2...2), layout) }
          try compare("\(size) \(layout) \(flags) \(dtype) turned", turned, product, isTurned: true)
        }
      }
    }
  }

  /// Sums, products and fused groups large enough to be cut for the pool.
  @Test func theThreadCountChangesNoBit() throws {
    let operands = [Operand([300, 400], .float32), Operand([400, 300], .float32), Operand([200_000], .float32)]
    let sample = Sample("matmul", "threads", operands) { x in
      let product = x[0].matmul(x[1])
      return [
        product, product.softmax(-1), x[2].sum(), x[0].sum([0]), x[0].sum([1]), (x[2].exp() * x[2] + x[2]).tanh(),
        x[1].transposed([1, 0]).flipped([0]) + x[0], x[2].product(), x[0].variance([0, 1]),
      ]
    }
    let graph = try sample.graph()
    let inputs = sample.inputs()
    let threads = CPUBackend.threads
    defer { CPUBackend.threads = threads }
    CPUBackend.threads = 1
    let expected = try Machine.cpu.run(graph, inputs)
    for count in [2, 3, 7] {
      CPUBackend.threads = count
      for (index, (found, one)) in zip(try Machine.cpu.run(graph, inputs), expected).enumerated() {
        if let text = bitDifference(found, one) { Issue.record("result \(index) on \(count) threads: \(text)") }
      }
    }
  }

  private func compare(_ label: String, _ operands: [Operand], _ product: MatMul, isTurned: Bool = false) throws {
    let sample = Sample("matmul", label, operands) { [record(product, isTurned ? $0.map(\.matrixTransposed) : $0)] }
    let views = Sample("matmul", label, operands) { isTurned ? $0.map(\.matrixTransposed) : $0 }
    let inputs = sample.inputs()
    let direct = try Machine.cpu.run(sample.graph(), inputs)
    // The operands as outputs are contiguous copies, which then are the inputs.
    let copies = try Machine.cpu.run(views.graph(), inputs)
    let plain = Sample("matmul", label, copies.map { Operand($0.shape, $0.dtype) }) { [record(product, $0)] }
    if let text = bitDifference(direct[0], try Machine.cpu.run(plain.graph(), copies)[0]) {
      Issue.record("\(label): \(text)")
    }
  }
}

extension Shape {
  fileprivate var matrixTransposed: Shape { prefix(rank - 2) + [self[-1], self[-2]] }
}
