import Cajal

extension Work {
  /// `kN`, `sN`.
  private func number(_ prefix: Character) -> Int {
    words.lazy.compactMap { $0.first == prefix ? Int($0.dropFirst()) : nil }.first ?? 1
  }

  /// `conv NxHxWxC-F kK sS [valid] forward|dx|dw`.
  func convolution() throws -> any Job {
    let (batch, channels, filters) = (numbers[0], numbers[3], numbers[4])
    let (window, stride) = (number("k"), number("s"))
    let margin = words.contains("valid") ? 0 : window / 2
    let outputs = numbers[1...2].map { ($0 + 2 * margin - window) / stride + 1 }
    let x = try signed(.input, 0, [batch, numbers[1], numbers[2], channels]).evaluated()
    let w = try signed(.other, 0, [window, window, channels, filters]).evaluated()
    let dy = try signed(.noise, 0, [batch, outputs[0], outputs[1], filters]).evaluated()
    func convolve(_ x: Tensor, _ w: Tensor) -> Tensor {
      x.convolved(with: w, strides: stride, padding: .explicit(margin))
    }
    let direction = words.last
    let step = compile { (operands: [Tensor]) -> [Tensor] in
      let (x, w) = (operands[0], operands[1])
      if direction == "forward" { return [convolve(x, w)] }
      // The result itself is not asked for, and so not computed.
      return gradients(of: convolve(x, w), withRespectTo: [direction == "dx" ? x : w], cotangent: operands[2])
    }
    return try RepeatedJob { step([x, w, dy]) }
  }

  /// `cnn 28x28 bN adam train`. What dropout keeps is data, so that losses are equal.
  func digits() throws -> any Job {
    let model = DigitsNetwork()
    let batches = (0..<4).map { index in
      let kept = (unit(.noise, index, [batch, 12, 12, 64]) .< 0.75).cast(to: .float32) / 0.75
      return [unit(.input, index, [batch, 28, 28, 1]), kept, labels(index, batch, classes: 10)]
    }
    let optimizer = Adam(learningRate: 1e-3)
    let step = compile { (data: [Tensor]) -> [Tensor] in
      let (loss, gradients) = valueAndGradient(of: model) {
        softmaxCrossEntropy(model(data[0], kept: data[1]), data[2])
      }
      optimizer.update(model, gradients)
      return [loss]
    }
    var count = 0
    return try RepeatedJob.training {
      count += 1
      return step(batches[(count - 1) % batches.count])[0]
    }
  }
}

private func conv(_ layer: Int, _ channels: Int, _ filters: Int) -> Conv2D {
  let conv = Conv2D(filters, kernel: 3, channels: channels, activation: .relu)
  conv.kernel.value = kernel(layer, 9 * channels, filters).reshaped(to: [3, 3, channels, filters])
  return conv
}

/// Two convolutions, pooling, dropout, two dense layers.
private struct DigitsNetwork: Module {
  let first = conv(0, 1, 32)
  let second = conv(1, 32, 64)
  let hidden = dense(2, 64 * 144, 128, activation: .relu)
  let output = dense(3, 128, 10)

  func callAsFunction(_ x: Tensor, kept: Tensor) -> Tensor {
    let pooled = second(first(x)).maxPooled(2) * kept
    return output(hidden(pooled.reshaped(to: [x.shape[0], 64 * 144])))
  }
}
