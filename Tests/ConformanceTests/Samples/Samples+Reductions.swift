import CajalBase
import CajalIR
import CajalOperations

extension Samples {
  static let reductions: [Sample] =
    Reduce.Kind.allCases.flatMap { reductions(of: $0) } + [true, false].flatMap { argReductions($0) }

  private static func reductions(of kind: Reduce.Kind) -> [Sample] {
    let name = Reduce(kind, axes: []).name
    func tolerance(_ terms: Int) -> Tolerance {
      kind == .maximum || kind == .minimum ? .exact : .accumulated(terms: max(4, terms))
    }
    func sample(
      _ shape: Shape, _ axes: [Int], _ dtype: DType = .float32, _ layout: Operand.Layout = .contiguous,
      _ fill: Fill = kind == .product ? .magnitudes(0.5...1.5) : .uniform(-3...3), _ note: String = "",
      differentiates: Bool = false, isBatched: Bool = false
    ) -> Sample {
      let terms = axes.reduce(1) { $0 * shape[$1] }
      return Sample(
        name, "\(dtype)\(shape) over \(axes) \(layout)\(note)\(differentiates ? " gradient" : "")",
        [Operand(shape, dtype, fill, layout)], dtype.isFloat ? tolerance(terms) : .exact,
        differentiates: differentiates ? [0] : [],
        isBatched: isBatched
      ) { [record(Reduce(kind, axes: axes), $0)] }
    }
    var list = DType.allCases.map { sample([3, 5], [1], $0, .contiguous, $0.isFloat ? .uniform(-3...3) : .wide) }
    list += [
      sample([], []), sample([1], [0]), sample([131], [0], isBatched: true), sample([0], [0]), sample([2, 0, 3], [1]),
      sample([2, 0, 3], [0, 2]), sample([3, 4], [0], isBatched: true), sample([3, 4], [1]), sample([3, 4], [0, 1]),
      sample([2, 3, 4], [1], isBatched: true), sample([2, 3, 4], [0, 2], isBatched: true),
      sample([2, 3, 4, 5], [1, 3]),
      sample([2, 3], []), sample([7, 1, 3], [1]), sample([40, 70], [0]), sample([5, 1000], [1]),
      sample([1000, 3], [0]),
      sample([], [], .uint8), sample([0, 2], [0], .int8), sample([0, 2], [0], .bool), sample([0], [0], .float16),
      sample([0], [0], .int64),
    ]
    for dtype in [DType.float16, .bfloat16, .float64] { list.append(sample([6, 150], [1], dtype)) }
    for layout in layouts { list += [sample([4, 6], [1], .float32, layout), sample([4, 6], [0], .int32, layout)] }
    if kind == .maximum || kind == .minimum {
      for dtype in floats {
        list.append(sample([2, 23], [1], dtype, .contiguous, .wide, " with NaN"))
        list.append(sample([4], [0], dtype, .contiguous, .list([-1, .nan, 3, .infinity]), " NaN wins"))
        list.append(sample([3, 2], [0], dtype, .contiguous, .list([-.infinity, .infinity, -2, 1]), " infinities"))
      }
    }
    list += [
      sample([2, 3], [1], .float64, differentiates: true), sample([2, 3, 2], [0, 2], .float64, differentiates: true),
      sample([5], [0], .float64, .flipped, differentiates: true), sample([2, 3], [], .float64, differentiates: true),
      sample([3, 2], [0, 1], .float64, .transposed, differentiates: true),
      sample([1, 4], [0], .float64, differentiates: true),
    ]
    if kind == .product {
      list.append(
        sample(
          [2, 4], [1], .float64, .contiguous, .list([2, 0, -1.5, 1, 0, 0, 3, 0.5]), " zeros", differentiates: true))
    }
    return list
  }

  private static func argReductions(_ isMaximum: Bool) -> [Sample] {
    let name = ArgReduce(maximum: isMaximum, axis: 0).name
    func sample(
      _ shape: Shape, _ axis: Int, _ dtype: DType = .float32, _ layout: Operand.Layout = .contiguous,
      _ fill: Fill = .uniform(-3...3), _ note: String = "", isBatched: Bool = false
    ) -> Sample {
      Sample(
        name, "\(dtype)\(shape) axis \(axis) \(layout)\(note)", [Operand(shape, dtype, fill, layout)],
        isBatched: isBatched
      ) {
        [record(ArgReduce(maximum: isMaximum, axis: axis), $0)]
      }
    }
    return DType.allCases.map { sample([3, 5], 1, $0) } + layouts.map { sample([4, 6], 1, .float32, $0) } + [
      sample([1], 0), sample([131], 0, isBatched: true), sample([0, 3], 1), sample([3, 4], 0, isBatched: true),
      sample([2, 3, 4], 1),
      sample([6], 0, .float32, .contiguous, .list([2, 7, 7, -7, -7, 1]), " ties"),
      sample([2, 600], 1), sample([600, 2], 0),
      sample([6], 0, .int64, .contiguous, .list([2, 9e18, 9e18, -9e18, -9e18, 1]), " ties"),
    ] + floats.map { sample([5], 0, $0, .contiguous, .list([1, .infinity, .nan, -.infinity, .nan]), " NaN") }
  }
}
