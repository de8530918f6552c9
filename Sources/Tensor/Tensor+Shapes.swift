import CajalBase
import CajalIR
import CajalOperations

// Shapes, joining, cutting.

extension Tensor {
  /// The same elements, row-major, under another shape; one extent may be −1 and follows from the
  /// others.
  public func reshaped(_ extents: Int...) -> Tensor { reshaped(to: Shape(extents)) }

  public func reshaped(to shape: Shape) -> Tensor {
    guard error == nil else { return self }
    let unknown = (0..<shape.rank).filter { shape[$0] == -1 }
    guard unknown.count == 1 else { return map { $0.reshaped(to: shape) } }
    var known = shape
    known[unknown[0]] = 1
    let rest = known.count
    guard rest > 0, count % rest == 0 else {
      return map {
        errorValue(
          "reshape", [$0],
          .shape(
            "\(self.shape) has \(count) elements, no multiple of \(rest)",
            remedy: "Give extents whose product divides it"))
      }
    }
    known[unknown[0]] = count / rest
    return map { $0.reshaped(to: known) }
  }

  /// Axes `first` and those after it as one: `[N, H, W, C]` from 1 is `[N, H·W·C]`.
  public func flattened(from first: Int = 0) -> Tensor {
    guard error == nil else { return self }
    guard let start = rank == 0 && first == 0 ? 0 : shape.normalized(axis: first) else {
      return map {
        errorValue("flattened", [$0], .index("there is no axis \(first) in \(shape)", remedy: "Use \(-rank)..<\(rank)"))
      }
    }
    return map { $0.reshaped(to: shape.prefix(start) + [shape.suffix(from: start).count]) }
  }

  /// Axes in another order; without arguments, reversed.
  public func transposed(_ order: Int...) -> Tensor {
    guard error == nil else { return self }
    let axes = order.isEmpty ? Array((0..<rank).reversed()) : order.map { shape.normalized(axis: $0) ?? $0 }
    return map { $0.transposed(axes) }
  }

  /// The last two axes exchanged.
  // swift-format-ignore: AlwaysUseLowerCamelCase
  public var T: Tensor { map(\.matrixTransposed) }

  public func broadcast(to shape: Shape) -> Tensor { map { $0.broadcast(to: shape) } }

  /// A new axis of extent 1.
  public func expanded(at axis: Int) -> Tensor {
    guard error == nil else { return self }
    let position = axis < 0 ? axis + rank + 1 : axis
    guard position >= 0, position <= rank else {
      return map {
        errorValue(
          "expanded", [$0],
          .index("there is no place \(axis) in \(shape)", remedy: "Use 0...\(rank), or negative from the end"))
      }
    }
    var wider = shape
    wider.insert(1, at: position)
    return map { $0.reshaped(to: wider) }
  }

  /// Without the axes of extent 1: all of them, or those named.
  public func squeezed(_ axes: Int...) -> Tensor {
    guard error == nil else { return self }
    let named = axes.map { shape.normalized(axis: $0) ?? -1 }
    guard named.allSatisfy({ $0 >= 0 && shape[$0] == 1 }) else {
      return map {
        errorValue(
          "squeezed", [$0], .shape("axes \(axes) of \(shape) are not all 1", remedy: "Only axes of extent 1 can go"))
      }
    }
    let gone = axes.isEmpty ? (0..<rank).filter { shape[$0] == 1 } : named
    return map { $0.reshaped(to: shape.reduced(over: gone, keepingAxes: false)) }
  }

  /// Backwards along `axes`.
  public func flipped(_ axes: Int...) -> Tensor {
    map { value in value.flipped(axes.map { value.shape.normalized(axis: $0) ?? $0 }) }
  }

  /// Surrounded by `number`: `widths[i]` elements before and behind along axis i.
  public func padded(_ widths: [(Int, Int)], with number: some TensorScalar = Float(0)) -> Tensor {
    map(data(number)) { $0.padded(low: widths.map(\.0), high: widths.map(\.1), with: $1) }
  }

  /// One behind the other along `axis`, in the dtype that they promote to.
  public static func concatenate(_ tensors: [Tensor], axis: Int = 0) -> Tensor {
    map(tensors) { Value.concatenated($0, axis: axis) }
  }

  /// Along a new axis.
  public static func stack(_ tensors: [Tensor], axis: Int = 0) -> Tensor {
    map(tensors) { Value.stacked($0, axis: axis) }
  }

  /// Cut along `axis` into pieces of `extents`.
  public func split(_ extents: [Int], axis: Int = 0) -> [Tensor] {
    withExtendedLifetime(handle) { Tensor.results(value.split(extents, axis: axis)) }
  }

  /// Cut along `axis` into `count` equal pieces.
  public func split(into count: Int, axis: Int = 0) -> [Tensor] {
    let extent = shape[axis]
    guard count > 0, extent % count == 0 else {
      return [Tensor](
        repeating: map {
          errorValue(
            "split", [$0], .shape("axis \(axis) of \(shape) has no \(count) equal pieces", remedy: "Give their extents")
          )
        }, count: Swift.max(1, count))
    }
    return split([Int](repeating: extent / count, count: count), axis: axis)
  }

  // MARK: Products

  /// The matrix product, as NumPy's: batch axes broadcast, vectors become matrices for it.
  ///
  /// **Shapes**: `[…, m, k]` · `[…, k, n]` → `[…, m, n]`.
  public func matmul(_ other: Tensor, transposed: Bool = false, transposingOther: Bool = false) -> Tensor {
    map(other) { $0.matmul($1, transposed: transposed, transposingOther: transposingOther) }
  }

  // MARK: Indices that are data

  /// Whole slices at `indices` (int32 or int64) along `axis`.
  ///
  /// **Shapes**: `[A…, extent, B…]` at `[I…]` → `[A…, I…, B…]`. An index outside −extent..<extent fails
  /// the evaluation, not the process.
  public func take(_ indices: Tensor, axis: Int = 0) -> Tensor { map(indices) { $0.take($1, axis: axis) } }

  /// Single elements: result[o, j, i] = self[o, indices[o, j, i], i] along `axis`.
  public func takeAlong(_ indices: Tensor, axis: Int) -> Tensor { map(indices) { $0.takeAlong($1, axis: axis) } }

  /// With `updates` added at `indices` along `axis`; where an index repeats they add up.
  public func scatterAdded(_ updates: Tensor, at indices: Tensor, axis: Int = 0) -> Tensor {
    map(updates, indices) { $0.scatterAdded($1, at: $2, axis: axis) }
  }

  /// With single elements added: result[o, indices[o, j, i], i] += updates[o, j, i].
  public func scatterAddedAlong(_ updates: Tensor, at indices: Tensor, axis: Int) -> Tensor {
    map(updates, indices) { $0.scatterAddedAlong($1, at: $2, axis: axis) }
  }

  /// 1 at each index along a new last axis of `count`, 0 elsewhere.
  public func oneHot(_ count: Int, dtype: DType = .float32) -> Tensor { map { $0.oneHot(count, dtype) } }
}
