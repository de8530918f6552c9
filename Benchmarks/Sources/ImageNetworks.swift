import Cajal

extension Work {
  /// `resnet18-cifar bN sgd train`, `resnet18-cifar bN infer`, `mobilenetv2 bN infer`.
  func imageNetwork() throws -> any Job {
    let isSmall = kind == "resnet18-cifar"
    guard let network = ImageModel(named: isSmall ? "resnet18_cifar" : "mobilenet_v2") else {
      throw UnknownWork(name: kind)
    }
    let model = network.model()
    try fill(model, network.input)
    let inputs = try (0..<4).map {
      try signed(.input, $0, [batch, network.input[0], network.input[1], 3], scale: 2).evaluated()
    }
    var count = 0
    if words.last == "infer" {
      return try RepeatedJob {
        count += 1
        return [model(inputs[(count - 1) % inputs.count])]
      }
    }
    let targets = inputs.indices.map { labels($0, batch, classes: network.classes) }
    let optimizer = SGD(learningRate: 1e-3, momentum: 0.9, weightDecay: 5e-4)
    let step = compile { (x: Tensor, y: Tensor) -> Tensor in
      let (loss, gradients) = valueAndGradient(of: model) { softmaxCrossEntropy(model(x), y) }
      optimizer.update(model, gradients)
      return loss
    }
    return try RepeatedJob.training {
      count += 1
      let index = (count - 1) % inputs.count
      return step(inputs[index], targets[index])
    }
  }
}

/// The weights that everybody starts from: layers in the order of their names, kernels and normalisations counted
/// apart. Dense layers begin with no bias.
private func fill(_ model: Sequential, _ input: Shape) throws {
  // Shapes are learned from an input.
  _ = try model(Tensor.zeros([1, input[0], input[1], 3])).evaluated()
  let named = model.namedParameters
  var kernels = 0
  for case (_, let parameter) in named where parameter.path.hasSuffix("kernel") {
    guard let shape = parameter.shape else { continue }
    let units = shape[-1]
    parameter.value = kernel(kernels, shape.count / units, units).reshaped(to: shape)
    kernels += 1
  }
  let byPath = Dictionary(uniqueKeysWithValues: named.map { ($0.path, $0.parameter) })
  let norms = named.map(\.path).filter { $0.hasSuffix("gain") }.map { $0.dropLast("gain".count) }
  for (index, norm) in norms.enumerated() {
    guard let shape = byPath[norm + "gain"]?.shape else { continue }
    byPath[norm + "gain"]?.value = unit(.gain, index, shape) + 0.5
    byPath[norm + "bias"]?.value = signed(.shift, index, shape)
    byPath[norm + "mean"]?.value = signed(.other, index, shape)
    byPath[norm + "variance"]?.value = unit(.noise, index, shape) + 0.5
  }
}
