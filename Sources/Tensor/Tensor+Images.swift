import CajalBase
import CajalIR
import CajalOperations

// Windows that move over spatial axes. Channels come last: `[N, spatial…, C]`, with one to three spatial axes. Strides,
// windows and the like are one number for all spatial axes, or a list of one each.

extension Tensor {
  // MARK: Convolution

  /// The correlation with a window of weights.
  ///
  /// y[n, o…, f] = Σ_{k…, c} x[n, o · stride + k · dilation − before…, c] · w[k…, c, f]
  ///
  /// **Shapes**: `[N, spatial…, C]` with weights `[window…, C / groups, F]` to `[N, out…, F]`. With groups, output
  /// channels see the input channels of their group alone (depthwise: as many groups as channels). Floats; float16 and
  /// bfloat16 accumulate in float32.
  ///
  /// - Parameter padding: `.valid`, `.same`, `.causal`, `.explicit`, or a number for all sides.
  public func convolved(
    with weights: Tensor, strides: some PerAxis = 1, padding: Padding = .valid, dilations: some PerAxis = 1,
    groups: Int = 1
  ) -> Tensor {
    map(weights) {
      $0.convolved(
        with: $1, strides: strides.numbers, padding: padding, dilations: dilations.numbers, groups: groups)
    }
  }

  /// The transposed convolution: what a convolution with these weights brings to this shape, each element spread
  /// over its window.
  ///
  /// **Shapes**: `[N, spatial…, F]` with weights `[window…, C / groups, F]` to `[N, out…, C]`, where out =
  /// (spatial − 1) · stride + (window − 1) · dilation + 1 − padding + `outputPadding`, or spatial · stride with `.same`.
  ///
  /// - Parameter outputPadding: which of the shapes that have this one is meant; less than the stride.
  public func convolvedTransposed(
    with weights: Tensor, strides: some PerAxis = 1, padding: Padding = .valid, outputPadding: some PerAxis = 0,
    dilations: some PerAxis = 1, groups: Int = 1
  ) -> Tensor {
    map(weights) {
      $0.convolvedTransposed(
        with: $1, strides: strides.numbers, padding: padding, outputPadding: outputPadding.numbers,
        dilations: dilations.numbers, groups: groups)
    }
  }

  // MARK: Pooling

  /// The greatest element in each window, channel by channel; the gradient goes to the first of equals.
  ///
  /// **Shapes**: `[N, spatial…, C]` to `[N, out…, C]`.
  ///
  /// - Parameters:
  ///   - strides: those of the window if `nil`.
  ///   - roundsUp: whether a last window counts that begins inside and hangs over the end.
  public func maxPooled(
    _ window: some PerAxis, strides: (any PerAxis)? = nil, padding: Padding = .valid, dilations: some PerAxis = 1,
    roundsUp: Bool = false
  ) -> Tensor {
    map {
      $0.maxPooled(
        PoolingWindow(
          window.numbers, strides: strides?.numbers, padding: padding, dilations: dilations.numbers,
          roundsUp: roundsUp))
    }
  }

  /// The mean of each window, channel by channel.
  ///
  /// **Shapes**: `[N, spatial…, C]` to `[N, out…, C]`.
  ///
  /// - Parameter countsPadding: whether zeros that are padding are part of the mean, as in PyTorch; Keras leaves
  ///   them out.
  public func averagePooled(
    _ window: some PerAxis, strides: (any PerAxis)? = nil, padding: Padding = .valid, countsPadding: Bool = false,
    roundsUp: Bool = false
  ) -> Tensor {
    map {
      $0.averagePooled(
        PoolingWindow(window.numbers, strides: strides?.numbers, padding: padding, roundsUp: roundsUp),
        countsPadding: countsPadding)
    }
  }

