import CajalBase
import CajalIR
import CajalOperations

/// What a tensor may be subscripted with: integers, ranges, `.all`, `.newAxis`, `.ellipsis`,
/// `.every(2)` and tensors of indices.
public protocol TensorIndexing {
  var tensorIndex: TensorIndex { get }
}

/// One subscript.
public struct TensorIndex: TensorIndexing, Sendable {
  enum Kind: Sendable {
    case integer(Int)
    /// Bounds count from the end where negative; `nil` is the end itself.
    case range(Int?, Int?, step: Int)
    case newAxis
    case ellipsis
    case tensor(Tensor)
  }

  let kind: Kind
  public var tensorIndex: TensorIndex { self }
}

extension TensorIndexing where Self == TensorIndex {
  /// The whole axis.
  public static var all: TensorIndex { TensorIndex(kind: .range(nil, nil, step: 1)) }
  /// A new axis of extent 1.
  public static var newAxis: TensorIndex { TensorIndex(kind: .newAxis) }
  /// As many whole axes as are left.
  public static var ellipsis: TensorIndex { TensorIndex(kind: .ellipsis) }
  /// Every `step`-th element, between bounds if given; a negative step walks backwards from the last.
  public static func every(_ step: Int, from start: Int? = nil, to end: Int? = nil) -> TensorIndex {
    TensorIndex(kind: .range(start, end, step: step))
  }
}

extension Int: TensorIndexing { public var tensorIndex: TensorIndex { TensorIndex(kind: .integer(self)) } }
extension Range: TensorIndexing where Bound == Int {
  public var tensorIndex: TensorIndex { TensorIndex(kind: .range(lowerBound, upperBound, step: 1)) }
}
extension ClosedRange: TensorIndexing where Bound == Int {
  public var tensorIndex: TensorIndex {
    TensorIndex(kind: .range(lowerBound, upperBound == -1 ? nil : upperBound &+ 1, step: 1))
  }
}
extension PartialRangeFrom: TensorIndexing where Bound == Int {
  public var tensorIndex: TensorIndex { TensorIndex(kind: .range(lowerBound, nil, step: 1)) }
}
extension PartialRangeUpTo: TensorIndexing where Bound == Int {
  public var tensorIndex: TensorIndex { TensorIndex(kind: .range(nil, upperBound, step: 1)) }
}
extension PartialRangeThrough: TensorIndexing where Bound == Int {
  public var tensorIndex: TensorIndex {
    TensorIndex(kind: .range(nil, upperBound == -1 ? nil : upperBound &+ 1, step: 1))
  }
}
extension Tensor: TensorIndexing { public var tensorIndex: TensorIndex { TensorIndex(kind: .tensor(self)) } }

extension Tensor {
  /// Parts of a tensor: `x[0..<8, .all, -1, .newAxis]`. An integer drops its axis, a range keeps it;
  /// negative numbers count from the end. Where a part starts is data: a slice that moves is one
  /// plan. Assigning gives this variable a new tensor with the part replaced.
  ///
  /// Bounds outside the axis give an error tensor.
  public subscript(_ indices: any TensorIndexing...) -> Tensor {
    get {
      switch Result<Selection, Mismatch>(indices.map(\.tensorIndex.kind), shape) {
      case .failure(let mismatch): map { errorValue("subscript", [$0], mismatch) }
      case .success(let selection): error == nil ? selection.read(self) : self
      }
    }
    set {
      switch Result<Selection, Mismatch>(indices.map(\.tensorIndex.kind), shape) {
      case .failure(let mismatch): self = map { errorValue("subscript", [$0], mismatch) }
      case .success(let selection): if error == nil { self = selection.write(newValue, into: self) }
      }
    }
  }
}

/// A subscript worked out for one shape: a part, axes to flip, the shape it is seen in.
private struct Selection {
  var part = Part(axes: [], extents: [], steps: [])
  var starts: [Int] = []
  var flipped: [Int] = []
  /// The part's shape without the axes of integers and with new axes.
  var shape = Shape()
  /// Tensors of indices, by the axis of `shape` that they replace.
  var gathers: [(axis: Int, indices: Tensor)] = []

