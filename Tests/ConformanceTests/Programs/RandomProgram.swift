import CajalBase
import CajalIR
import CajalOperations

/// A program drawn from a seed: the same one for the same seed, whatever its leaves are made of.
///
/// Each value carries how far a backend may be from the reference: not at all while only exactly rounded operations led
/// to it (and only then is it compared, rounded or turned into an index), else by an error carried along.
struct RandomProgram {
  struct Item {
    let value: Value
    /// Whether every backend must give the reference's bits.
    var isExact = true
    /// The largest magnitude it can have; infinite where nothing is known.
    var bound = Double.infinity
    /// How far it may be from the reference.
    var error = 0.0

    var shape: Shape { value.shape }
    var dtype: DType { value.dtype }
  }

  private(set) var items: [Item] = []
  /// The numbers behind the leaves.
  private(set) var leaves: [HostTensor] = []
  var generator: SplitMix64
  private let makeLeaf: (HostTensor) -> Value

  /// Elements of a value at most: the reference is slow.
  static let mostElements = 150

  init(seed: UInt64, makeLeaf: @escaping (HostTensor) -> Value) {
    generator = SplitMix64("program", seed)
    self.makeLeaf = makeLeaf
    for _ in 0..<generator.integer(2...4) { addLeaf() }
  }

  /// Draws operations; `onStep` sees each value as soon as it is recorded.
  mutating func grow(onStep: (Int, Value) -> Void = { _, _ in }) {
    let target = items.count + generator.integer(5...40)
    var attempts = 0
    while items.count < target, attempts < 400 {
      attempts += 1
      guard let item = draw(), item.value.failure == nil, item.shape.count <= RandomProgram.mostElements,
        item.shape.rank <= 5
      else {
        continue
      }
      items.append(item)
      onStep(items.count - 1, item.value)
    }
  }

  private mutating func addLeaf() {
    let dtype = generator.pick(DType.allCases + [.float32, .float32, .float64, .int32, .int64])
    let extents = (0..<generator.integer(0...3)).map { _ in
      generator.pick([1, 2, 3, 3, 4, 5, generator.next() % 8 == 0 ? 0 : 2])
    }
    let fill = dtype.isInteger && generator.next() & 1 == 0 ? Fill.wide : .uniform(-3...3)
    let numbers = fill.tensor(TensorType(Shape(extents), dtype), &generator)
    leaves.append(numbers)
    items.append(Item(value: makeLeaf(numbers), bound: bound(of: dtype, floats: 3)))
  }

  /// A value that passes `condition`, the newest more often.
  mutating func pick(_ condition: (Item) -> Bool = { _ in true }) -> Item? {
    let fitting = items.filter(condition)
    guard !fitting.isEmpty else { return nil }
    let recent = generator.next() & 1 == 0 ? fitting.suffix(4) : fitting[...]
    return generator.pick(Array(recent))
  }

  func bound(of dtype: DType, floats: Double) -> Double {
    dtype.isFloat ? floats : Swift.max(-Double(dtype.integerRange.lowerBound), Double(dtype.integerRange.upperBound))
  }

  private mutating func draw() -> Item? {
    switch generator.integer(0...19) {
    case 0, 1: drawExactUnary()
    case 2, 3: drawFunction()
    case 4, 5, 6, 7: drawBinary()
    case 8: drawSelect()
    case 9: drawCast()
    case 10, 11: drawReduction()
    case 12: drawProduct()
    case 13, 14: drawView()
    case 15: drawSlice()
    case 16: drawJoin()
    case 17: drawIndices()
    case 18: drawScan()
    default: drawSource()
    }
  }
}
