import CajalBase
import CajalNN
import CajalTensor

extension GoldenCases {
  static let layers: [String: Body] = [
    "linear": { g in
      let layer = Dense(4)
      return [withParameters([(layer.kernel, g.weight.T), (layer.bias!, g.bias)]) { layer(g.x) }]
    },
    "linear_3d_nobias": { g in
      let layer = Dense(g.weight.shape[0], usesBias: false)
      return [withParameters([(layer.kernel, g.weight.T)]) { layer(g.x) }]
    },
    "prelu": { g in
      let layer = PReLU()
      // [N, C, …] with the channels last.
      return [withParameters([(layer.slope, g.weight)]) { layer(g.x.transposed(0, 2, 1)).transposed(0, 2, 1) }]
    },
    "embedding": { g in
      let layer = Embedding(7, 4)
      return [withParameters([(layer.table, g.weight)]) { layer(g["i"]) }]
    },
    "embedding_padding0": { g in
      // The layer gives zeros for padding; here the table has others in that row.
      let layer = Embedding(7, 4, padding: 0)
      let row = g.weight.stoppingGradient()[0]
      let vectors = withParameters([(layer.table, g.weight)]) { layer(g["i"]) }
      return [vectors + (g["i"] .== 0).expanded(at: -1).select(row, 0)]
    },
    "embedding_bag_mean": { [$0.weight.take($0["i"]).mean(axis: 1)] },
    "layernorm": { [layerNorm($0, axes: 1)] },
    "layernorm_2axes": { [layerNorm($0, axes: 2)] },
    "groupnorm": { g in
      let layer = GroupNorm(groups: 2)
      return [withParameters([(layer.gain, g.weight), (layer.bias, g.bias)]) { channelsLast(g.x) { layer($0) } }]
    },
    "instancenorm2d": { g in
      let layer = InstanceNorm()
      return [withParameters([(layer.gain, g.weight), (layer.bias, g.bias)]) { channelsLast(g.x) { layer($0) } }]
    },
    "batchnorm1d_train": { [batchNorm($0) { layer, x in layer(x) }] },
    "batchnorm2d_train": { [batchNorm($0) { layer, x in channelsLast(x) { layer($0) } }] },
    "batchnorm2d_eval": { g in
      [batchNorm(g) { layer, x in withTraining(false) { channelsLast(x) { layer($0) } } }]
    },
    "mha_self": { attention($0, $0.x, $0.x, mask: nil) },
    "mha_causal": { g in
      let position = Tensor.arange(4)
      return attention(g, g.x, g.x, mask: position[.newAxis, .all] .> position[.all, .newAxis])
    },
    "mha_cross": { attention($0, $0["q"], $0["k"], mask: nil) },
  ]

  static func linear(_ x: Tensor, _ weight: Tensor, _ bias: Tensor) -> Tensor {
    x.matmul(weight, transposingOther: true) + bias
  }

  private static func layerNorm(_ g: GoldenOperands, axes: Int) -> Tensor {
    let layer = LayerNorm(axes: axes)
    return withParameters([(layer.gain, g.weight), (layer.bias, g.bias)]) { layer(g.x) }
  }

  private static func batchNorm(_ g: GoldenOperands, _ run: (BatchNorm, Tensor) -> Tensor) -> Tensor {
    let layer = BatchNorm()
    let values = [
      (layer.gain, g.weight), (layer.bias, g.bias), (layer.mean, g["running_mean"]),
      (layer.variance, g["running_var"]),
    ]
    return withParameters(values) { run(layer, g.x) }
  }

  /// Runs `body` with the channels of [N, C, H, W] last.
  static func channelsLast(_ x: Tensor, _ body: (Tensor) -> Tensor) -> Tensor {
    body(x.transposed(0, 2, 3, 1)).transposed(0, 3, 1, 2)
  }

  /// Two heads over a width of 8: the result and each head's weights.
  private static func attention(_ g: GoldenOperands, _ from: Tensor, _ to: Tensor, mask: Tensor?) -> [Tensor] {
    let weights = g["in_proj_weight"].split(into: 3)
    let biases = g["in_proj_bias"].split(into: 3)
    func heads(_ x: Tensor, _ part: Int) -> Tensor {
      // [B, T, 8] → [B, T, 2, 4] → [B, 2, T, 4]
      linear(x, weights[part], biases[part]).reshaped(x.shape[0], x.shape[1], 2, 4).transposed(0, 2, 1, 3)
    }
    var scores = heads(from, 0).matmul(heads(to, 1), transposingOther: true) * 0.5
    if let mask { scores = select(mask, Tensor.full([], -Double.infinity, dtype: scores.dtype), scores) }
    let shares = scores.softmax()
    let joined = shares.matmul(heads(to, 2)).transposed(0, 2, 1, 3).reshaped(from.shape[0], from.shape[1], 8)
    return [linear(joined, g["out_proj.weight"], g["out_proj.bias"]), shares]
  }

