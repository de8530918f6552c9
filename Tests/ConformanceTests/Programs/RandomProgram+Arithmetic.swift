import CajalBase
import CajalIR
import CajalOperations

extension RandomProgram {
  mutating func drawExactUnary() -> Item? {
    guard var item = pick() else { return nil }
    let x = item.value
    switch generator.integer(0...5) {
    case 0 where item.dtype != .bool: return with(item, -x)
    case 1 where item.dtype != .bool: return with(item, x.abs())
    case 2 where item.dtype != .bool: return with(item, x.relu())
    case 3 where item.dtype != .bool:
      // Between −2 and 2, so that there is always something to compute with.
      item.bound = 2
      return with(item, x.clamped(number(-2, item.dtype), number(2, item.dtype)))
    case 4 where !item.dtype.isFloat: return with(item, !x)
    case 5 where item.isExact && item.dtype != .bool:
      return with(item, generator.pick([x.floor(), x.ceil(), x.round(), x.sign()]))
    default: return nil
    }
  }

  /// Functions that bend little: their errors stay in proportion.
  mutating func drawFunction() -> Item? {
    guard var item = pick({ ($0.dtype == .float32 || $0.dtype == .float64) && $0.bound <= 8 }) else { return nil }
    let x = item.value
    let epsilon = item.dtype.epsilon
    let kind = generator.integer(0...8)
    if kind == 8 {
      guard item.shape.rank > 0, item.shape[-1] > 0 else { return nil }
      return Item(value: x.softmax(-1), isExact: false, bound: 1, error: 4 * item.error + 64 * epsilon)
    }
    let functions: [(Value) -> Value] = [
      { $0.sin() }, { $0.cos() }, { $0.tanh() }, { $0.sigmoid() }, { $0.erf() }, { $0.softplus() }, { $0.gelu() },
      { $0.silu() },
    ]
    item.isExact = false
    item.bound = kind < 5 ? 1 : item.bound + 1
    // None of them is steeper than 1.2 (erf, at 0).
    item.error = 1.2 * item.error + 16 * epsilon * item.bound
    return with(item, functions[kind](x))
  }

  mutating func drawBinary() -> Item? {
    guard let a = pick() else { return nil }
    if generator.next() % 4 == 0 { return drawWithNumber(a) }
    guard let b = pick({ $0.dtype == a.dtype && Shape.broadcast($0.shape, a.shape) != nil }) else { return nil }
    return a.dtype.isFloat ? combineFloats(a, b) : combineIntegers(a, b)
  }

  /// With a literal, or with a number that is data.
  private mutating func drawWithNumber(_ a: Item) -> Item? {
    guard a.dtype != .bool else { return nil }
    let number = Double(generator.integer(1...3)) * (a.dtype.isFloat ? 0.5 : 1)
    let isLiteral = generator.next() & 1 == 0
    let value = isLiteral ? self.number(number, a.dtype) : scalarValue(.float(number), a.dtype)
    let b = Item(value: value, bound: bound(of: a.dtype, floats: number))
    return a.dtype.isFloat ? combineFloats(a, b) : combineIntegers(a, b)
  }

  private mutating func combineFloats(_ a: Item, _ b: Item) -> Item? {
    let (x, y) = (a.value, b.value)
    let isExact = a.isExact && b.isExact
    let epsilon = a.dtype.epsilon
    func item(_ value: Value, _ bound: Double, _ error: Double) -> Item? {
      if !isExact, !(bound <= 1e4) || !(error <= 1e-3 * Swift.max(1, bound)) { return nil }
      if a.dtype == .float16, bound > 6e4 { return nil }
      return Item(value: value, isExact: isExact, bound: bound, error: isExact ? 0 : error + 2 * epsilon * bound)
    }
    switch generator.integer(0...7) {
    case 0, 1: return item(x + y, a.bound + b.bound, a.error + b.error)
    case 2: return item(x - y, a.bound + b.bound, a.error + b.error)
    case 3, 4:
      guard a.bound < 1e6, b.bound < 1e6 else { return nil }
      return item(x * y, a.bound * b.bound, a.bound * b.error + b.bound * a.error)
    case 5:
      guard a.bound < 1e6 else { return nil }
      return item(
        x / (y.abs() + self.number(1, a.dtype)), a.bound, a.error + a.bound * (b.error + 2 * epsilon * (b.bound + 1)))
    case 6: return item(.maximum(x, y), Swift.max(a.bound, b.bound), Swift.max(a.error, b.error))
    default:
      guard isExact else { return item(.minimum(x, y), Swift.max(a.bound, b.bound), Swift.max(a.error, b.error)) }
      if generator.next() & 1 == 0 { return compare(x, y) }
      return Item(value: generator.pick([Value.remainder(x, y), Value.floorDivide(x, y)]))
    }
  }

