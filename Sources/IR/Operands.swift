/// The operands of a node: what it, or whoever is recording it, holds. A view, good while they hold it; copying
/// it counts no references.
///
/// Three stand in the view itself, which is as many as most operations have: so a node with its operands is
/// one allocation.
public struct Operands: RandomAccessCollection {
  /// A ``Value`` that somebody else holds.
  public struct Operand {
    public let node: Unmanaged<Node>
    public let index: Int

    @inlinable
    public init(_ value: borrowing Value) {
      node = .passUnretained(value.node)
      index = value.index
    }
  }

  public let count: Int
  @usableFromInline let first, second, third: Operand?
  /// All of them, where they are more than three.
  @usableFromInline let all: UnsafeMutablePointer<Operand>?

  @inlinable
  public init() { self.init(0, nil, nil, nil) }
  @inlinable
  public init(_ a: borrowing Value) { self.init(1, Operand(a), nil, nil) }
  @inlinable
  public init(_ a: borrowing Value, _ b: borrowing Value) { self.init(2, Operand(a), Operand(b), nil) }
  @inlinable
  public init(_ a: borrowing Value, _ b: borrowing Value, _ c: borrowing Value) {
    self.init(3, Operand(a), Operand(b), Operand(c))
  }

  @usableFromInline
  init(_ count: Int, _ first: Operand?, _ second: Operand?, _ third: Operand?) {
    self.count = count
    self.first = first
    self.second = second
    self.third = third
    all = nil
  }

  /// A view of operands anywhere in memory.
  init(_ operands: UnsafeMutableBufferPointer<Operand>) {
    count = operands.count
    first = count > 0 && count <= 3 ? operands[0] : nil
    second = count > 1 && count <= 3 ? operands[1] : nil
    third = count == 3 ? operands[2] : nil
    all = count > 3 ? operands.baseAddress : nil
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { count }

  public subscript(index: Int) -> Value {
    let operand = at(index)
    return Value(operand.node.takeUnretainedValue(), operand.index)
  }

  /// Operand `index`, without counting a reference.
  @inlinable @inline(__always)
  public func at(_ index: Int) -> Operand {
    if let all { return all[index] }
    // Positions are below `count`, and as many operands are there.
    return (index == 0 ? first : index == 1 ? second : third)!
  }

  // MARK: Owning

  /// These operands as a node owns them: retained, and in memory of its own where they are many.
  @usableFromInline
  func owned() -> Operands {
    for index in 0..<count {
      let node = at(index).node.retain()
      node._withUnsafeGuaranteedRef { _ = $0.references.wrappingAdd(1, ordering: .relaxed) }
    }
    guard let all else { return self }
    let copy = UnsafeMutableBufferPointer<Operand>.allocate(capacity: count)
    _ = copy.initialize(from: UnsafeBufferPointer(start: all, count: count))
    return Operands(copy)
  }
}
