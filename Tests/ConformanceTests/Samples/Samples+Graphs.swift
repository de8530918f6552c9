import CajalBase
import CajalIR
import CajalOperations

// Operations that say something to reverse mode, carry a graph, or cross devices.

extension Samples {
  static let identities: [Sample] = [
    Sample("stopGradient", "of a matrix", [Operand([2, 3], .float32)], isBatched: true) {
      [$0[0].stoppingGradient(), $0[0].stoppingGradient() + $0[0]]
    },
    Sample("stopGradient", "of integers", [Operand([], .int8, .wide)]) { [$0[0].stoppingGradient()] },
    Sample("alias", "of a view", [Operand([2, 3], .float32, .uniform(-2...2), .transposed)], isBatched: true) {
      [record(Alias(), $0)]
    },
    Sample(
      "alias", "with others", [Operand([3], .float64), Operand([2], .int64)], differentiates: [0], isBatched: true
    ) {
      [record(Alias(), $0)]
    },
    Sample("customGradient", "of a square", [Operand([2, 3], .float64)], differentiates: [0], isBatched: true) { x in
      let constant = x[0].stoppingGradient()
      // 2x·g, as differences find it; itself differentiable.
      let square = CustomGradient { [$0 * x[0] * .constant(.integer(2), .float64)] }
      return [record(square, [constant * constant, x[0]])]
    },
    Sample("transfer", "to the reference", [Operand([2, 3], .float32)], needsEngine: true) {
      [$0[0].transferred(to: .reference)]
    },
    Sample("transfer", "there and back", [Operand([2, 3], .float32)], needsEngine: true) {
      [
        ($0[0].transferred(to: .reference) + .constant(.integer(1), .float32)).transferred(to: .fake).transferred(
          to: .cpu)
      ]
    },
    Sample("transfer", "gradient", [Operand([2, 3], .float64)], differentiates: [0], needsEngine: true) {
      [($0[0].transferred(to: .reference) * $0[0].transferred(to: .reference)).transferred(to: .cpu)]
    },
  ]

  static let scans: [Sample] = [
    Sample("scan", "sums", [Operand([2], .float32), Operand([5, 2], .float32)], .scaled(4, scale: 8), isBatched: true) {
      x in
      let (last, stacked) = Value.scan(initial: [x[0]], sequences: [x[1]]) { _, carries, slices in
        let next = carries[0] + slices[0]
        return ([next], [next * next])
      }
      return last + stacked
    },
    Sample("scan", "of the positions", [Operand([], .int64, .uniform(0...4))]) { x in
      let (last, stacked) = Value.scan(initial: [x[0]], sequences: [], length: 4) { position, carries, _ in
        ([carries[0] + position], [position])
      }
      return last + stacked
    },
    Sample("scan", "backwards", [Operand([3], .int32, .wide), Operand([4, 3], .int32, .wide)]) { x in
      let (last, stacked) = Value.scan(initial: [x[0]], sequences: [x[1]], isReversed: true) { _, carries, slices in
        ([carries[0] * slices[0] + slices[0]], [carries[0]])
      }
      return last + stacked
    },
    Sample("scan", "over nothing", [Operand([3], .float32), Operand([0, 3], .float32)]) { x in
      let (last, stacked) = Value.scan(initial: [x[0]], sequences: [x[1]]) { _, carries, slices in
        ([carries[0] + slices[0]], [slices[0]])
      }
      return last + stacked
    },
    Sample("scan", "that hands on what it was given", [Operand([3], .float32), Operand([2, 3], .float32)]) { x in
      let (last, stacked) = Value.scan(initial: [x[0], x[0].flipped([0])], sequences: [x[1]]) { _, carries, slices in
        ([carries[1], carries[0]], [slices[0], carries[0]])
      }
      return last + stacked
    },
    recurrence("recurrence", reversed: false), recurrence("recurrence backwards", reversed: true),
    Sample(
      "scan", "in a scan", [Operand([2], .float64), Operand([3, 2], .float64)], .scaled(8, scale: 4),
      differentiates: [0, 1]
    ) { x in
      let (last, stacked) = Value.scan(initial: [x[0]], sequences: [x[1]]) { _, carries, slices in
        let (inner, _) = Value.scan(initial: [carries[0]], sequences: [], length: 2) { _, state, _ in
          ([(state[0] * slices[0]).sin() + carries[0]], [])
        }
        return ([inner[0]], [inner[0].tanh()])
      }
      return last + stacked
    },
    Sample("scan", "over nothing, gradient", [Operand([3], .float64), Operand([0, 3], .float64)], differentiates: [0]) {
      x in
      Value.scan(initial: [x[0]], sequences: [x[1]]) { _, carries, slices in ([carries[0] * slices[0]], []) }.carries
    },
    Sample(
      "scan", "with integers beside floats",
      [Operand([2], .float64), Operand([], .int64, .uniform(0...3)), Operand([4, 2], .int32, .uniform(-2...2))],
      .scaled(8, scale: 8), differentiates: [0]
    ) { x in
      let (last, stacked) = Value.scan(initial: [x[0], x[1]], sequences: [x[2]]) { position, carries, slices in
        let next =
          (carries[0] * slices[0].cast(to: .float64)).sin() + (carries[1] + position).cast(to: .float64) * carries[0]
        return ([next, carries[1] + .constant(.integer(1), .int64)], [slices[0], next])
      }
      return last + stacked
    },
    Sample("scan", "with a moving slice", [Operand([2], .float32), Operand([6, 2], .float32)], .scaled(4, scale: 8)) {
      x in
      let (last, stacked) = Value.scan(initial: [x[0]], sequences: [], length: 4) { position, carries, _ in
        let part = record(Slice(Part(axes: [0], extents: [2], steps: [1])), [x[1], position])
        return ([carries[0] + part.sum([0])], [part])
      }
      return last + stacked
    },
  ]

  /// h' = tanh(h · W + x): with a captured matrix, as recurrent layers are.
  private static func recurrence(_ label: String, reversed: Bool) -> Sample {
    Sample(
      "scan", label,
      [Operand([2, 3], .float64), Operand([4, 2, 3], .float64), Operand([3, 3], .float64, .uniform(-0.7...0.7))],
      .scaled(8, scale: 1), differentiates: [0, 1, 2], isBatched: true
    ) { x in
      let (last, stacked) = Value.scan(initial: [x[0]], sequences: [x[1]], isReversed: reversed) { _, carries, slices in
        let next = (carries[0].matmul(x[2]) + slices[0]).tanh()
        return ([next], [next])
      }
      return last + stacked
    }
  }
}
