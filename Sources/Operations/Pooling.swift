import CajalBase
import CajalIR

/// The greatest element that a window sees, channel by channel, and where it stands.
///
/// **Shapes**: x `[N, spatial…, C]`; values and positions (int32) `[N, out…, C]`, with out as in ``Convolution``.
///
/// Positions count the elements of x's spatial axes, row-major. The first of equals in the window wins, and so does
/// the first NaN; padding never does: each window sees at least one element. Floats and integers. The gradient goes
/// to the positions: a ``ScatterAddAlong`` over the spatial axes as one.
public struct MaxPooling: Operation {
  public let window: [Int]
  public let geometry: ConvolutionGeometry

  /// - Parameter geometry: of one group.
  public init(window: [Int], _ geometry: ConvolutionGeometry) {
    self.window = window
    self.geometry = geometry
  }

  public var name: String { "maxPool" }
  public func encode(into key: inout PlanKey) {
    key.write(window)
    geometry.encode(into: &key)
  }

  public func sizes(_ x: Shape) throws(Mismatch) -> ConvolutionSizes {
    guard x.rank == geometry.rank + 2 else {
      throw .shape("\(x) is no [N, spatial…, C] of \(geometry.rank) spatial axes", remedy: "Add the missing axes")
    }
    let inputs = Array(x.array[1...geometry.rank])
    let outputs = try geometry.outputs(inputs, window: window)
    return ConvolutionSizes(
      batch: x[0], inputs: inputs, window: window, outputs: outputs, channels: x[-1], filters: x[-1], groups: 1)
  }

  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    let type = operands[0]
    let sizes = try sizes(type.shape)
    guard type.dtype != .bool else { throw .dtype("elements of bool", remedy: "Cast them to uint8") }
    for axis in 0..<geometry.rank where !geometry.seesInput(sizes, axis: axis) {
      throw .shape(
        "a window of \(window[axis]) sees padding alone along spatial axis \(axis) of \(type.shape)",
        remedy: "Pad by less than the window")
    }
    guard sizes.inputs.reduce(1, *) <= ConvolutionGeometry.limit else {
      throw .shape("\(type.shape) has more spatial elements than int32 counts", remedy: "Pool parts of it")
    }
    return ResultTypes(TensorType(sizes.y, type.dtype), [TensorType(sizes.y, .int32)])
  }

  public var semantics: Semantics {
    .loops { operands, results throws(Mismatch) in
      let x = operands[0]
      let sizes = try sizes(x.shape)
      let (inputs, outputs) = (sizes.inputs.reduce(1, *), sizes.outputs.reduce(1, *))
      var (values, positions) = (HostTensor(results[0]), HostTensor(results[1]))
      var isFilled = [Bool](repeating: false, count: values.count)
      let taps = geometry.taps(sizes.inputs, window, sizes.outputs)
      for n in 0..<sizes.batch {
        for tap in taps {
          for c in 0..<sizes.channels {
            let source = (n * inputs + tap.x) * sizes.channels + c
            let target = (n * outputs + tap.y) * sizes.channels + c
            if isFilled[target], !exceeds(x[source], values[target]) { continue }
            isFilled[target] = true
            values[target] = x[source]
            positions.store(.integer(Int64(tap.x)), at: target)
          }
        }
      }
      return [values, positions]
    }
  }

  /// Whether `x` wins over `y`, which came before.
  private func exceeds(_ x: Scalar, _ y: Scalar) -> Bool {
    if case .float(let a) = x, case .float(let b) = y { return !b.isNaN && (a.isNaN || a > b) }
    return x.int64 > y.int64
  }

  public var gradient: GradientRule {
    .rule { context in
      let x = context.operands[0]
      guard let g = context.cotangents[0], x.dtype.isFloat else { return [nil] }
      // [N, spatial, C] and [N, out, C]
      let flat: Shape = [x.shape[0], x.spatialExtents.reduce(1, *), x.shape[-1]]
      let pooled: Shape = [x.shape[0], g.spatialExtents.reduce(1, *), x.shape[-1]]
      let sums = record(
        ScatterAddAlong(axis: 1), g.zerosLike.broadcast(to: flat), context.results[1].reshaped(to: pooled),
        g.reshaped(to: pooled))
      return [sums.reshaped(to: x.shape)]
    }
  }

  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    let x = operands[0]
    let flat = x.reshaped(to: Shape([x.shape[0] * x.shape[1]]) + x.shape.suffix(from: 2))
    return recordAll(self, [flat]).map { $0.reshaped(to: x.shape.prefix(2) + $0.shape.suffix(from: 1)) }
  }

  public func cost(_ operands: OperandTypes, _ results: ResultTypes) -> Cost {
    Cost(
      flops: window.reduce(results.first.shape.count) { $0.multipliedSaturated(by: $1) },
      bytes: operands[0].byteCount + results.first.byteCount + results[1].byteCount)
  }
}

