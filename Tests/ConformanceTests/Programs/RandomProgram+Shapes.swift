import CajalBase
import CajalIR
import CajalOperations

extension RandomProgram {
  mutating func drawView() -> Item? {
    guard let a = pick({ $0.shape.rank > 0 }) else { return nil }
    let (x, shape) = (a.value, a.shape)
    switch generator.integer(0...4) {
    case 0: return with(a, x.transposed(Array(0..<shape.rank).shuffled(using: &generator)))
    case 1: return with(a, x.flipped((0..<shape.rank).filter { _ in generator.next() & 1 == 0 }))
    case 2: return with(a, x.broadcast(to: Shape([generator.integer(1...3)]) + shape))
    case 3: return with(a, x.reshaped(to: [shape.count]))
    default:
      let axis = generator.integer(0...shape.rank - 1)
      let divisors = (1...Swift.max(1, shape[axis])).filter { shape[axis] > 0 && shape[axis] % $0 == 0 }
      guard let part = divisors.isEmpty ? nil : generator.pick(divisors) else { return nil }
      return with(a, x.reshaped(to: shape.prefix(axis) + [part, shape[axis] / part] + shape.suffix(from: axis + 1)))
    }
  }

  private mutating func drawPart(_ shape: Shape) -> (part: Part, starts: [Int]) {
    var part = Part(axes: [], extents: [], steps: [])
    var starts: [Int] = []
    for axis in 0..<shape.rank where generator.next() & 1 == 0 {
      let step = generator.integer(1...2)
      let extent = generator.integer(0...(shape[axis] + step - 1) / step)
      let span = extent == 0 ? 0 : (extent - 1) * step + 1
      part.axes.append(axis)
      part.extents.append(extent)
      part.steps.append(step)
      starts.append(generator.integer(0...shape[axis] - span))
    }
    return (part, starts)
  }

  /// Parts read and written; where they start is data.
  mutating func drawSlice() -> Item? {
    guard let a = pick({ $0.shape.rank > 0 }) else { return nil }
    let (part, starts) = drawPart(a.shape)
    if generator.next() & 1 == 0 { return with(a, a.value.sliced(part, starts: starts)) }
    let place = part.shape(in: a.shape)
    let fits = pick { $0.dtype == a.dtype && Shape.broadcast($0.shape, place) == place }
    guard let b = fits else { return nil }
    return Item(
      value: a.value.updated(part, starts: starts, with: b.value.broadcast(to: place)), isExact: a.isExact && b.isExact,
      bound: Swift.max(a.bound, b.bound), error: Swift.max(a.error, b.error))
  }

  mutating func drawJoin() -> Item? {
    guard let a = pick({ $0.shape.rank > 0 }) else { return nil }
    if generator.next() % 3 == 0 {
      let low = (0..<a.shape.rank).map { _ in generator.integer(0...2) }
      let high = (0..<a.shape.rank).map { _ in generator.integer(0...1) }
      var item = a
      item.bound = Swift.max(a.bound, 1)
      return with(item, a.value.padded(low: low, high: high, with: number(1, a.dtype)))
    }
    let axis = generator.integer(0...a.shape.rank - 1)
    let fits = pick { other in
      guard other.dtype == a.dtype, other.shape.rank == a.shape.rank else { return false }
      return (0..<a.shape.rank).allSatisfy { $0 == axis || other.shape[$0] == a.shape[$0] }
    }
    let b = fits ?? a
    return Item(
      value: .concatenated([a.value, b.value, a.value], axis: axis), isExact: a.isExact && b.isExact,
      bound: Swift.max(a.bound, b.bound), error: Swift.max(a.error, b.error))
  }

  /// Reads and adds at positions that were computed.
  mutating func drawIndices() -> Item? {
    guard let a = pick({ $0.shape.rank > 0 && $0.shape.count > 0 }),
      let source = pick({ $0.isExact && $0.dtype != .bool && $0.shape.rank <= 2 })
    else { return nil }
    let axis = generator.integer(0...a.shape.rank - 1)
    let extent = Double(a.shape[axis])
    let whole = source.value.cast(to: .int64)
    let indices = Value.remainder(whole, number(extent, .int64)).cast(to: generator.pick([.int32, .int64]))
    let taken = a.value.take(indices, axis: axis)
    if generator.next() & 1 == 0 || a.dtype == .bool { return with(a, taken) }
    guard taken.failure == nil, taken.shape.count <= RandomProgram.mostElements else { return nil }
    let count = Double(indices.shape.count + 1)
    guard a.isExact || count * a.bound <= 1e3 else { return nil }
    return Item(
      value: a.value.scatterAdded(taken, at: indices, axis: axis), isExact: a.isExact, bound: count * a.bound,
      error: count * a.error + (a.isExact ? 0 : 2 * count * count * a.dtype.epsilon * a.bound))
  }

  /// h ← h / 2 + x along the first axis: bounded, and rounded as every backend rounds.
  mutating func drawScan() -> Item? {
    guard let a = pick({ $0.shape.rank > 0 && $0.shape.rank < 4 && $0.dtype != .bool }) else { return nil }
    let isFloat = a.dtype.isFloat
    let start = number(0, a.dtype).broadcast(to: a.shape.suffix(from: 1))
    let factor = number(isFloat ? 0.5 : 3, a.dtype)
    let isReversed = generator.next() & 1 == 0
    let (last, stacked) = Value.scan(initial: [start], sequences: [a.value], isReversed: isReversed) {
      _, carries, slices in
      let next = carries[0] * factor + slices[0]
      return ([next], [next - carries[0]])
    }
    guard let value = generator.next() & 1 == 0 ? last.first : stacked.first else { return nil }
    return Item(
      value: value, isExact: a.isExact, bound: 4 * a.bound,
      error: 8 * a.error + (a.isExact ? 0 : 32 * a.dtype.epsilon * a.bound))
  }

  /// Coordinates, draws and literals.
  mutating func drawSource() -> Item? {
    let shape = Shape((0..<generator.integer(1...2)).map { _ in generator.integer(1...4) })
    let dtype = generator.pick([DType.float32, .float64, .int32, .int64, .bfloat16, .uint8])
    switch generator.integer(0...2) {
    case 0: return Item(value: .iota(shape, axis: 0, dtype), bound: bound(of: dtype, floats: 4))
    case 1:
      guard dtype.isFloat else { return nil }
      let key = scalarValue(.integer(Int64(generator.integer(0...99))), .int64)
      return Item(value: record(Random(.uniform, shape, dtype), [key, number(7, .int64)]), bound: 1)
    default:
      return Item(
        value: number(Double(generator.integer(-3...3)), dtype).broadcast(to: shape), bound: bound(of: dtype, floats: 3)
      )
    }
  }
}
