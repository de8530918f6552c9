import Cajal
import Testing

/// Networks that other programs trained, loaded from their files.
@Suite struct ImportedWeightsTests {
  /// Three convolutions without padding and two dense layers (tracel-ai/burn, import-model-weights).
  private func makeModel() -> Sequential {
    Sequential {
      Conv2D(8, kernel: 3, channels: 1, activation: .relu)
      Conv2D(16, kernel: 3, channels: 8, activation: .relu)
      Conv2D(24, kernel: 3, channels: 16, activation: .relu)
      BatchNorm(channels: 24)
      Flatten()
      Dense(32, inputs: 11616, activation: .relu)
      Dense(10, inputs: 32)
      BatchNorm(channels: 10)
    }
  }

  private let map = ["conv1", "conv2", "conv3", "norm1", "", "fc1", "fc2", "norm2"].enumerated()
    .reduce(WeightMap.pyTorch) { $1.element.isEmpty ? $0 : $0.renaming($1.element, to: "layers.\($1.offset)") }
    .flattening("layers.5", channels: 24)

  @Test func bothFilesOfANetworkReachTheirAccuracies() throws {
    let test = try MNIST.load().test
    let x = ChannelStatistics.mnist.normalized(test.inputs.expanded(at: -1) / 255)
    // The log-probabilities of a seven, and the right ones of 10,000, as PyTorch has them.
    let expected: [(file: String, first: [Float], right: Int)] = [
      (
        "mnist.safetensors",
        [
          -9.60845, -10.24487, -10.01341, -10.22852, -10.01767, -10.89188, -10.50624, -0.00037, -10.34675, -9.65732,
        ], 9917
      ),
      (
        "mnist.pt",
        [-9.39117, -9.98321, -10.56421, -9.71597, -10.16112, -11.27499, -11.05522, -0.00038, -10.13036, -9.75219], 9915
      ),
    ]
    for (file, first, right) in expected {
      guard let path = testData("models/burn-mnist-cnn/\(file)") else { return }
      let model = makeModel()
      try model.load(path, map: map)
      let scores = try model.predict(x, batchSize: 500)
      for (value, told) in zip(try scores[0].logSoftmax().scalars(Float.self), first) {
        #expect(abs(value - told) < 1e-3, "\(file)")
      }
      let hits = try (scores.argmax(axis: -1) .== test.labels.cast(to: .int64)).sum().item(as: Int.self)
      #expect(hits == right, "\(file)")
    }
  }
}
