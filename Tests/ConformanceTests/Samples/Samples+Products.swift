import CajalBase
import CajalIR
import CajalOperations

extension Samples {
  private static func product(
    _ a: Shape, _ b: Shape, _ transposesA: Bool = false, _ transposesB: Bool = false, _ dtype: DType = .float32,
    _ layouts: [Operand.Layout] = [.contiguous, .contiguous], _ fill: Fill? = nil, differentiates: Bool = false,
    isBatched: Bool = false
  ) -> Sample {
    let operation = MatMul(transposesA: transposesA, transposesB: transposesB)
    let terms = operation.dimensions(a, b).k
    let marks = (transposesA ? "ᵀ" : "", transposesB ? "ᵀ" : "")
    let values = fill ?? (dtype.isInteger ? .wide : .uniform(-2...2))
    return Sample(
      "matmul", "\(dtype)\(a)\(marks.0) · \(b)\(marks.1) \(layouts)\(differentiates ? " gradient" : "")",
      [Operand(a, dtype, values, layouts[0]), Operand(b, dtype, values, layouts[1])],
      dtype.isFloat ? .accumulated(terms: max(4, terms)) : .exact, differentiates: differentiates ? [0, 1] : [],
      isBatched: isBatched
    ) { [record(operation, $0)] }
  }

  static let products: [Sample] =
    ([.int32, .int64] + floats).flatMap { dtype in
      [product([3, 4], [4, 5], false, false, dtype), product([2, 4, 3], [2, 5, 4], true, true, dtype)]
    }
    + [
      product([1, 1], [1, 1]), product([3, 0], [0, 2]), product([0, 3], [3, 2]), product([2, 3], [3, 0]),
      product([0, 2, 3], [0, 3, 2]),
      product([1, 7], [7, 1]), product([5, 1], [1, 6]), product([17, 33], [33, 9], isBatched: true),
      product([1, 40], [40, 12]),
      product([12, 40], [40, 1]), product([4, 3], [4, 5], true, false, isBatched: true),
      product([3, 4], [5, 4], false, true, isBatched: true),
      product([4, 3], [5, 4], true, true), product([2, 3, 4], [2, 4, 5], isBatched: true),
      product([2, 2, 3, 4], [2, 2, 4, 1]),
      product([70, 50], [50, 65]), product([3, 0], [0, 2], false, false, .int32),
      product([130, 21], [130, 19], true, false),
    ]
    + layouts.flatMap { layout in
      [
        product([3, 4], [4, 5], false, false, .float32, [layout, .contiguous]),
        product([3, 4], [4, 5], false, false, .float32, [.contiguous, layout]),
        product([2, 3, 4], [2, 5, 4], false, true, .float32, [layout, layout]),
        product([3, 1], [1, 4], false, false, .float32, [layout, layout]),
      ]
    }
    + [
      product([2, 3], [3, 2], false, false, .float64, differentiates: true),
      product([3, 2], [3, 2], true, false, .float64, differentiates: true),
      product([2, 3], [2, 3], false, true, .float64, differentiates: true),
      product([3, 2], [2, 3], true, true, .float64, differentiates: true),
      product([2, 2, 3], [2, 3, 1], false, false, .float64, [.transposed, .strided], differentiates: true),
    ]
    + [
      Sample(
        "matmul", "with broadcast batch axes", [Operand([2, 1, 3, 4], .float32), Operand([5, 4, 2], .float32)],
        .accumulated(terms: 4)
      ) {
        [$0[0].matmul($0[1])]
      },
      Sample(
        "matmul", "of rows of a batch", [Operand([2, 3, 4], .float32), Operand([4, 2], .float32)],
        .accumulated(terms: 4)
      ) {
        [$0[0].matmul($0[1])]
      },
      Sample(
        "matmul", "of a vector and a matrix", [Operand([4], .float32), Operand([2, 4, 3], .float32)],
        .accumulated(terms: 4)
      ) {
        [$0[0].matmul($0[1])]
      },
      Sample(
        "matmul", "of a matrix and a vector", [Operand([2, 3, 4], .float32), Operand([4], .float32)],
        .accumulated(terms: 4)
      ) {
        [$0[0].matmul($0[1])]
      },
      Sample("matmul", "of vectors", [Operand([4], .float32), Operand([4], .float32)], .accumulated(terms: 4)) {
        [$0[0].matmul($0[1])]
      },
      Sample("matmul", "of itself", [Operand([3, 3], .float32)], .accumulated(terms: 4)) {
        [$0[0].matmul($0[0], transposingOther: true)]
      },
    ]
    + [DType.uint8, .int8, .int16].map { dtype in
      Sample("matmul", "\(dtype) wraps", [Operand([3, 4], dtype, .wide), Operand([4, 2], dtype, .wide)]) {
        [$0[0].matmul($0[1])]
      }
    }
}