  private mutating func combineIntegers(_ a: Item, _ b: Item) -> Item? {
    let (x, y) = (a.value, b.value)
    let value =
      switch generator.integer(0...10) {
      case 0, 1: x + y
      case 2: x - y
      case 3: x * y
      case 4: Value.floorDivide(x, y)
      case 5: Value.remainder(x, y)
      case 6: Value.maximum(x, y)
      case 7: x & y
      case 8: x | y
      case 9: x ^ y
      default: compare(x, y).value
      }
    return Item(value: value, bound: bound(of: value.dtype, floats: .infinity))
  }

  private mutating func compare(_ x: Value, _ y: Value) -> Item {
    Item(value: generator.pick([x < y, x <= y, Value.equal(x, y), Value.notEqual(x, y), x > y]), bound: 1)
  }

  mutating func drawSelect() -> Item? {
    guard let condition = pick({ $0.dtype == .bool }), let a = pick(), let b = pick({ $0.dtype == a.dtype }),
      let shape = Shape.broadcast(a.shape, b.shape), Shape.broadcast(shape, condition.shape) != nil
    else { return nil }
    return Item(
      value: .select(condition.value, a.value, b.value), isExact: a.isExact && b.isExact,
      bound: Swift.max(a.bound, b.bound),
      error: Swift.max(a.error, b.error))
  }

  mutating func drawCast() -> Item? {
    guard let a = pick() else { return nil }
    let target = generator.pick(DType.allCases)
    let value = a.value.cast(to: target)
    if a.isExact { return Item(value: value, bound: target.isFloat ? a.bound : bound(of: target, floats: 0)) }
    guard target == .float64 || target == .float32 else { return nil }
    return Item(value: value, isExact: false, bound: a.bound, error: a.error + 2 * DType.float32.epsilon * a.bound)
  }

  mutating func drawReduction() -> Item? {
    guard let a = pick() else { return nil }
    let axes = (0..<a.shape.rank).filter { _ in generator.next() & 1 == 0 }
    let keeps = generator.next() & 1 == 0
    let count = Double(axes.reduce(1) { $0 * a.shape[$1] })
    switch generator.integer(0...5) {
    case 0, 1:
      if !a.dtype.isFloat {
        return Item(value: a.value.sum(axes, keepingAxes: keeps), bound: bound(of: .int64, floats: 0))
      }
      guard a.dtype == .float32 || a.dtype == .float64, a.bound <= 100 else { return nil }
      let error = count * a.error + 2 * count * count * a.dtype.epsilon * a.bound
      return Item(value: a.value.sum(axes, keepingAxes: keeps), isExact: false, bound: count * a.bound, error: error)
    case 2, 3:
      guard count > 0 else { return nil }
      let value =
        generator.next() & 1 == 0 ? a.value.max(axes, keepingAxes: keeps) : a.value.min(axes, keepingAxes: keeps)
      // Of zeros of both signs any may win; + 0 makes them one.
      return with(a, a.dtype.isFloat ? value + number(0, a.dtype) : value)
    case 4: return a.dtype.isFloat ? nil : Item(value: a.value.product(axes, keepingAxes: keeps))
    default:
      guard a.isExact, a.shape.rank > 0 else { return nil }
      let axis = generator.integer(0...a.shape.rank - 1)
      guard a.shape[axis] > 0 else { return nil }
      return Item(
        value: a.value.argReduced(maximum: generator.next() & 1 == 0, axis: axis, keepingAxis: keeps), bound: 200)
    }
  }

  mutating func drawProduct() -> Item? {
    guard let a = pick({ $0.shape.rank >= 2 && ($0.dtype == .float32 || $0.dtype == .float64 || $0.dtype.isInteger) })
    else { return nil }
    let inner = a.shape[-1]
    let fits = pick {
      $0.dtype == a.dtype && $0.shape.rank >= 1 && $0.shape.rank <= a.shape.rank && $0.shape[-1] == inner
    }
    let b =
      fits?.shape.rank == 1
      ? fits : (fits?.shape.prefix((fits?.shape.rank ?? 2) - 2) == a.shape.prefix(a.shape.rank - 2) ? fits : a)
    guard let b else { return nil }
    let value = b.shape.rank == 1 ? a.value.matmul(b.value) : a.value.matmul(b.value, transposingOther: true)
    guard a.dtype.isFloat else { return Item(value: value, bound: bound(of: a.dtype, floats: 0)) }
    guard a.bound <= 50, b.bound <= 50 else { return nil }
    let k = Double(Swift.max(1, inner))
    let error = k * (a.bound * b.error + b.bound * a.error) + 2 * k * k * a.dtype.epsilon * a.bound * b.bound
    return Item(value: value, isExact: false, bound: k * a.bound * b.bound, error: error)
  }

  /// `item` with another value of as much promise.
  func with(_ item: Item, _ value: Value) -> Item {
    Item(value: value, isExact: item.isExact, bound: item.bound, error: item.error)
  }

  func number(_ number: Double, _ dtype: DType) -> Value { .constant(.float(number), dtype) }
}