extension ConvolutionGeometry {
  /// Whether every window sees an element along `axis`: those at the borders alone might not.
  fileprivate func seesInput(_ sizes: ConvolutionSizes, axis: Int) -> Bool {
    func sees(_ output: Int) -> Bool {
      let start = output * strides[axis] - padding[axis].before
      let first = start >= 0 ? 0 : (dilations[axis] - 1 - start) / dilations[axis]
      return first < sizes.window[axis] && start + first * dilations[axis] < sizes.inputs[axis]
    }
    let before = min(sizes.outputs[axis], (padding[axis].before + strides[axis] - 1) / strides[axis])
    return (0..<before).allSatisfy(sees) && sees(sizes.outputs[axis] - 1)
  }
}

// MARK: Recording

/// A window that moves over a tensor to sum it up.
public struct PoolingWindow: Sendable {
  public var extents: [Int]
  /// Those of the window if `nil`.
  public var strides: [Int]?
  public var padding: Padding
  public var dilations: [Int]
  /// Whether a last window counts that hangs over the end, if it begins inside.
  public var roundsUp: Bool

  public init(
    _ extents: [Int], strides: [Int]? = nil, padding: Padding = .valid, dilations: [Int] = [1], roundsUp: Bool = false
  ) {
    self.extents = extents
    self.strides = strides
    self.padding = padding
    self.dilations = dilations
    self.roundsUp = roundsUp
  }

  /// Its geometry over `inputs`, and how many zeros it adds behind each axis for a window that hangs over.
  fileprivate func resolved(
    _ inputs: [Int]
  ) throws(Mismatch) -> (window: [Int], geometry: ConvolutionGeometry, overhang: [Int]) {
    let window = extents.along(inputs.count)
    var geometry = try ConvolutionGeometry(
      over: inputs, window: window, strides: strides ?? extents, padding: padding, dilations: dilations)
    var overhang = [Int](repeating: 0, count: inputs.count)
    guard roundsUp else { return (window, geometry, overhang) }
    let outputs = try geometry.outputs(inputs, window: window)
    for axis in inputs.indices {
      let (before, stride) = (geometry.padding[axis].before, geometry.strides[axis])
      let end = (outputs[axis] - 1) * stride + geometry.span(window[axis], axis: axis)
      let isWhole = end == before + inputs[axis] + geometry.padding[axis].after
      if isWhole || outputs[axis] * stride >= before + inputs[axis] { continue }
      overhang[axis] = end + stride - before - inputs[axis] - geometry.padding[axis].after
      geometry.padding[axis].after += overhang[axis]
    }
    return (window, geometry, overhang)
  }
}

extension Value {
  /// See ``MaxPooling``.
  public func maxPooled(_ window: PoolingWindow) -> Value {
    recordWindow("maxPool", [self]) { () throws(Mismatch) in
      let (extents, geometry, _) = try window.resolved(spatialExtents)
      return recordAll(MaxPooling(window: extents, geometry), [self])[0]
    }
  }

  /// The sum of what a window sees, channel by channel: a depthwise convolution with ones.
  public func sumPooled(_ window: PoolingWindow) -> Value {
    recordWindow("sumPool", [self]) { () throws(Mismatch) in
      let (extents, geometry, _) = try window.resolved(spatialExtents)
      return floating.sumPooled(extents, geometry)
    }
  }

  /// The mean of what a window sees, channel by channel, with or without the padding among it.
  public func averagePooled(_ window: PoolingWindow, countsPadding: Bool) -> Value {
    recordWindow("averagePool", [self]) { () throws(Mismatch) in
      let (extents, geometry, overhang) = try window.resolved(spatialExtents)
      let sums = floating.sumPooled(extents, geometry)
      if sums.isFailed { return sums }
      let counted = geometry.padding.indices.map { axis in
        countsPadding ? geometry.padding[axis].before + geometry.padding[axis].after - overhang[axis] : 0
      }
      let isWhole = geometry.padding.indices.allSatisfy {
        geometry.padding[$0].before + geometry.padding[$0].after == counted[$0]
      }
      if isWhole { return sums / Double(extents.reduce(1, *)) }
      // How many elements each window sees: the same sum over ones.
      var rest = geometry
      for axis in counted.indices where countsPadding { rest.padding[axis] = .init(before: 0, after: overhang[axis]) }
      let present = zip(spatialExtents, counted).map { $0 + $1 }
      let ones = Value.constant(.integer(1), sums.dtype).broadcast(to: Shape([1] + present + [1]))
      return sums / ones.sumPooled(extents, rest)
    }
  }

