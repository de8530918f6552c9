import CajalBase
import CajalIR
import CajalOperations

extension Samples {
  static let orders: [Sample] =
    argsorts + cumulativeSums + [
      Sample("composite", "sort gradient", [Operand([3, 4], .float64)], differentiates: [0]) {
        [$0[0].ordered(axis: -1, descending: true).values]
      },
      Sample("composite", "top-k gradient", [Operand([4, 3], .float64)], differentiates: [0]) {
        let (values, indices) = $0[0].ordered(axis: 0, descending: true, count: 2)
        return [values, indices.stoppingGradient()]
      },
      drawn("permutation", []) { _ in [.permutation(131, from: generator)] },
      drawn("multinomial", [Operand([2, 5], .float32, .uniform(0...1))]) {
        [$0[0].multinomial(40, replacement: true, from: generator)]
      },
      drawn("multinomial of a few", [Operand([2, 5], .float32, .list([1, 0, 2, 1, 0]))]) {
        [$0[0].multinomial(40, replacement: true, from: generator)]
      },
      drawn("multinomial without replacement", [Operand([2, 5], .float32, .uniform(0.1...1))]) {
        [$0[0].multinomial(5, replacement: false, from: generator)]
      },
      drawn("truncated normal", [], .scaled(64, scale: 1)) { _ in
        [.truncatedNormal([131], .float32, from: generator), .truncatedNormal([7], .float64, from: generator)]
      },
    ]

  /// The same streams each time.
  private static var generator: Generator { Generator(seed: 7) }

  private static func drawn(
    _ label: String, _ operands: [Operand], _ tolerance: Tolerance = .exact,
    _ body: @escaping @Sendable ([Value]) -> [Value]
  ) -> Sample { Sample("composite", label, operands, tolerance, record: body) }

  private static func argsort(
    _ shape: Shape, _ axis: Int, _ dtype: DType = .float32, _ fill: Fill = .uniform(-9...9),
    _ layout: Operand.Layout = .contiguous, isDescending: Bool = false, count: Int? = nil, isBatched: Bool = false
  ) -> Sample {
    Sample(
      "argsort", "\(dtype)\(shape) axis \(axis) \(layout) \(isDescending ? "down" : "up") \(count ?? shape[axis])",
      [Operand(shape, dtype, fill, layout)], isBatched: isBatched
    ) { [record(ArgSort(axis: axis, isDescending: isDescending, count: count ?? shape[axis]), $0)] }
  }

  private static let argsorts: [Sample] =
    DType.allCases.flatMap { dtype in
      [false, true].flatMap { isDescending in
        [
          // Few, and more than insertion sorts; with extremes, NaN and zeros of both signs.
          argsort([2, 24], 1, dtype, .wide, isDescending: isDescending),
          argsort([70], 0, dtype, .wide, isDescending: isDescending, count: 41),
          argsort([2, 70], 1, dtype, .uniform(-9...9), isDescending: isDescending, count: 5),
          // Equals.
          argsort([3, 50], 1, dtype, .uniform(-3...3), isDescending: isDescending),
        ]
      }
    }
    + layouts.map { argsort([4, 6], 1, .float32, .uniform(-9...9), $0) } + [
      argsort([5], 0, isBatched: true), argsort([1], 0), argsort([0], 0), argsort([3, 0], 0),
      argsort([2, 5, 3], 1, isDescending: true, count: 2, isBatched: true), argsort([40, 3], 0),
      argsort([3, 4], 1, count: 0), argsort([40, 2, 33], 2, .int32),
    ]

  private static func cumulativeSum(
    _ shape: Shape, _ axis: Int, _ dtype: DType = .float32, _ layout: Operand.Layout = .contiguous,
    isReversed: Bool = false, differentiates: Bool = false, isBatched: Bool = false
  ) -> Sample {
    Sample(
      "cumulativeSum", "\(dtype)\(shape) axis \(axis) \(layout) \(isReversed)\(differentiates ? " gradient" : "")",
      [Operand(shape, dtype, dtype.isFloat ? .uniform(-3...3) : .wide, layout)],
      differentiates: differentiates ? [0] : [],
      isBatched: isBatched
    ) { [record(CumulativeSum(axis: axis, isReversed: isReversed), $0)] }
  }

  private static let cumulativeSums: [Sample] =
    DType.allCases.flatMap { dtype in [false, true].map { cumulativeSum([3, 40], 1, dtype, isReversed: $0) } }
    + layouts.map { cumulativeSum([4, 6], 0, .float32, $0) } + [
      cumulativeSum([5], 0, isBatched: true), cumulativeSum([0], 0), cumulativeSum([2, 0, 3], 1),
      cumulativeSum([2, 5, 3], 1, isReversed: true, isBatched: true), cumulativeSum([7, 150], 0),
      cumulativeSum([2, 3], 1, .float64, differentiates: true),
      cumulativeSum([3, 2], 0, .float64, .transposed, isReversed: true, differentiates: true),
    ]
}
