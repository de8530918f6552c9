import Cajal

/// A dense layer with the weights that everybody starts from.
func dense(_ layer: Int, _ inputs: Int, _ units: Int, activation: Activation = .identity) -> Dense {
  let dense = Dense(units, inputs: inputs, activation: activation)
  dense.kernel.value = kernel(layer, inputs, units)
  return dense
}

private let batchCount = 8

extension Work {
  /// `mlp W-W-… bN adam train`, `mlp W-W-… bN infer`.
  func perceptron() throws -> any Job {
    let widths = numbers
    let model = network(widths)
    let batches = (0..<batchCount).map {
      (unit(.input, $0, [batch, widths[0]]), labels($0, batch, classes: widths[widths.count - 1]))
    }
    var count = 0
    if words.last == "infer" {
      return try RepeatedJob {
        count += 1
        return [model(batches[(count - 1) % batchCount].0)]
      }
    }
    let optimizer = Adam(learningRate: 1e-3)
    return try training(batches) { x, y in
      let (loss, gradients) = valueAndGradient(of: model) { softmaxCrossEntropy(model(x), y) }
      optimizer.update(model, gradients)
      return loss
    }
  }

  private func network(_ widths: [Int]) -> Sequential {
    let last = widths.count - 2
    return Sequential(
      (0...last).map { dense($0, widths[$0], widths[$0 + 1], activation: $0 < last ? .relu : .identity) })
  }

  /// `mnist epoch fit`: the whole trainer; `mnist epoch loop`: the same by hand.
  func epoch(isWhole: Bool) throws -> any Job {
    let model = network([784, 512, 256, 10])
    let data = LabeledData(inputs: pictures(60_000, 784), labels: labels(0, 60_000, classes: 10), classes: 10)
    var batches = data.batches(of: 1000)
    let start = try batches.next().map { Double(try softmaxCrossEntropy(model($0.x), $0.y).item()) } ?? .nan
    let optimizer = Adam(learningRate: 1e-3)
    let trainer = Trainer(model, loss: .softmaxCrossEntropy, optimizer: optimizer, metrics: [.accuracy])
    var epoch = 0
    return RepeatedJob(checks: [[start, start]]) {
      epoch += 1
      if isWhole {
        try trainer.fit(data, epochs: 1, seed: UInt64(epoch), callbacks: [.progress])
        return
      }
      for (x, y) in data.batches(of: 128, shuffled: true, epoch: epoch) {
        let (_, gradients) = valueAndGradient(of: model) { softmaxCrossEntropy(model(x), y) }
        optimizer.update(model, gradients)
      }
      try eval(model.parameters.map(\.value))
    }
  }

  /// `vae INPUTS-HIDDEN-LATENT bN adam train`.
  func autoencoder() throws -> any Job {
    let (inputs, latent) = (numbers[0], numbers[2])
    let model = VAE(inputs: inputs, hidden: numbers[1], latent: latent)
    let optimizer = Adam(learningRate: 1e-3)
    let batches = (0..<batchCount).map {
      (unit(.input, $0, [batch, inputs]), signed(.noise, $0, [batch, latent], scale: 2))
    }
    return try training(batches) { x, noise in
      let (loss, gradients) = valueAndGradient(of: model) { model.loss(x, noise: noise) }
      optimizer.update(model, gradients)
      return loss
    }
  }

  /// Trains on the batches in turn, by a compiled step that gives the loss.
  private func training(
    _ batches: [(Tensor, Tensor)], _ body: @escaping (Tensor, Tensor) -> Tensor
  ) throws -> any Job {
    let step = compile(body)
    var count = 0
    return try RepeatedJob.training {
      count += 1
      let (x, other) = batches[(count - 1) % batchCount]
      return step(x, other)
    }
  }
}

/// A variational autoencoder: Kingma and Welling 2014.
private struct VAE: Module {
  let encoder, mean, logVariance, decoder, output: Dense

  init(inputs: Int, hidden: Int, latent: Int) {
    encoder = dense(0, inputs, hidden, activation: .relu)
    mean = dense(1, hidden, latent)
    logVariance = dense(2, hidden, latent)
    decoder = dense(3, latent, hidden, activation: .relu)
    output = dense(4, hidden, inputs)
  }

  /// The noise is data: whoever draws it in the step draws other numbers than the next framework.
  func loss(_ x: Tensor, noise: Tensor) -> Tensor {
    let hidden = encoder(x)
    let (mean, logVariance) = (mean(hidden), logVariance(hidden))
    let latent = mean + noise * (logVariance * 0.5).exp()
    let logits = output(decoder(latent))
    let likelihood = (logits.softplus() - logits * x).sum()
    let divergence = (1 + logVariance - mean * mean - logVariance.exp()).sum() * -0.5
    return (likelihood + divergence) / x.shape[0]
  }
}