  /// (Σ |x|ᵖ)^(1/p) over what a window sees, channel by channel.
  public func normPooled(_ power: Double, _ window: PoolingWindow) -> Value {
    guard power > 0 else {
      return errorValue(
        "normPool", [self], .shape("a norm of power \(power)", remedy: "Use a power above 0; 2 is Euclid's"))
    }
    let x = floating.abs()
    let (p, root) = (Value.constant(.float(power), x.dtype), Value.constant(.float(1 / power), x.dtype))
    return Value.power(Value.power(x, p).sumPooled(window), root)
  }

  private func sumPooled(_ extents: [Int], _ geometry: ConvolutionGeometry) -> Value {
    // No channels are one group of none.
    let depthwise = geometry.repeated(Swift.max(1, shape[-1]))
    let ones = onesLike.broadcast(to: Shape(extents + [shape[-1] == 0 ? 0 : 1, shape[-1]]))
    return record(Convolution(depthwise), self, ones)
  }
}

// MARK: Adaptive

extension Value {
  /// Means of as many parts of each spatial axis as `extents` say; part i of n covers ⌊i · in / n⌋ to
  /// ⌈(i + 1) · in / n⌉, as PyTorch's.
  public func adaptiveAveragePooled(_ extents: [Int]) -> Value {
    adaptivelyPooled("adaptiveAveragePool", extents) {
      $0.floating.averagePooled($1, countsPadding: false)
    } uneven: {
      value, axis, indices, isInside in
      let parts = Value.select(isInside, value.floating.gathered(indices, axis: axis), value.floating.zerosLike)
      let counts = isInside.cast(to: parts.dtype).sum([1])
      return parts.sum([axis + 1]) / counts
    }
  }

  /// The greatest elements of the same parts. Ties within one that an axis' parts share divide its gradient.
  public func adaptiveMaxPooled(_ extents: [Int]) -> Value {
    adaptivelyPooled("adaptiveMaxPool", extents) {
      $0.maxPooled($1)
    } uneven: { value, axis, indices, _ in
      value.gathered(indices, axis: axis).max([axis + 1])
    }
  }

  /// - Parameter uneven: pools an axis whose parts overlap: what to gather `[n, longest part]`, the last element of
  ///   a part repeated, and which of it is no repetition, shaped to broadcast.
  private func adaptivelyPooled(
    _ name: String, _ extents: [Int], even: (Value, PoolingWindow) -> Value,
    uneven: (_ value: Value, _ axis: Int, _ indices: Value, _ isInside: Value) -> Value
  ) -> Value {
    if isFailed { return self }
    let inputs = spatialExtents
    let outputs = extents.along(inputs.count)
    guard !inputs.isEmpty, outputs.count == inputs.count, outputs.allSatisfy({ $0 > 0 }), !inputs.contains(0) else {
      return errorValue(
        name, [self],
        .shape("\(shape) cannot be pooled to \(extents)", remedy: "Give an extent of at least 1 for each spatial axis"))
    }
    if zip(inputs, outputs).allSatisfy({ $0 % $1 == 0 }) {
      return even(self, PoolingWindow(zip(inputs, outputs).map { $0 / $1 }))
    }
    return inputs.indices.reduce(self) { value, spatial in
      let (count, extent) = (outputs[spatial], inputs[spatial])
      if count == extent { return value }
      let bounds = (0..<count).map { ($0 * extent / count, (($0 + 1) * extent + count - 1) / count) }
      let longest = bounds.map { $1 - $0 }.max() ?? 1
      let part = Value.iota([count, longest], axis: 0, .int64)
      let place = part.floorScaled(extent, count) + .iota([count, longest], axis: 1, .int64)
      let end = (part + .constant(.integer(1), .int64)).floorScaled(extent, count, plus: count - 1)
      let isInside = (place < end).reshaped(
        to: Shape([count, longest] + inputs.indices.map { _ in 1 }.dropFirst(spatial)))
      let last = end - .constant(.integer(1), .int64)
      return uneven(value, spatial + 1, .minimum(place, last), isInside)
    }
  }

  /// ⌊(self · numerator + more) / denominator⌋, of integers.
  func floorScaled(_ numerator: Int, _ denominator: Int, plus more: Int = 0) -> Value {
    let scaled = self * Value.constant(.integer(Int64(numerator)), dtype)
    return Value.floorDivide(
      scaled + Value.constant(.integer(Int64(more)), dtype), .constant(.integer(Int64(denominator)), dtype))
  }

  /// Slices at positions that are known to be inside.
  func gathered(_ indices: Value, axis: Int) -> Value { record(Gather(axis: axis), self, indices) }
}
