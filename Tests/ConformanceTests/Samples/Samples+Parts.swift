import CajalBase
import CajalIR
import CajalOperations

extension Samples {
  /// An int64 scalar, as a start is.
  private static func start(_ range: ClosedRange<Double>) -> Operand { Operand([], .int64, .uniform(range)) }

  private struct PartCase {
    let label: String
    let shape: Shape
    let part: Part
    let starts: [ClosedRange<Double>]
  }

  private static let parts: [PartCase] = [
    PartCase(label: "rows", shape: [5, 3], part: Part(axes: [0], extents: [2], steps: [1]), starts: [0...3]),
    PartCase(label: "columns", shape: [3, 6], part: Part(axes: [1], extents: [2], steps: [1]), starts: [0...4]),
    PartCase(
      label: "steps", shape: [7, 8], part: Part(axes: [0, 1], extents: [3, 2], steps: [2, 3]), starts: [0...2, 0...4]),
    PartCase(label: "nothing", shape: [4, 3], part: Part(axes: [0], extents: [0], steps: [1]), starts: [0...4]),
    PartCase(
      label: "all", shape: [4, 3], part: Part(axes: [0, 1], extents: [4, 3], steps: [1, 1]), starts: [0...0, 0...0]),
    PartCase(label: "one", shape: [4], part: Part(axes: [0], extents: [1], steps: [1]), starts: [0...3]),
    PartCase(label: "of nothing", shape: [0, 3], part: Part(axes: [1], extents: [2], steps: [1]), starts: [0...1]),
    PartCase(label: "middle axis", shape: [2, 5, 3], part: Part(axes: [1], extents: [2], steps: [2]), starts: [0...2]),
    PartCase(label: "no axes", shape: [2, 2], part: Part(axes: [], extents: [], steps: []), starts: []),
  ]

  static let slices: [Sample] =
    parts.flatMap { samples($0, .float32, .contiguous, isBatched: true) }
    + DType.allCases.flatMap { samples(parts[2], $0, .contiguous) }
    + layouts.flatMap { samples(parts[2], .float32, $0) }
    + [parts[0], parts[2], parts[5], parts[7]].flatMap { samples($0, .float64, .contiguous, differentiates: true) }

  private static func samples(
    _ item: PartCase, _ dtype: DType, _ layout: Operand.Layout, differentiates: Bool = false, isBatched: Bool = false
  ) -> [Sample] {
    let part = item.part
    let label = "\(item.label) \(dtype) \(layout)" + (differentiates ? " gradient" : "")
    let whole = Operand(item.shape, dtype, .uniform(-9...9), layout)
    let piece = Operand(part.shape(in: item.shape), dtype, .uniform(-9...9), layout)
    let starts = item.starts.map { start($0) }
    return [
      Sample("slice", label, [whole] + starts, differentiates: differentiates ? [0] : [], isBatched: isBatched) {
        [record(Slice(part), $0)]
      },
      Sample(
        "update", label, [whole, piece] + starts, differentiates: differentiates ? [0, 1] : [], isBatched: isBatched
      ) {
        [record(Update(part), $0)]
      },
    ]
  }

  static let joins: [Sample] = concatenations + pads

  private static func concatenation(
    _ label: String, _ shapes: [Shape], axis: Int, _ dtype: DType = .float32,
    _ layouts: [Operand.Layout] = [.contiguous],
    differentiates: [Int] = [], isBatched: Bool = false
  ) -> Sample {
    let operands = shapes.enumerated().map { Operand($1, dtype, .uniform(-9...9), layouts[$0 % layouts.count]) }
    return Sample("concatenate", label, operands, differentiates: differentiates, isBatched: isBatched) {
      [record(Concatenate(axis: axis), $0)]
    }
  }

  private static let concatenations: [Sample] =
    DType.allCases.map { concatenation("\($0)", [[2, 3], [1, 3]], axis: 0, $0) }
    + layouts.map { concatenation("\($0)", [[2, 3], [2, 4]], axis: 1, .float32, [$0, .transposed]) }
    + [
      concatenation("middle", [[2, 3, 4], [2, 1, 4], [2, 0, 4]], axis: 1, isBatched: true),
      concatenation("single", [[3]], axis: 0, isBatched: true),
      concatenation("empty", [[0], [0]], axis: 0),
      concatenation(
        "gradient", [[2, 3], [2, 1], [2, 2]], axis: 1, .float64, [.contiguous, .transposed], differentiates: [0, 1, 2]),
      concatenation("gradient of a vector", [[2], [0], [3]], axis: 0, .float64, differentiates: [0, 2]),
      Sample("concatenate", "of itself", [Operand([2, 3], .float32)]) {
        [record(Concatenate(axis: 0), [$0[0], $0[0], $0[0].flipped([1])])]
      },
      Sample("concatenate", "of literals and coordinates", [Operand([2], .float32)]) { x in
        let literal = Value.constant(.float(7), .float32).broadcast(to: [3])
        return [record(Concatenate(axis: 0), [literal, x[0], .iota([2], axis: 0, .float32)])]
      },
    ]

  private static func pad(
    _ label: String, _ shape: Shape, _ low: [Int], _ high: [Int], _ dtype: DType = .float32,
    _ layout: Operand.Layout = .contiguous, differentiates: [Int] = [], isBatched: Bool = false
  ) -> Sample {
    let operands = [Operand(shape, dtype, .uniform(-9...9), layout), Operand([], dtype, .uniform(3...5))]
    return Sample("pad", label, operands, differentiates: differentiates, isBatched: isBatched) {
      [record(Pad(low: low, high: high), $0)]
    }
  }

  private static let pads: [Sample] =
    DType.allCases.map { pad("\($0)", [2, 3], [1, 0], [2, 1], $0) }
    + layouts.map { pad("\($0)", [2, 3], [1, 2], [0, 1], .float32, $0) }
    + [
      pad("scalar", [], [], []), pad("by nothing", [2, 2], [0, 0], [0, 0], isBatched: true),
      pad("of nothing", [0], [2], [1]),
      pad("vector", [3], [1], [2], isBatched: true), pad("to nothing", [0, 2], [0, 1], [0, 1]),
      pad("gradient", [2, 3], [1, 0], [0, 2], .float64, differentiates: [0, 1]),
      pad("gradient of a transposed view", [2, 3], [1, 1], [0, 2], .float64, .transposed, differentiates: [0, 1]),
    ]
}
