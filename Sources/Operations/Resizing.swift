import CajalBase
import CajalIR

/// How elements between those of an image are made up.
public enum Interpolation: String, Sendable, Codable, CaseIterable {
  /// The element whose place it is in, ⌊i · in / out⌋.
  case nearest
  /// A line between the two next to it along each axis.
  case linear
  /// A cubic through the four next to it along each axis (Keys 1981, with a = −0.75 as PyTorch's).
  case cubic
}

// Resizing is separable: along one axis each element is a weighted sum of a few, gathered.

extension Value {
  /// The spatial axes with other extents. Half precisions are interpolated in float32.
  ///
  /// - Parameter alignsCorners: whether the first and last elements stand on each other, or the images' borders do.
  public func resized(to extents: [Int], _ method: Interpolation, alignsCorners: Bool) -> Value {
    if isFailed { return self }
    let inputs = spatialExtents
    let outputs = extents.along(inputs.count)
    guard !inputs.isEmpty, outputs.count == inputs.count, outputs.allSatisfy({ $0 > 0 }), !inputs.contains(0) else {
      return errorValue(
        "resize", [self],
        .shape("\(shape) cannot become \(extents)", remedy: "Give an extent of at least 1 for each spatial axis"))
    }
    if method == .nearest {
      return inputs.indices.reduce(self) { value, spatial in
        let (count, extent) = (outputs[spatial], inputs[spatial])
        if count == extent { return value }
        return value.gathered(Value.iota([count], axis: 0, .int64).floorScaled(extent, count), axis: spatial + 1)
      }
    }
    let fine = floating
    let wide = fine.dtype.byteCount < 4 ? fine.cast(to: .float32) : fine
    return inputs.indices.reduce(wide) { value, spatial in
      if outputs[spatial] == inputs[spatial] { return value }
      return value.interpolated(to: outputs[spatial], axis: spatial + 1, method, alignsCorners: alignsCorners)
    }.cast(to: fine.dtype)
  }

  private func interpolated(to count: Int, axis: Int, _ method: Interpolation, alignsCorners: Bool) -> Value {
    let extent = shape[axis]
    let place = Value.iota([count], axis: 0, .float64)
    var source =
      alignsCorners
      ? place * (count > 1 ? Double(extent - 1) / Double(count - 1) : 0)
      : (place + 0.5) * (Double(extent) / Double(count)) - 0.5
    if method == .linear { source = .maximum(source, source.zerosLike) }
    let first = source.floor()
    let taps = method == .linear ? Value.linearTaps(source - first) : Value.cubicTaps(source - first)
    // [count, 1…] against [A…, count, B…]
    let aligned = Shape([count] + (axis + 1..<rank).map { _ in 1 })
    let last = Value.constant(.integer(Int64(extent - 1)), .int64)
    let terms = taps.map { tap in
      let index = (first.cast(to: .int64) + .constant(.integer(Int64(tap.offset)), .int64))
        .clamped(last.zerosLike, last)
      return gathered(index, axis: axis) * tap.weight.cast(to: dtype).reshaped(to: aligned)
    }
    return terms.dropFirst().reduce(terms[0], +)
  }

  private typealias Tap = (offset: Int, weight: Value)

  /// Weights of the elements before and behind, `t` of the way between them.
  private static func linearTaps(_ t: Value) -> [Tap] { [(0, 1 - t), (1, t)] }

  private static func cubicTaps(_ t: Value) -> [Tap] {
    let a = -0.75
    // At distance d: ((a + 2)d − (a + 3))d² + 1 up to 1, ((ad − 5a)d + 8a)d − 4a up to 2.
    func near(_ d: Value) -> Value { ((a + 2) * d - (a + 3)) * d * d + 1 }
    func far(_ d: Value) -> Value { ((a * d - 5 * a) * d + 8 * a) * d - 4 * a }
    return [(-1, far(t + 1)), (0, near(t)), (1, near(1 - t)), (2, far(2 - t))]
  }
}

// MARK: Sampling

extension Value {
  /// An image's colours at places that are data: Jaderberg et al. 2015.
  ///
  /// - Parameters:
  ///   - grid: `[N, H', W', 2]`, x and y, from −1 (left, top) to 1.
  ///   - repeatsBorder: whether what lies outside is the next element of the border, or zero.
  public func sampled(
    at grid: Value, _ method: Interpolation, repeatsBorder: Bool, alignsCorners: Bool
  ) -> Value {
    if let failed = [self, grid].first(where: \.isFailed) { return failed }
    guard rank == 4, grid.rank == 4, grid.shape[-1] == 2, grid.shape[0] == shape[0], grid.dtype.isFloat,
      shape[1] > 0, shape[2] > 0
    else {
      return errorValue(
        "gridSample", [self, grid],
        .shape(
          "\(shape) cannot be sampled at \(grid.type)",
          remedy: "Images are [N, H, W, C], places [N, H', W', 2] of a float dtype"))
    }
    guard method != .cubic else {
      return errorValue("gridSample", [self], .shape("no cubic sampling", remedy: "Use .nearest or .linear"))
    }
    let axes = [2, 1].map { axis in
      grid.samples(grid.rank - 1, at: 2 - axis).taps(shape[axis], method, repeatsBorder, alignsCorners)
    }
    let image = floating
    let pixels = image.reshaped(to: [shape[0] * shape[1] * shape[2], shape[3]])
    let rows = Value.iota(Shape(grid.shape.array.dropLast()), axis: 0, .int64)
    let (height, width) = (literal64(shape[1]), literal64(shape[2]))
    var result: Value?
    for y in axes[1] {
      for x in axes[0] {
        let colours = pixels.gathered((rows * height + y.index) * width + x.index, axis: 0)
        let weight = (x.weight * y.weight).cast(to: image.dtype)
        let term = colours * weight.reshaped(to: weight.shape + [1])
        result = result.map { $0 + term } ?? term
      }
    }
    return result ?? image
  }

  private func literal64(_ number: Int) -> Value { .constant(.integer(Int64(number)), .int64) }

  /// One coordinate of a last axis.
  private func samples(_ axis: Int, at index: Int) -> Value {
    sliced(axis, from: index, count: 1).reshaped(to: shape.prefix(axis))
  }

  /// Which elements of an axis of `extent` make up those at these places, and their weights, 0 outside.
  private func taps(
    _ extent: Int, _ method: Interpolation, _ repeatsBorder: Bool, _ alignsCorners: Bool
  ) -> [(index: Value, weight: Value)] {
    let last = Double(extent - 1)
    var place = alignsCorners ? (self + 1) * (last / 2) : ((self + 1) * Double(extent) - 1) / 2
    if repeatsBorder { place = place.clamped(zerosLike, literal(last)) }
    let first = method == .nearest ? place.round() : place.floor()
    let weights = method == .nearest ? [onesLike.broadcast(to: shape)] : [1 - (place - first), place - first]
    return weights.enumerated().map { offset, weight in
      let position = first + Double(offset)
      let isInside = (position >= 0) & (position <= literal(last))
      let index = position.clamped(zerosLike, literal(last)).cast(to: .int64)
      return (index, Value.select(isInside, weight, zerosLike))
    }
  }
}
