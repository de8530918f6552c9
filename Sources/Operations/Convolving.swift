import CajalBase
import CajalIR

// Convolutions by how a user says them: the numbers of a window, resolved over what it moves over.

extension Value {
  /// The spatial extents: all axes but the first and the last.
  var spatialExtents: [Int] { rank < 3 ? [] : Array(shape.array[1..<rank - 1]) }

  /// See ``Convolution``.
  public func convolved(
    with weights: Value, strides: [Int], padding: Padding, dilations: [Int], groups: Int
  ) -> Value {
    recordWindow("convolution", [self, weights]) { () throws(Mismatch) in
      let (x, w) = Value.lowered(self, weights)
      let geometry = try ConvolutionGeometry(
        over: x.spatialExtents, window: Array(w.shape.array.dropLast(2)), strides: strides, padding: padding,
        dilations: dilations, groups: groups)
      let (a, b) = Value.promoted(x.floating, w)
      return record(Convolution(geometry), a, b)
    }
  }

  /// The input whose convolution with `weights` has this value's shape: ``ConvolutionInputGradient``.
  ///
  /// Several inputs have: with padding of its own each extent is (in − 1) · stride + span − padding + `outputPadding`,
  /// with `.same` it is in · stride.
  public func convolvedTransposed(
    with weights: Value, strides: [Int], padding: Padding, outputPadding: [Int], dilations: [Int], groups: Int
  ) -> Value {
    recordWindow("convolutionInputGradient", [self, weights]) { () throws(Mismatch) in
      let (y, w) = Value.lowered(self, weights)
      let outputs = y.spatialExtents
      let window = Array(w.shape.array.dropLast(2))
      let plain = try ConvolutionGeometry(
        over: outputs, window: window, strides: strides, padding: .valid, dilations: dilations, groups: groups)
      let extra = outputPadding.along(outputs.count)
      guard extra.count == outputs.count, extra.allSatisfy({ (0...ConvolutionGeometry.limit).contains($0) }) else {
        throw .shape(
          "an output padding of \(outputPadding)", remedy: "Give one number of at least 0 for each spatial axis")
      }
      guard padding != .causal else {
        throw .shape(
          "a transposed convolution is not causal", remedy: "Pad by .valid, .same or .explicit, and cut the result")
      }
      let extents = plain.transposedExtents(outputs, window: window, padding, extra)
      let geometry = try ConvolutionGeometry(
        over: extents, window: window, strides: strides, padding: padding, dilations: dilations, groups: groups)
      let (a, b) = Value.promoted(y.floating, w)
      return record(ConvolutionInputGradient(geometry, extents: extents), a, b)
    }
  }

  /// What `body` records, or the error of numbers that do not fit.
  func recordWindow(_ name: String, _ operands: [Value], _ body: () throws(Mismatch) -> Value) -> Value {
    if let failed = operands.first(where: \.isFailed) { return failed }
    do { return try body() } catch { return errorValue(name, operands, error) }
  }
}

extension ConvolutionGeometry {
  /// The extents of what gives `outputs`.
  fileprivate func transposedExtents(
    _ outputs: [Int], window: [Int], _ padding: Padding, _ extra: [Int]
  ) -> [Int] {
    outputs.indices.map { axis in
      if padding == .same { return outputs[axis] * strides[axis] }
      let margins = padding.margins(outputs, window: window, self)
      let widths = axis < margins.count ? margins[axis] : .none
      return (outputs[axis] - 1) * strides[axis] + span(window[axis], axis: axis) - widths.before - widths.after
        + extra[axis]
    }
  }
}
