import CajalBase
import CajalNN
import CajalOperations
import CajalTensor

extension GoldenCases {
  static let images: [String: Body] = [
    "conv1d_s2_p2_d2": { g in [convolved(g) { $0.convolved(with: $1, strides: 2, padding: 2, dilations: 2) }] },
    "conv2d_3x3": { g in [convolved(g) { $0.convolved(with: $1) }] },
    "conv2d_s2_p1_g2": { g in
      [convolved(g) { $0.convolved(with: $1, strides: [2, 1], padding: .explicit(1, 0), groups: 2) }]
    },
    "conv2d_depthwise_d2": { g in
      [convolved(g) { $0.convolved(with: $1, padding: 2, dilations: 2, groups: $0.shape[-1]) }]
    },
    "conv3d": { g in [convolved(g) { $0.convolved(with: $1, padding: .explicit(0, 1, 0)) }] },
    "convtranspose1d": { g in [convolved(g) { $0.convolvedTransposed(with: $1, strides: 2, padding: 1) }] },
    "convtranspose2d_s2_op1": { g in
      [convolved(g) { $0.convolvedTransposed(with: $1, strides: 2, padding: 1, outputPadding: 1) }]
    },
    "convtranspose2d_g2_d2": { g in [convolved(g) { $0.convolvedTransposed(with: $1, dilations: 2, groups: 2) }] },
    "maxpool1d": { g in [last(g.x) { $0.maxPooled(2) }] },
    "maxpool2d": { g in [last(g.x) { $0.maxPooled(3, strides: 2, padding: 1) }] },
    "maxpool2d_ceil_d2": { g in [last(g.x) { $0.maxPooled(2, dilations: 2, roundsUp: true) }] },
    "avgpool2d": { g in [last(g.x) { $0.averagePooled(3, strides: 2, padding: 1, countsPadding: true) }] },
    "avgpool2d_nopadcount": { g in [last(g.x) { $0.averagePooled(3, strides: 2, padding: 1) }] },
    "avgpool3d": { g in [last(g.x) { $0.averagePooled(2) }] },
    "adaptive_avgpool2d": { g in [last(g.x) { $0.adaptiveAveragePooled(to: [3, 2]) }] },
    "localresponsenorm": { g in [last(g.x) { LocalResponseNorm(3, k: 1)($0) }] },
    "interpolate_nearest": { g in [last(g.x) { $0.resized(to: [7, 5], .nearest) }] },
    "interpolate_bilinear_align0": { g in [last(g.x) { $0.resized(to: [7, 5]) }] },
    "interpolate_bilinear_align1": { g in [last(g.x) { $0.resized(to: [7, 5], alignsCorners: true) }] },
    "interpolate_bicubic_align0": { g in [last(g.x) { $0.resized(to: [7, 5], .cubic) }] },
    "pixel_shuffle": { g in [last(g.x) { $0.pixelShuffled(by: 2) }] },
    "grid_sample": { g in [last(g.x) { $0.sampled(at: g["g"]) }] },
    "unfold": { g in
      // [N, H', W', h, w, C] to PyTorch's [N, C · h · w, H' · W'].
      let patches = channelsToLast(g.x).unfolded([2, 3], strides: 2, padding: 1)
      return [patches.transposed(0, 5, 3, 4, 1, 2).reshaped(1, 12, 9)]
    },
  ]

  /// PyTorch's weights are [F, C / groups, window…], and those of transposed convolutions [C, F / groups, window…].
  private static func convolved(_ g: GoldenOperands, _ body: (Tensor, Tensor) -> Tensor) -> Tensor {
    let weights = g.weight.map { $0.transposed(Array(2..<$0.rank) + [1, 0]) }
    return last(g.x) { x in
      let sums = body(x, weights)
      return g.tensors["bias"].map { sums + $0 } ?? sums
    }
  }

  /// `body` with the channels behind the spatial axes instead of before them.
  private static func last(_ x: Tensor, _ body: (Tensor) -> Tensor) -> Tensor {
    body(channelsToLast(x)).map { $0.transposed([0, $0.rank - 1] + Array(1..<$0.rank - 1)) }
  }

  private static func channelsToLast(_ x: Tensor) -> Tensor {
    x.map { $0.transposed([0] + Array(2..<$0.rank) + [1]) }
  }
}
