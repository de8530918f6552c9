import CajalBase
import CajalIR
import CajalOperations
import Testing

/// An operand of a sample: what it holds, and how it lies in memory.
struct Operand: Sendable {
  enum Layout: Sendable {
    case contiguous, transposed, flipped, strided, broadcast
  }

  var shape: Shape
  var dtype: DType
  var fill: Fill
  var layout: Layout

  init(_ shape: Shape, _ dtype: DType, _ fill: Fill = .uniform(-2...2), _ layout: Layout = .contiguous) {
    self.shape = shape
    self.dtype = dtype
    self.fill = fill
    self.layout = layout
  }

  /// What lies in memory, of which the operand is a view.
  var base: TensorType {
    switch layout {
    case .contiguous, .flipped: return TensorType(shape, dtype)
    case .transposed: return TensorType(Shape(shape.array.reversed()), dtype)
    case .strided: return TensorType(Shape(shape.array.map { 2 * $0 + 1 }), dtype)
    case .broadcast:
      var narrow = shape
      narrow[0] = 1
      return TensorType(narrow, dtype)
    }
  }

  /// Records the view of `base`.
  func view(_ base: Value) -> Value {
    let axes = Array(0..<shape.rank)
    switch layout {
    case .contiguous: return base
    case .transposed: return base.transposed(axes.reversed())
    case .flipped: return base.flipped(axes)
    case .broadcast: return base.broadcast(to: shape)
    case .strided:
      let part = Part(axes: axes, extents: shape.array, steps: axes.map { _ in 2 })
      return base.sliced(part, starts: axes.map { _ in 1 })
    }
  }
}

/// How far a backend may be from the reference.
enum Tolerance: Sendable, Hashable {
  /// Not a bit.
  case exact
  /// Units in the last place of the result, in float32 and float64; 1 in the half precisions.
  case ulps(Int)
  /// As many units in the last place of a number of magnitude `scale`, where sums cancel.
  case scaled(Int, scale: Double)
  /// `terms` roundings of the same sum over magnitudes, and one of the result.
  case accumulated(terms: Int)
}

/// One application of an operation, by which it is judged on every backend.
struct Sample: Sendable, CustomTestStringConvertible {
  /// The catalogue's name of what is judged.
  let operation: String
  let label: String
  let operands: [Operand]
  var tolerance: Tolerance = .exact
  /// float64 operands that are checked against finite differences.
  var differentiates: [Int] = []
  /// Whether the batching rule is tried on it.
  var isBatched = false
  /// Whether it needs the engine: transfers run in no plan.
  var needsEngine = false
  let record: @Sendable ([Value]) -> [Value]

  var testDescription: String { "\(operation) \(label)" }
  var name: String { testDescription }

  init(
    _ operation: String, _ label: String, _ operands: [Operand], _ tolerance: Tolerance = .exact,
    differentiates: [Int] = [],
    isBatched: Bool = false, needsEngine: Bool = false, record: @escaping @Sendable ([Value]) -> [Value]
  ) {
    self.operation = operation
    self.label = label
    self.operands = operands
    self.tolerance = tolerance
    self.differentiates = differentiates
    self.isBatched = isBatched
    self.needsEngine = needsEngine
    self.record = record
  }

  /// Memory for the operands, drawn by `seed`.
  func inputs(seed: UInt64 = 0) -> [HostTensor] {
    operands.enumerated().map { index, operand in
      var generator = SplitMix64("\(name) \(index)", seed)
      return operand.fill.tensor(operand.base, &generator)
    }
  }

  /// Placeholders for the operands' memory, and what the sample makes of them.
  func recorded() -> (inputs: [Value], outputs: [Value]) {
    let trace = Trace(depth: 0)
    let inputs = operands.map { placeholderValue($0.base, device: .cpu, trace: trace) }
    return (inputs, record(zip(operands, inputs).map { $0.view($1) }))
  }
}
