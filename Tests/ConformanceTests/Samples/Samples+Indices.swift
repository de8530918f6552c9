import CajalBase
import CajalIR
import CajalOperations

extension Samples {
  static let indices: [Sample] = checks + gathers + gathersAlong

  private static let checks: [Sample] = [
    Sample("checkIndices", "int32", [Operand([2, 3], .int32, .uniform(0...4))], isBatched: true) {
      [record(CheckIndices(extent: 5, allowsNegative: false, noun: "label"), $0)]
    },
    Sample("checkIndices", "int64 negative", [Operand([2, 3], .int64, .uniform(-5...4), .transposed)]) {
      let checked = record(CheckIndices(extent: 5, allowsNegative: true, noun: "index"), $0)
      return [checked, checked + checked]
    },
    Sample("checkIndices", "empty", [Operand([0], .int64)]) {
      [record(CheckIndices(extent: 0, allowsNegative: true, noun: "index"), $0)]
    },
    Sample("checkIndices", "scalar", [Operand([], .int64, .uniform(0...2))]) {
      [record(CheckIndices(extent: 3, allowsNegative: false, noun: "index"), $0)]
    },
    Sample("checkIndices", "coordinates", []) { _ in [Value.iota([4], axis: 0, .int32).checkedIndices(extent: 4)] },
  ]

  private static func gather(
    _ shape: Shape, _ indices: Shape, axis: Int, _ dtype: DType = .float32, _ index: DType = .int64,
    _ layout: Operand.Layout = .contiguous,
    differentiates: Bool = false, isBatched: Bool = false
  ) -> [Sample] {
    let extent = Double(shape[axis])
    let label = "\(dtype)\(shape) at \(index)\(indices) axis \(axis) \(layout)\(differentiates ? " gradient" : "")"
    let x = Operand(shape, dtype, .uniform(-9...9), layout)
    // From −extent to extent − 1, often repeated.
    let at = Operand(indices, index, .uniform(-extent...(extent - 1)), indices.rank > 0 ? layout : .contiguous)
    let updates = Operand(shape.prefix(axis) + indices + shape.suffix(from: axis + 1), dtype, .uniform(-9...9))
    let terms = max(4, indices.count)
    return [
      Sample("gather", label, [x, at], differentiates: differentiates ? [0] : [], isBatched: isBatched) {
        [record(Gather(axis: axis), $0)]
      },
      Sample(
        "scatterAdd", label, [x, at, updates], dtype.isFloat ? .accumulated(terms: terms) : .exact,
        differentiates: differentiates ? [0, 2] : [], isBatched: isBatched
      ) { [record(ScatterAdd(axis: axis), $0)] },
    ]
  }

  private static let gathers: [Sample] =
    DType.allCases.flatMap { gather([4, 3], [6], axis: 0, $0) }
    + layouts.flatMap { gather([4, 4], [5], axis: 1, .float32, .int32, $0) }
    + [
      gather([5], [3], axis: 0, isBatched: true), gather([5], [], axis: 0, isBatched: true),
      gather([5, 2], [2, 3], axis: 0, .float32, .int32),
      gather([2, 5, 3], [4], axis: 1, isBatched: true), gather([3, 4], [0], axis: 0), gather([3, 0], [2], axis: 0),
      gather([2, 5], [3, 1], axis: 1), gather([40, 20], [70], axis: 0),
      gather([4, 2], [5], axis: 0, .float64, differentiates: true),
      gather([2, 3], [2, 2], axis: 1, .float64, differentiates: true),
    ].flatMap { $0 }

  private static func along(
    _ shape: Shape, _ count: Int, axis: Int, _ dtype: DType = .float32, _ index: DType = .int64,
    _ layout: Operand.Layout = .contiguous,
    differentiates: Bool = false, isBatched: Bool = false
  ) -> [Sample] {
    let extent = Double(shape[axis])
    let label = "\(dtype)\(shape) \(count) \(index) axis \(axis) \(layout)\(differentiates ? " gradient" : "")"
    var indexShape = shape
    indexShape[axis] = count
    let x = Operand(shape, dtype, .uniform(-9...9), layout)
    let at = Operand(indexShape, index, .uniform(-extent...(extent - 1)), layout)
    let updates = Operand(indexShape, dtype, .uniform(-9...9))
    return [
      Sample("gatherAlong", label, [x, at], differentiates: differentiates ? [0] : [], isBatched: isBatched) {
        [record(GatherAlong(axis: axis), $0)]
      },
      Sample(
        "scatterAddAlong", label, [x, at, updates], dtype.isFloat ? .accumulated(terms: max(4, count)) : .exact,
        differentiates: differentiates ? [0, 2] : [], isBatched: isBatched
      ) { [record(ScatterAddAlong(axis: axis), $0)] },
    ]
  }

  private static let gathersAlong: [Sample] =
    DType.allCases.flatMap { along([3, 4], 5, axis: 1, $0) }
    + layouts.flatMap { along([4, 4], 5, axis: 0, .float32, .int32, $0) }
    + [
      along([5], 3, axis: 0, isBatched: true), along([3, 4], 0, axis: 1), along([0, 3], 2, axis: 1),
      along([2, 3, 4], 2, axis: 1, isBatched: true),
      along([3, 1], 1, axis: 1), along([2, 3], 2, axis: 0, .float64, differentiates: true),
      along([2, 3], 4, axis: 1, .float64, .int32, .transposed, differentiates: true),
    ].flatMap { $0 }

  static let draws: [Sample] = Random.Distribution.allCases.flatMap { distribution -> [Sample] in
    let name = Random(distribution, [], .float32).name
    let dtypes: [DType] = distribution == .bits ? [.int64] : floats
    return dtypes.flatMap { dtype in
      ([[], [0], [1], [3, 7], [259]] as [Shape]).map { shape in
        Sample(
          name, "\(dtype)\(shape)", [Operand([], .int64, .wide), Operand([], .int64, .uniform(0...1000))],
          distribution == .normal ? .scaled(dtype == .float64 ? 4 : 8, scale: 0.5) : .exact,
          isBatched: shape == [3, 7] && dtype != .float16
        ) { [record(Random(distribution, shape, dtype), $0)] }
      }
    }
  }
}
