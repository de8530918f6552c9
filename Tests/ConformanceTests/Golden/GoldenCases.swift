import CajalBase
import CajalLosses
import CajalNN
import CajalTensor

/// Each case of the golden file, written with tensor operations.
enum GoldenCases {
  typealias Body = @Sendable (GoldenOperands) -> [Tensor]

  static let all = activations.merging(losses, uniquingKeysWith: same).merging(layers, uniquingKeysWith: same)
    .merging(recurrent, uniquingKeysWith: same).merging(shapes, uniquingKeysWith: same)
    .merging(images, uniquingKeysWith: same)

  private static func same(_ a: @escaping Body, _: Body) -> Body { a }

  /// Cases whose operations are still to come.
  static let waiting: Set<String> = [
    "ctc_loss",
    "cholesky", "inverse", "logdet", "solve", "cumprod", "transformer_encoder_layer",
    "transformer_encoder_layer_prenorm",
    "transformer_decoder_layer", "lstm_2layer_bi", "gru_bi", "rnn_relu_2layer",
  ]

  private static let activations: [String: Body] = [
    "act_relu": function(.relu), "act_relu6": function(.relu6), "act_leaky_relu": function(.leakyRelu),
    "act_elu": function(.elu), "act_selu": function(.selu), "act_celu": function(.celu), "act_gelu": function(.gelu),
    "act_gelu_tanh": function(.geluTanh), "act_silu": function(.silu), "act_mish": function(.mish),
    "act_softplus": function(.softplus), "act_softsign": function(.softsign), "act_hardswish": function(.hardSwish),
    "act_hardsigmoid": function(.hardSigmoid), "act_hardtanh": function(.hardTanh),
    "act_sigmoid": function(.sigmoid), "act_tanh": function(.tanh), "act_logsigmoid": function(.logSigmoid),
    "act_tanhshrink": function(.tanhShrink), "act_softshrink": function(.softShrink), "act_glu": function(.glu),
    "act_erf": { [$0.x.erf()] }, "softmax": function(.softmax), "log_softmax": function(.logSoftmax),
    "softmax_dim1": { [$0.x.softmax(axis: 1)] }, "logsumexp": { [$0.x.logSumExp(axes: [1])] },
  ]

  private static func function(_ activation: Activation) -> Body { { [activation($0.x)] } }

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