  static func make(_ kinds: [TensorIndex.Kind], _ shape: Shape) throws(Mismatch) -> Selection {
    var selection = Selection()
    var axis = 0
    let named = kinds.count { kind in
      switch kind {
      case .newAxis, .ellipsis: false
      default: true
      }
    }
    guard named <= shape.rank else {
      throw .index(
        "\(named) subscripts for the \(shape.rank) axes of \(shape)", remedy: "Give at most one for each axis")
    }
    for kind in kinds {
      switch kind {
      case .newAxis: selection.shape.append(1)
      case .ellipsis:
        for _ in 0..<(shape.rank - named) { selection.keep(&axis, shape) }
      case .integer(let index): try selection.pick(index, &axis, shape)
      case .range(let start, let end, let step): try selection.slice(start, end, step, &axis, shape)
      case .tensor(let indices):
        selection.gathers.append((selection.shape.rank, indices))
        selection.keep(&axis, shape)
      }
    }
    while axis < shape.rank { selection.keep(&axis, shape) }
    return selection
  }

  private mutating func keep(_ axis: inout Int, _ shape: Shape) {
    self.shape.append(shape[axis])
    axis += 1
  }

  private mutating func add(_ axis: Int, start: Int, extent: Int, step: Int) {
    part.axes.append(axis)
    part.extents.append(extent)
    part.steps.append(step)
    starts.append(start)
  }

  private mutating func pick(_ index: Int, _ axis: inout Int, _ shape: Shape) throws(Mismatch) {
    let extent = shape[axis]
    let position = index < 0 ? index + extent : index
    guard position >= 0, position < extent else {
      throw .index("index \(index) is outside axis \(axis) of \(shape)", remedy: "Use \(-extent)..<\(extent)")
    }
    add(axis, start: position, extent: 1, step: 1)
    axis += 1
  }

  private mutating func slice(_ start: Int?, _ end: Int?, _ step: Int, _ axis: inout Int, _ shape: Shape)
    throws(Mismatch)
  {
    let extent = shape[axis]
    if start == nil, end == nil, step == 1 { return keep(&axis, shape) }
    guard step != 0 else {
      throw .index("a step of 0 goes nowhere", remedy: "Use 1, or a negative step to walk backwards")
    }
    let low = start.map { $0 < 0 ? $0 + extent : $0 } ?? 0
    let high = end.map { $0 < 0 ? $0 + extent : $0 } ?? extent
    guard low >= 0, high <= extent, low <= high else {
      throw .index(
        "range \(start.map(String.init) ?? "")..<\(end.map(String.init) ?? "") is outside axis \(axis) of \(shape)",
        remedy: "Use bounds in 0...\(extent), or negative from the end")
    }
    let stride = step.magnitude > UInt(Int.max) ? Int.max : Int(step.magnitude)
    let count = high == low ? 0 : (high - low - 1) / stride + 1
    // Backwards: from the last element of the range.
    add(
      axis, start: step < 0 && count > 0 ? high - 1 - (count - 1) * stride : low, extent: count,
      step: count > 1 ? stride : 1)
    if step < 0 { flipped.append(axis) }
    self.shape.append(count)
    axis += 1
  }

  func read(_ tensor: Tensor) -> Tensor {
    var result = tensor.map { value in
      let sliced = part.axes.isEmpty ? value : value.sliced(part, starts: starts)
      return sliced.flipped(flipped).reshaped(to: shape)
    }
    // The last first: earlier axes keep their numbers.
    for (axis, indices) in gathers.reversed() { result = result.take(indices, axis: axis) }
    return result
  }

  func write(_ update: Tensor, into tensor: Tensor) -> Tensor {
    guard gathers.isEmpty else {
      return tensor.map {
        errorValue(
          "subscript", [$0], .index("cannot assign through a tensor of indices", remedy: "Use scatterAdded, or select"))
      }
    }
    return tensor.map(update) { whole, new in
      let placed = new.broadcast(to: shape).reshaped(to: part.shape(in: whole.shape)).flipped(flipped)
      return whole.updated(part, starts: starts, with: placed)
    }
  }
}

extension Result where Success == Selection, Failure == Mismatch {
  fileprivate init(_ kinds: [TensorIndex.Kind], _ shape: Shape) {
    self = Result { () throws(Mismatch) in try Selection.make(kinds, shape) }
  }
}
