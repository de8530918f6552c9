import CajalBase
import CajalIR
import CajalOperations

extension Samples {
  static let casts: [Sample] =
    DType.allCases.flatMap { source in
      DType.allCases.map { target in
        Sample("cast", "\(source) to \(target)", [Operand([40], source, .wide)], isBatched: source == .float32) {
          [record(Cast(to: target), $0)]
        }
      }
    } + [
      Sample("cast", "gradient", [Operand([2, 3], .float64)], differentiates: [0]) {
        // Through float64 itself: narrower would not stand differences of 1e-6.
        [record(Cast(to: .float64), $0)]
      }
    ]
    + layouts.map { layout in
      Sample("cast", "\(layout)", [Operand([3, 4], .float32, .wide, layout)]) { [record(Cast(to: .int16), $0)] }
    }

  static let constants: [Sample] =
    DType.allCases.flatMap { dtype in
      [
        Sample("constant", "\(dtype)", []) { _ in [.constant(.float(2.7), dtype), .constant(.integer(-3), dtype)] },
        Sample("constant", "\(dtype) broadcast", []) { _ in [Value.constant(.float(1), dtype).broadcast(to: [2, 3])] },
        Sample("iota", "\(dtype)", []) { _ in
          [.iota([3, 4], axis: 1, dtype), .iota([3, 4], axis: 0, dtype).transposed([1, 0])]
        },
      ]
    } + [
      Sample("iota", "empty and single", []) { _ in
        [.iota([0], axis: 0, .int64), .iota([2, 0, 3], axis: 2, .float32), .iota([1], axis: 0, .int32)]
      },
      Sample("iota", "beyond uint8", []) { _ in [.iota([300], axis: 0, .uint8), .iota([300], axis: 0, .int8)] },
      Sample("iota", "beyond bfloat16", []) { _ in [.iota([600], axis: 0, .bfloat16), .iota([2100], axis: 0, .float16)]
      },
      Sample("iota", "read more than once in a group", []) { _ in
        let x = Value.iota([5], axis: 0, .float32)
        return [x * x, x + .constant(.float(0.5), .float32), x.cast(to: .bfloat16)]
      },
      Sample("iota", "flipped and reshaped", []) { _ in
        [Value.iota([12], axis: 0, .int64).flipped([0]).reshaped(to: [3, 4]).transposed([1, 0]).reshaped(to: [12])]
      },
    ]

  static let views: [Sample] = reshapes + transposes + broadcasts + flips

  private static func view(
    _ operation: some Operation, _ label: String, _ shape: Shape, isBatched: Bool = true, _ dtypes: [DType] = [.float32]
  ) -> [Sample] {
    var list = dtypes.map { dtype in
      Sample(operation.name, "\(dtype)\(shape) \(label)", [Operand(shape, dtype)], isBatched: isBatched) {
        [record(operation, $0)]
      }
    }
    list.append(
      Sample(
        operation.name, "gradient \(shape) \(label)", [Operand(shape, .float64)],
        differentiates: shape.count > 0 ? [0] : []
      ) {
        [record(operation, $0)]
      })
    guard shape.rank > 0 else { return list }
    for layout in layouts {
      list.append(
        Sample(operation.name, "\(layout) \(shape) \(label)", [Operand(shape, .float32, .uniform(-2...2), layout)]) {
          // Read by a group as well, through strides.
          let view = record(operation, $0)
          return [view, view + view]
        })
    }
    return list
  }

  private static let reshapes: [Sample] =
    view(Reshape([6]), "to [6]", [2, 3], DType.allCases) + view(Reshape([3, 2]), "to [3, 2]", [2, 3])
    + view(Reshape([1, 4, 1, 3]), "to [1, 4, 1, 3]", [2, 2, 3]) + view(Reshape([]), "to []", [1])
    + view(Reshape([1, 1]), "to [1, 1]", []) + view(Reshape([3, 0]), "to [3, 0]", [0, 2])
    + view(Reshape([2, 2, 2, 3]), "to [2, 2, 2, 3]", [4, 2, 3])

  private static let transposes: [Sample] =
    view(Transpose([1, 0]), "", [2, 3], DType.allCases) + view(Transpose([2, 0, 1]), "rotated", [2, 3, 4])
    + view(Transpose([0, 2, 1]), "of matrices", [2, 3, 4]) + view(Transpose([]), "", [])
    + view(Transpose([1, 0]), "", [0, 3])
    // Square tiles and their rests, for the transposing copy.
    + [DType.uint8, .int16, .float32, .float64].flatMap { dtype in
      [[37, 70], [64, 64], [1, 9], [3, 33, 17]].map { (extents: [Int]) in
        Sample("transpose", "\(dtype)\(extents)", [Operand(Shape(extents), dtype)]) {
          [$0[0].transposed(Array(0..<extents.count - 2) + [extents.count - 1, extents.count - 2])]
        }
      }
    }

  private static let broadcasts: [Sample] =
    view(Broadcast([2, 3]), "to [2, 3]", [3], DType.allCases) + view(Broadcast([4, 2, 3]), "to [4, 2, 3]", [2, 1])
    + view(Broadcast([2, 2]), "to [2, 2]", []) + view(Broadcast([0, 3]), "to [0, 3]", [1, 3])
    + view(Broadcast([2, 3]), "to itself", [2, 3])

  private static let flips: [Sample] =
    view(Flip([0]), "[0]", [2, 3], DType.allCases) + view(Flip([0, 1]), "[0, 1]", [2, 3])
    + view(Flip([1]), "[1]", [2, 3, 4])
    + view(Flip([0]), "[0]", [0, 2]) + view(Flip([]), "[]", [])
}
