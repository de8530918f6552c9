import CajalBase
import CajalIR

// Windows as elements of their own, and channels as pixels.

extension Value {
  /// What a window sees at each of its positions.
  ///
  /// **Shapes**: `[N, spatial…, C]` to `[N, out…, window…, C]`; at most three spatial axes.
  public func unfolded(_ window: [Int], strides: [Int], padding: Padding, dilations: [Int]) -> Value {
    recordWindow("unfold", [self]) { () throws(Mismatch) in
      let inputs = spatialExtents
      let extents = window.along(inputs.count)
      let geometry = try ConvolutionGeometry(
        over: inputs, window: extents, strides: strides, padding: padding, dilations: dilations)
      let outputs = try geometry.outputs(inputs, window: extents)
      let low = [0] + geometry.padding.map(\.before) + [0]
      let high = [0] + geometry.padding.map(\.after) + [0]
      // [N, o…, k…, C], an axis after the other from the last, as each becomes two.
      let padded = low + high == (low + high).map { _ in 0 } ? self : self.padded(low: low, high: high, with: zerosLike)
      let pairs = inputs.indices.reversed().reduce(padded) { value, spatial in
        value.gathered(geometry.places(outputs[spatial], extents[spatial], spatial), axis: spatial + 1)
      }
      return pairs.transposed(Value.unfoldedOrder(inputs.count))
    }
  }

  /// Each window's elements added up where they were seen: the adjoint of ``unfolded``.
  ///
  /// **Shapes**: `[N, out…, window…, C]` to `[N, extents…, C]`.
  public func folded(to extents: [Int], strides: [Int], padding: Padding, dilations: [Int]) -> Value {
    recordWindow("fold", [self]) { () throws(Mismatch) in
      let spatial = (rank - 2) / 2
      guard rank >= 4, rank % 2 == 0 else {
        throw .shape("\(shape) is no [N, out…, window…, C]", remedy: "Fold what `unfolded` gives")
      }
      let inputs = extents.along(spatial)
      let (outputs, window) = (Array(shape.array[1...spatial]), Array(shape.array[(spatial + 1)...(2 * spatial)]))
      let geometry = try ConvolutionGeometry(
        over: inputs, window: window, strides: strides, padding: padding, dilations: dilations)
      guard try geometry.outputs(inputs, window: window) == outputs else {
        throw .shape(
          "windows at \(outputs) positions do not cover \(inputs)",
          remedy: "Pass the extents, strides, padding and dilations that they were unfolded with")
      }
      var sums = transposed(Transpose(Value.unfoldedOrder(spatial)).inverse)
      for axis in 0..<spatial {
        var shape = sums.shape.array
        shape.remove(at: axis + 2)
        shape[axis + 1] = geometry.padding[axis].before + inputs[axis] + geometry.padding[axis].after
        sums = record(
          ScatterAdd(axis: axis + 1), sums.zerosLike.broadcast(to: Shape(shape)),
          geometry.places(outputs[axis], window[axis], axis), sums)
      }
      let axes = Array(1...spatial)
      let part = Part(axes: axes, extents: inputs, steps: axes.map { _ in 1 })
      let isPadded = geometry.padding.contains { $0 != .none }
      return isPadded ? sums.sliced(part, starts: geometry.padding.map(\.before)) : sums
    }
  }

  /// From [N, o₁, k₁, o₂, k₂, …, C] to [N, o₁, o₂, …, k₁, k₂, …, C].
  private static func unfoldedOrder(_ spatial: Int) -> [Int] {
    [0] + (0..<spatial).map { 2 * $0 + 1 } + (0..<spatial).map { 2 * $0 + 2 } + [2 * spatial + 1]
  }

  /// Channels moved into space: Shi et al. 2016.
  ///
  /// **Shapes**: `[N, spatial…, C · fᵃ]` to `[N, spatial · f…, C]` for a spatial axes.
  public func pixelShuffled(by factor: Int) -> Value {
    recordWindow("pixelShuffle", [self]) { () throws(Mismatch) in
      let inputs = spatialExtents
      guard let block = Value.block(factor, inputs.count), block > 0, shape[-1] % block == 0 else {
        throw .shape(
          "the channels of \(shape) are no multiple of \(factor) for each spatial axis",
          remedy: "Give C · fᵃ channels, for a factor f and a spatial axes")
      }
      // [N, s…, C, f…] to [N, s₁, f₁, s₂, f₂, …, C]
      let split = reshaped(
        to: Shape([shape[0]] + inputs + [shape[-1] / block] + inputs.map { _ in factor }))
      let channel = inputs.count + 1
      let order = [0] + inputs.indices.flatMap { [$0 + 1, channel + 1 + $0] } + [channel]
      return split.transposed(order).reshaped(to: Shape([shape[0]] + inputs.map { $0 * factor } + [shape[-1] / block]))
    }
  }

  /// Space moved into channels: the inverse of ``pixelShuffled(by:)``.
  ///
  /// **Shapes**: `[N, spatial · f…, C]` to `[N, spatial…, C · fᵃ]` for a spatial axes.
  public func pixelUnshuffled(by factor: Int) -> Value {
    recordWindow("pixelUnshuffle", [self]) { () throws(Mismatch) in
      let inputs = spatialExtents
      guard let block = Value.block(factor, inputs.count), block > 0, inputs.allSatisfy({ $0 % factor == 0 }) else {
        throw .shape("the extents of \(shape) are no multiples of \(factor)", remedy: "Pad or crop them first")
      }
      let split = reshaped(to: Shape([shape[0]] + inputs.flatMap { [$0 / factor, factor] } + [shape[-1]]))
      let order =
        [0] + inputs.indices.map { 2 * $0 + 1 } + [2 * inputs.count + 1] + inputs.indices.map { 2 * $0 + 2 }
      return split.transposed(order).reshaped(to: Shape([shape[0]] + inputs.map { $0 / factor } + [shape[-1] * block]))
    }
  }

  /// factorᵃˣᵉˢ, `nil` for what no tensor has.
  private static func block(_ factor: Int, _ axes: Int) -> Int? {
    guard (1...1 << 15).contains(factor), (1...3).contains(axes) else { return nil }
    return (0..<axes).reduce(1) { product, _ in product * factor }
  }
}

extension ConvolutionGeometry {
  /// The padded position that output o sees through k of a window, `[outputs, window]`.
  fileprivate func places(_ outputs: Int, _ window: Int, _ axis: Int) -> Value {
    let shape: Shape = [outputs, window]
    let step = Value.constant(.integer(Int64(strides[axis])), .int64)
    let dilation = Value.constant(.integer(Int64(dilations[axis])), .int64)
    return .iota(shape, axis: 0, .int64) * step + .iota(shape, axis: 1, .int64) * dilation
  }
}
