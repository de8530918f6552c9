/// The extents of a tensor, outermost axis first.
///
/// At most ``maximumRank`` axes, stored inline: making and comparing a shape
/// allocates nothing. Axes may be given from the end (`-1` is the last); an axis
/// that the shape does not have answers 1, as broadcasting would.
public struct Shape: Sendable, ExpressibleByArrayLiteral {
  /// The most axes a tensor may have.
  public static let maximumRank = 8

  private var extents: (Int, Int, Int, Int, Int, Int, Int, Int) = (1, 1, 1, 1, 1, 1, 1, 1)
  private var storedRank: Int

  /// The number of axes; a shape of more than ``maximumRank`` axes keeps its
  /// true rank here and is refused by every operation.
  public var rank: Int { storedRank }

  /// The shape of a scalar: no axes, one element.
  public static let scalar = Shape()

  public init() { storedRank = 0 }

  public init(_ extents: some Sequence<Int>) {
    storedRank = 0
    for extent in extents { append(extent) }
  }

  public init(arrayLiteral extents: Int...) { self.init(extents) }

  public init(repeating extent: Int, count: Int) {
    storedRank = 0
    for _ in 0..<max(0, count) { append(extent) }
  }

  public subscript(axis: Int) -> Int {
    get {
      let index = axis < 0 ? axis + rank : axis
      guard index >= 0, index < Swift.min(rank, Shape.maximumRank) else { return 1 }
      return withUnsafeBytes(of: extents) { $0.load(fromByteOffset: index * 8, as: Int.self) }
    }
    set {
      let index = axis < 0 ? axis + rank : axis
      guard index >= 0, index < Swift.min(rank, Shape.maximumRank) else { return }
      withUnsafeMutableBytes(of: &extents) { $0.storeBytes(of: newValue, toByteOffset: index * 8, as: Int.self) }
    }
  }

  public mutating func append(_ extent: Int) {
    storedRank += 1
    self[storedRank - 1] = extent
  }

  public mutating func insert(_ extent: Int, at axis: Int) {
    append(1)
    var index = rank - 1
    while index > axis {
      self[index] = self[index - 1]
      index -= 1
    }
    self[axis] = extent
  }

  /// The extents as an array.
  public var array: [Int] { (0..<Swift.min(rank, Shape.maximumRank)).map { self[$0] } }

  /// The number of elements; `nil` where it overflows or an extent is negative.
  public var checkedCount: Int? { product.map { $0.isEmpty ? 0 : $0.span } }

  /// The product of the extents that are not 0, which bounds every stride; `nil` as ``checkedCount``.
  public var checkedSpan: Int? { product?.span }

  private var product: (span: Int, isEmpty: Bool)? {
    guard rank <= Shape.maximumRank else { return nil }
    var count = 1
    var empty = false
    for axis in 0..<rank {
      let extent = self[axis]
      if extent < 0 { return nil }
      if extent == 0 {
        empty = true
        continue
      }
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      if overflow { return nil }
      count = product
    }
    return (count, empty)
  }

  /// The number of elements.
  public var count: Int { checkedCount ?? 0 }

  /// The row-major strides, in elements.
  public var strides: [Int] {
    var result = [Int](repeating: 1, count: rank)
    var stride = 1
    for axis in (0..<rank).reversed() {
      result[axis] = stride
      stride *= Swift.max(1, self[axis])
    }
    return result
  }

  /// `axis` counted from the front, or `nil` if the shape has no such axis.
  public func normalized(axis: Int) -> Int? {
    let index = axis < 0 ? axis + rank : axis
    return index >= 0 && index < rank ? index : nil
  }

  /// This shape without `axes` (counted from the front), or with extent 1 there.
  public func reduced(over axes: [Int], keepingAxes: Bool) -> Shape {
    var result = Shape()
    for axis in 0..<rank {
      if !axes.contains(axis) {
        result.append(self[axis])
      } else if keepingAxes {
        result.append(1)
      }
    }
    return result
  }

  /// The first axes.
  public func prefix(_ count: Int) -> Shape { Shape((0..<Swift.min(count, rank)).map { self[$0] }) }

  /// The axes from `start` on.
  public func suffix(from start: Int) -> Shape { Shape((Swift.min(start, rank)..<rank).map { self[$0] }) }

  public static func + (left: Shape, right: Shape) -> Shape {
    var result = left
    for axis in 0..<right.rank { result.append(right[axis]) }
    return result
  }

  /// The shape that both broadcast to by NumPy's rule (aligned at the last axis,
  /// 1 stretches), or `nil`.
  public static func broadcast(_ left: Shape, _ right: Shape) -> Shape? {
    if left == right { return left }
    let rank = Swift.max(left.rank, right.rank)
    var result = Shape(repeating: 1, count: rank)
    for axis in 0..<rank {
      let a = axis - (rank - left.rank)
      let b = axis - (rank - right.rank)
      let x = a >= 0 ? left[a] : 1
      let y = b >= 0 ? right[b] : 1
      if x != y && x != 1 && y != 1 { return nil }
      result[axis] = x == 1 ? y : x
    }
    return result
  }
}

extension Shape: Hashable {
  public static func == (left: Shape, right: Shape) -> Bool {
    guard left.rank == right.rank else { return false }
    for axis in 0..<Swift.min(left.rank, maximumRank) where left[axis] != right[axis] { return false }
    return true
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(rank)
    for axis in 0..<Swift.min(rank, Shape.maximumRank) { hasher.combine(self[axis]) }
  }
}

extension Shape: CustomStringConvertible {
  public var description: String { "[" + array.map(String.init).joined(separator: ", ") + "]" }
}
