import Cajal

extension Work {
  /// `elementwise tanh COUNT`: tanh(a·b + a). `elementwise chain8 COUNT`: eight cheap functions.
  func elementwise() throws -> any Job {
    let a = signed(.input, 0, [numbers[0]])
    let b = signed(.other, 0, [numbers[0]])
    if words[1] == "tanh" { return try RepeatedJob { [(a * b + a).tanh()] } }
    return try RepeatedJob {
      let t = a * 0.5 + 0.25
      return [(((t * t - 0.5).abs() + a) * 0.75).relu()]
    }
  }

  /// `softmax|layernorm|rmsnorm|crossentropy ROWSxCOLUMNS train`: forward, and backward from a given
  /// gradient of the result, both kept as in the midst of a network.
  func rows() throws -> any Job {
    let (rows, columns) = (numbers[0], numbers[1])
    let x = signed(.input, 0, [rows, columns], scale: 4)
    if kind == "crossentropy" {
      let labels = labels(0, rows, classes: columns)
      return try RepeatedJob {
        let (loss, gradient) = valueAndGradient(at: x) { softmaxCrossEntropy($0, labels) }
        return [loss, gradient]
      }
    }
    let weight = unit(.other, 0, [rows, columns])
    let gain = unit(.gain, 0, [columns])
    let shift = unit(.shift, 0, [columns])
    func layer() -> (Tensor, [Tensor]) {
      switch kind {
      case "softmax": return (x.softmax(), [x])
      case "layernorm":
        let centered = x - x.mean(axis: -1, keepingAxes: true)
        let variance = centered.squared().mean(axis: -1, keepingAxes: true)
        return (centered * (variance + 1e-5).rsqrt() * gain + shift, [x, gain, shift])
      default:
        let square = x.squared().mean(axis: -1, keepingAxes: true)
        return (x * (square + 1e-5).rsqrt() * gain, [x, gain])
      }
    }
    return try RepeatedJob {
      let (y, inputs) = layer()
      return [y] + gradients(of: y, withRespectTo: inputs, cotangent: weight)
    }
  }
}