  /// (Σ |x|ᵖ)^(1/p) of each window, channel by channel. Where all of it is 0 there is no gradient: NaN.
  public func normPooled(
    _ power: Double, _ window: some PerAxis, strides: (any PerAxis)? = nil, padding: Padding = .valid
  ) -> Tensor {
    map { $0.normPooled(power, PoolingWindow(window.numbers, strides: strides?.numbers, padding: padding)) }
  }

  /// Means of as many parts of each spatial axis as `extents` say: part i of n from ⌊i · in / n⌋ to ⌈(i + 1) · in / n⌉.
  ///
  /// **Shapes**: `[N, spatial…, C]` to `[N, extents…, C]`.
  public func adaptiveAveragePooled(to extents: some PerAxis) -> Tensor {
    map { $0.adaptiveAveragePooled(extents.numbers) }
  }

  /// The greatest elements of the parts that ``adaptiveAveragePooled(to:)`` takes the means of.
  public func adaptiveMaxPooled(to extents: some PerAxis) -> Tensor { map { $0.adaptiveMaxPooled(extents.numbers) } }

  // MARK: Patches and pixels

  /// What a window sees at each of its positions.
  ///
  /// **Shapes**: `[N, spatial…, C]` to `[N, out…, window…, C]`.
  public func unfolded(
    _ window: some PerAxis, strides: some PerAxis = 1, padding: Padding = .valid, dilations: some PerAxis = 1
  ) -> Tensor {
    map {
      $0.unfolded(window.numbers, strides: strides.numbers, padding: padding, dilations: dilations.numbers)
    }
  }

  /// The elements of windows added up where they were seen: the adjoint of ``unfolded(_:strides:padding:dilations:)``.
  ///
  /// **Shapes**: `[N, out…, window…, C]` to `[N, extents…, C]`.
  public func folded(
    to extents: some PerAxis, strides: some PerAxis = 1, padding: Padding = .valid, dilations: some PerAxis = 1
  ) -> Tensor {
    map {
      $0.folded(to: extents.numbers, strides: strides.numbers, padding: padding, dilations: dilations.numbers)
    }
  }

  /// Channels moved into space: Shi et al. 2016.
  ///
  /// **Shapes**: `[N, H, W, C · f²]` to `[N, H · f, W · f, C]`; with one or three spatial axes likewise.
  public func pixelShuffled(by factor: Int) -> Tensor { map { $0.pixelShuffled(by: factor) } }

  /// Space moved into channels: the inverse of ``pixelShuffled(by:)``.
  public func pixelUnshuffled(by factor: Int) -> Tensor { map { $0.pixelUnshuffled(by: factor) } }

  // MARK: Other sizes

  /// The spatial axes with other extents. Integers become float32, but for `.nearest`.
  ///
  /// **Shapes**: `[N, spatial…, C]` to `[N, extents…, C]`.
  ///
  /// - Parameter alignsCorners: whether the first and last elements stand on each other, or the images' borders do.
  ///   `.nearest` knows the borders alone.
  public func resized(
    to extents: some PerAxis, _ method: Interpolation = .linear, alignsCorners: Bool = false
  ) -> Tensor {
    map { $0.resized(to: extents.numbers, method, alignsCorners: alignsCorners) }
  }

  /// An image's colours at places that are data, and differentiable: Jaderberg et al. 2015.
  ///
  /// **Shapes**: images `[N, H, W, C]` at `[N, H', W', 2]` (x and y, from −1 for left and top to 1) to `[N, H', W', C]`.
  ///
  /// - Parameters:
  ///   - method: `.nearest` or `.linear`.
  ///   - repeatsBorder: whether what lies outside is the nearest element of the border, or zero.
  public func sampled(
    at grid: Tensor, _ method: Interpolation = .linear, repeatsBorder: Bool = false, alignsCorners: Bool = false
  ) -> Tensor {
    map(grid) { $0.sampled(at: $1, method, repeatsBorder: repeatsBorder, alignsCorners: alignsCorners) }
  }
}
