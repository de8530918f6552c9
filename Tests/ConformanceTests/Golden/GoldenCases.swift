import CajalBase
import CajalLosses
import CajalTensor

/// Each case of the golden file, written with tensor operations.
enum GoldenCases {
  typealias Body = @Sendable (GoldenOperands) -> [Tensor]

  static let all = activations.merging(losses, uniquingKeysWith: same).merging(layers, uniquingKeysWith: same)
    .merging(recurrent, uniquingKeysWith: same).merging(shapes, uniquingKeysWith: same)

  private static func same(_ a: @escaping Body, _: Body) -> Body { a }

  /// Cases whose operations are still to come.
  static let waiting: Set<String> = [
    "conv1d_s2_p2_d2", "conv2d_3x3", "conv2d_s2_p1_g2", "conv2d_depthwise_d2", "conv3d", "convtranspose1d",
    "convtranspose2d_s2_op1", "convtranspose2d_g2_d2", "maxpool2d", "maxpool2d_ceil_d2", "avgpool2d",
    "avgpool2d_nopadcount",
    "adaptive_avgpool2d", "maxpool1d", "avgpool3d", "localresponsenorm", "ctc_loss", "interpolate_nearest",
    "interpolate_bilinear_align0", "interpolate_bilinear_align1", "interpolate_bicubic_align0", "unfold", "grid_sample",
    "cholesky", "inverse", "logdet", "solve", "cumprod", "transformer_encoder_layer",
    "transformer_encoder_layer_prenorm",
    "transformer_decoder_layer", "lstm_2layer_bi", "gru_bi", "rnn_relu_2layer",
  ]

  private static let activations: [String: Body] = [
    "act_relu": { [$0.x.relu()] }, "act_relu6": { [$0.x.relu6()] }, "act_leaky_relu": { [$0.x.leakyRelu()] },
    "act_elu": { [$0.x.elu()] }, "act_selu": { [$0.x.selu()] }, "act_celu": { [$0.x.celu()] },
    "act_gelu": { [$0.x.gelu()] },
    "act_gelu_tanh": { [$0.x.gelu(approximate: true)] }, "act_silu": { [$0.x.silu()] }, "act_mish": { [$0.x.mish()] },
    "act_softplus": { [$0.x.softplus()] }, "act_softsign": { [$0.x.softsign()] },
    "act_hardswish": { [$0.x.hardSwish()] },
    "act_hardsigmoid": { [$0.x.hardSigmoid()] }, "act_hardtanh": { [$0.x.hardTanh()] },
    "act_sigmoid": { [$0.x.sigmoid()] },
    "act_tanh": { [$0.x.tanh()] }, "act_logsigmoid": { [$0.x.logSigmoid()] }, "act_tanhshrink": { [$0.x.tanhShrink()] },
    "act_softshrink": { [$0.x.softShrink()] }, "act_erf": { [$0.x.erf()] },
    "act_glu": { g in
      let halves = g.x.split(into: 2, axis: -1)
      return [halves[0] * halves[1].sigmoid()]
    },
    "prelu": { [select($0.x .> 0, $0.x, $0.x * $0.weight.reshaped(3, 1))] },
    "softmax": { [$0.x.softmax()] }, "softmax_dim1": { [$0.x.softmax(axis: 1)] },
    "log_softmax": { [$0.x.logSoftmax()] },
    "logsumexp": { [$0.x.logSumExp(axes: [1])] },
  ]

  private static let losses: [String: Body] = [
    "cross_entropy_mean": { [softmaxCrossEntropy($0.x, $0["t"])] },
    "cross_entropy_sum": { [softmaxCrossEntropy($0.x, $0["t"], reduction: .sum)] },
    "cross_entropy_none": { [softmaxCrossEntropy($0.x, $0["t"], reduction: .none)] },
    "cross_entropy_smooth": { [softmaxCrossEntropy($0.x, $0["t"], smoothing: 0.1)] },
    "cross_entropy_weight_ignore": { [softmaxCrossEntropy($0.x, $0["t"], weights: $0["w"], ignoring: 2)] },
    "cross_entropy_2d": { [softmaxCrossEntropy($0.x.transposed(0, 2, 3, 1), $0["t"])] },
    "cross_entropy_soft": { [softmaxCrossEntropy($0.x, $0["t"])] },
    "nll_loss": { [softmaxCrossEntropy($0.x, $0["t"])] }, "loss_mse": { [meanSquaredError($0.x, $0.y)] },
    "loss_l1": { [meanAbsoluteError($0.x, $0.y)] }, "loss_smooth_l1": { [huber($0.x, $0.y)] },
    "loss_huber": { [huber($0.x, $0.y, delta: 0.7)] }, "bce_logits": { [binaryCrossEntropy($0.x, $0.y)] },
    "bce_logits_posweight": { [binaryCrossEntropy($0.x, $0.y, positiveWeight: $0["p"])] },
    "bce": { [binaryCrossEntropy($0.x, $0.y)] },
    "kl_div": { [kullbackLeiblerDivergence($0.x.logSoftmax(), $0.y)] },
    "hinge_embedding": { [hingeEmbedding($0.x, $0.y)] },
    "margin_ranking": { [marginRanking($0.x, $0.y, $0.z, margin: 0.3)] },
    "triplet": { [triplet($0.x, $0.y, $0.z)] },
    "cosine_embedding": { [cosineEmbedding($0.x, $0.y, $0.z, margin: 0.2)] },
    "poisson_nll": { [poissonNegativeLogLikelihood($0.x, $0.y)] },
    "gaussian_nll": { [gaussianNegativeLogLikelihood($0.x, $0.y, variances: $0["v"])] },
    "cosine_similarity": { [($0.x * $0.y).sum(axis: 1) / (norm($0.x) * norm($0.y))] },
    "normalize": { [$0.x / norm($0.x).expanded(at: 1)] }, "norm_l2": { [norm($0.x)] },
  ]

  private static func norm(_ x: Tensor) -> Tensor { x.squared().sum(axis: 1).sqrt() }
}
