import CajalBase
import CajalIR
import CajalOperations

/// At least one sample for every operation: the gate fails for a name in the catalogue without.
enum Samples {
  static let all: [Sample] =
    elementwise + casts + constants + views + slices + joins + reductions + products + indices + draws + identities
    + scans + composites + orders + convolutions + pools + images

  static let byOperation = Dictionary(grouping: all, by: \.operation)

  /// Shapes to walk: rank 0, extents 0 and 1, a vector and a tail, several axes.
  static let shapes: [Shape] = [[], [0], [1], [131], [2, 0, 3], [3, 1, 5]]

  static let floats: [DType] = [.float16, .bfloat16, .float32, .float64]
  static let integers: [DType] = [.uint8, .int8, .int16, .int32, .int64]
  static let layouts: [Operand.Layout] = [.transposed, .flipped, .strided, .broadcast]
}

extension Operand.Layout: CustomStringConvertible {
  var description: String {
    switch self {
    case .contiguous: "contiguous"
    case .transposed: "transposed"
    case .flipped: "flipped"
    case .strided: "strided"
    case .broadcast: "broadcast"
    }
  }
}
