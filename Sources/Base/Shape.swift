/// The extents of a tensor, outermost axis first.
///
/// At most ``maximumRank`` axes, stored inline: making and comparing a shape
/// allocates nothing. Axes may be given from the end (`-1` is the last); an axis
/// that the shape does not have answers 1, as broadcasting would.
public struct Shape: Sendable, ExpressibleByArrayLiteral {
  /// The most axes a tensor may have.
  @inlinable public static var maximumRank: Int { 8 }

  /// 1 beyond the rank.
  @usableFromInline var extents: (Int, Int, Int, Int, Int, Int, Int, Int) = (1, 1, 1, 1, 1, 1, 1, 1)
  @usableFromInline var storedRank: Int

  /// The number of axes; a shape of more than ``maximumRank`` axes keeps its
  /// true rank here and is refused by every operation.
  @inlinable public var rank: Int { storedRank }

  /// The shape of a scalar: no axes, one element.
  @inlinable public static var scalar: Shape { Shape() }

  @inlinable public init() { storedRank = 0 }

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
    @inlinable
    get {
      let index = axis < 0 ? axis + rank : axis
      guard index >= 0, index < Swift.min(rank, Shape.maximumRank) else { return 1 }
      return withUnsafeBytes(of: extents) { $0.load(fromByteOffset: index * 8, as: Int.self) }
    }
    @inlinable
    set {
      let index = axis < 0 ? axis + rank : axis
      guard index >= 0, index < Swift.min(rank, Shape.maximumRank) else { return }
      withUnsafeMutableBytes(of: &extents) { $0.storeBytes(of: newValue, toByteOffset: index * 8, as: Int.self) }
    }
  }

  @inlinable
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
  public var checkedCount: Int? { sizes.map(\.count) }

  /// The number of elements, and the product of the extents that are not 0, which bounds every stride; `nil`
  /// as ``checkedCount``.
  @inlinable
  public var sizes: (count: Int, span: Int)? {
    guard rank <= Shape.maximumRank else { return nil }
    var span = 1
    var isEmpty = false
    for axis in 0..<rank {
      let extent = self[axis]
      if extent <= 0 {
        if extent < 0 { return nil }
        isEmpty = true
        continue
      }
      let (product, overflow) = span.multipliedReportingOverflow(by: extent)
      if overflow { return nil }
      span = product
    }
    return (isEmpty ? 0 : span, span)
  }

  /// The number of elements.
  @inlinable public var count: Int { sizes?.count ?? 0 }

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
  public func prefix(_ count: Int) -> Shape {
    var result = Shape()
    for axis in 0..<Swift.max(0, Swift.min(count, rank)) { result.append(self[axis]) }
    return result
  }

  /// The axes from `start` on.
  public func suffix(from start: Int) -> Shape {
    var result = Shape()
    for axis in Swift.min(start, rank)..<rank { result.append(self[axis]) }
    return result
  }

  public static func + (left: Shape, right: Shape) -> Shape {
    var result = left
    for axis in 0..<right.rank { result.append(right[axis]) }
    return result
  }

  /// The shape that both broadcast to by NumPy's rule (aligned at the last axis,
  /// 1 stretches), or `nil`.
  @inlinable
  public static func broadcast(_ left: Shape, _ right: Shape) -> Shape? {
    left == right ? left : stretched(left, right)
  }

  @usableFromInline
  static func stretched(_ left: Shape, _ right: Shape) -> Shape? {
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
  @inlinable
  public static func == (left: Shape, right: Shape) -> Bool {
    let (a, b) = (left.extents, right.extents)
    let first = (a.0 ^ b.0) | (a.1 ^ b.1) | (a.2 ^ b.2) | (a.3 ^ b.3)
    let second = (a.4 ^ b.4) | (a.5 ^ b.5) | (a.6 ^ b.6) | (a.7 ^ b.7)
    return (left.storedRank ^ right.storedRank) | first | second == 0
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(rank)
    for axis in 0..<Swift.min(rank, Shape.maximumRank) { hasher.combine(self[axis]) }
  }
}

extension Shape: CustomStringConvertible {
  public var description: String { "[" + array.map(String.init).joined(separator: ", ") + "]" }
}