  static let recurrent: [String: Body] = [
    "rnn_tanh": { g in
      recur(g, width: 3, states: 1) { carries, gates in
        [
          (linear(gates.x, g["weight_ih_l0"], g["bias_ih_l0"]) + linear(carries[0], g["weight_hh_l0"], g["bias_hh_l0"]))
            .tanh()
        ]
      }
    },
    "gru": { g in
      recur(g, width: 3, states: 1) { carries, gates in
        let h = carries[0]
        let (fromX, fromH) = (
          linear(gates.x, g["weight_ih_l0"], g["bias_ih_l0"]).split(into: 3, axis: 1),
          linear(h, g["weight_hh_l0"], g["bias_hh_l0"]).split(into: 3, axis: 1)
        )
        let (r, z) = ((fromX[0] + fromH[0]).sigmoid(), (fromX[1] + fromH[1]).sigmoid())
        let n = (fromX[2] + r * fromH[2]).tanh()
        return [(1 - z) * n + z * h]
      }
    },
    "lstm": { g in
      recur(g, width: 3, states: 2) { carries, gates in
        let all =
          linear(gates.x, g["weight_ih_l0"], g["bias_ih_l0"]) + linear(carries[0], g["weight_hh_l0"], g["bias_hh_l0"])
        let parts = all.split(into: 4, axis: 1)
        let c = parts[1].sigmoid() * carries[1] + parts[0].sigmoid() * parts[2].tanh()
        return [parts[3].sigmoid() * c.tanh(), c]
      }
    },
  ]

  private struct Gates { let x: Tensor }

  /// A layer over [B, T, C]: its outputs [B, T, H], then the last states as [1, B, H].
  private static func recur(_ g: GoldenOperands, width: Int, states: Int, _ step: ([Tensor], Gates) -> [Tensor])
    -> [Tensor]
  {
    let start = (0..<states).map { _ in Tensor.zeros([g.x.shape[0], width], dtype: g.x.dtype) }
    let (last, outputs) = scan(start, over: [g.x.transposed(1, 0, 2)]) { carries, slices in
      let next = step(carries, Gates(x: slices[0]))
      return (next, [next[0]])
    }
    return [outputs[0].transposed(1, 0, 2)] + last.map { $0.expanded(at: 0) }
  }

  static let shapes: [String: Body] = [
    "einsum_bhqd_bhkd": { [$0.x.matmul($0.y, transposingOther: true)] }, "matmul_broadcast": { [$0.x.matmul($0.y)] },
    "cumsum": { [$0.x.cumulativeSum(axis: 1)] },
    "sort_desc": { [$0.x.sorted(axis: 1, descending: true), $0.x.argsort(axis: 1, descending: true)] },
    "topk": { g in
      let (values, indices) = g.x.topK(2, axis: 1)
      return [values, indices]
    },
    "prod": { [$0.x.product(axes: [1])] }, "var_unbiased": { [$0.x.variance(axes: [1], correction: 1)] },
    "std_biased": { [$0.x.standardDeviation(axes: [1])] }, "max_dim": { [$0.x.max(axis: 1), $0.x.argmax(axis: 1)] },
    "gather": { [$0.x.takeAlong($0["i"], axis: 1)] }, "index_select": { [$0.x.take($0["i"], axis: 1)] },
    "scatter_add": { [$0.x.scatterAddedAlong($0["s"], at: $0["i"], axis: 1)] },
    "where": { [select($0["c"], $0.x, $0.y)] },
    "pad_constant": { [$0.x.padded([(0, 0), (0, 0), (2, 1), (1, 2)])] },
    "pad_reflect": { [padded($0.x, rows: [2, 1, 0, 1, 2, 3, 2], columns: [1, 0, 1, 2, 3, 2, 1])] },
    "pad_replicate": { [padded($0.x, rows: [0, 0, 0, 1, 2, 3, 3], columns: [0, 0, 1, 2, 3, 3, 3])] },
    "pad_circular": { [padded($0.x, rows: [2, 3, 0, 1, 2, 3, 0], columns: [3, 0, 1, 2, 3, 0, 1])] },
  ]

  private static func padded(_ x: Tensor, rows: [Int], columns: [Int]) -> Tensor {
    x.take(Tensor(rows), axis: 2).take(Tensor(columns), axis: 3)
  }
}
