import Cajal
import CajalFormats
import Foundation
import Testing

@Suite struct WeightMapTests {
  /// As `torch.nn.Sequential(Linear(12, 2), BatchNorm1d(2))` saves it in a wrapper, of counting numbers.
  private func write(_ path: String, extra: [String] = []) throws {
    func tensor(_ name: String, _ shape: [Int], from first: Int) -> SafetensorsWriter.Tensor {
      let numbers = (0..<shape.reduce(1, *)).map { Float(first + $0) }
      return SafetensorsWriter.Tensor(
        name: name, dtype: "F32", shape: shape, bytes: numbers.withUnsafeBytes { Array($0) })
    }
    var tensors = [
      tensor("module.0.weight", [2, 12], from: 0), tensor("module.0.bias", [2], from: 50),
      tensor("module.1.weight", [2], from: 60), tensor("module.1.bias", [2], from: 70),
      tensor("module.1.running_mean", [2], from: 80), tensor("module.1.running_var", [2], from: 90),
      tensor("module.1.num_batches_tracked", [], from: 7),
    ]
    tensors += extra.map { tensor($0, [1], from: 0) }
    try SafetensorsWriter.write(tensors, metadata: [:], to: path)
  }

  /// The two rows of counting numbers as columns, in this order.
  private func columns(_ order: [Int]) -> [Double] {
    order.flatMap { (number: Int) -> [Double] in [Double(number), Double(number + 12)] }
  }

  private let map = WeightMap.pyTorch.renaming("module.*", to: "layers.*")

  @Test func namesAndLayoutsOfPyTorchBecomeOurs() throws {
    try withTemporaryFolder { folder in
      try write(folder + "/a")
      let (dense, norm) = (Dense(2, inputs: 12), BatchNorm(channels: 2))
      let model = Sequential([dense, norm])
      try model.load(folder + "/a", map: map)
      #expect(dense.kernel.value.shape == [12, 2])
      #expect(dense.kernel.value.numbers == columns(Array(0..<12)))
      #expect(dense.bias?.value.numbers == [50, 51] && norm.gain.value.numbers == [60, 61])
      #expect(norm.bias.value.numbers == [70, 71] && norm.mean.value.numbers == [80, 81])
      #expect(norm.variance.value.numbers == [90, 91])
    }
  }

  @Test func namesAndLayoutsOfKerasBecomeOurs() throws {
    try withTemporaryFolder { folder in
      func tensor(_ name: String, _ shape: [Int], from first: Int) -> SafetensorsWriter.Tensor {
        let numbers = (0..<shape.reduce(1, *)).map { Float(first + $0) }
        return SafetensorsWriter.Tensor(
          name: name, dtype: "F32", shape: shape, bytes: numbers.withUnsafeBytes { Array($0) })
      }
      try SafetensorsWriter.write(
        [
          tensor("conv/kernel:0", [1, 2, 3, 2], from: 0), tensor("conv/bias:0", [2], from: 20),
          tensor("depthwise/kernel", [1, 2, 2, 2], from: 30), tensor("depthwise/bias", [4], from: 40),
          tensor("norm/gamma", [4], from: 50), tensor("norm/beta", [4], from: 60),
          tensor("norm/moving_mean", [4], from: 70), tensor("norm.moving_variance", [4], from: 80),
          tensor("dense/kernel", [4, 2], from: 90), tensor("dense/bias", [2], from: 100),
        ], metadata: [:], to: folder + "/a")
      let model = Sequential(named: [
        ("conv", Conv2D(2, kernel: [1, 2])),
        ("depthwise", DepthwiseConv2D(kernel: [1, 2], multiplier: 2)), ("norm", BatchNorm(channels: 4)),
        ("dense", Dense(2, inputs: 4)),
      ])
      _ = model.summary(input: [1, 1, 4, 3])
      try model.load(folder + "/a", map: .keras)
      let found = Dictionary(uniqueKeysWithValues: model.namedParameters.map { ($0.path, $0.parameter.value) })
      // As they lie in the file, from the first number on.
      for (path, first) in [
        ("conv.kernel", 0), ("conv.bias", 20), ("depthwise.kernel", 30), ("depthwise.bias", 40), ("norm.gain", 50),
        ("norm.bias", 60), ("norm.mean", 70), ("norm.variance", 80), ("dense.kernel", 90), ("dense.bias", 100),
      ] {
        let numbers = try #require(found[path]).numbers
        #expect(numbers == numbers.indices.map { Double(first + $0) }, "\(path)")
      }
      #expect(found["depthwise.kernel"]?.shape == [1, 2, 1, 4])
    }
  }

  @Test func denseLayersAfterPicturesChangeTheirOrder() throws {
    try withTemporaryFolder { folder in
      try write(folder + "/a")
      let dense = Dense(2, inputs: 12)
      // Three channels of two by two: theirs is channel, row, column; ours row, column, channel.
      try Sequential([dense, BatchNorm(channels: 2)]).load(folder + "/a", map: map.flattening("layers.0", channels: 3))
      let order: [Int] = (0..<4).flatMap { place in [place, place + 4, place + 8] }
      #expect(dense.kernel.value.numbers == columns(order))
    }
  }

  @Test func whatDoesNotFitIsNamed() throws {
    try withTemporaryFolder { folder in
      try write(folder + "/a", extra: ["module.2.weight"])
      let model = Sequential([Dense(2, inputs: 12), BatchNorm(channels: 2)])
      let before = model.parameters.map(\.value.numbers)
      expectError("module.2.weight", "layers.2.kernel", "renaming") { try model.load(folder + "/a", map: map) }
      expectError("it holds module.", "which would be module.") { try model.load(folder + "/a", map: .pyTorch) }
      try write(folder + "/b")
      expectError("it has no layers.2.bias") {
        try Sequential([Dense(2, inputs: 12), BatchNorm(channels: 2), Dense(1, inputs: 2)]).load(
          folder + "/b", map: map)
      }
      expectError("module.0.weight has shape [12, 2]", "[6, 2]") {
        try Sequential([Dense(2, inputs: 6), BatchNorm(channels: 2)]).load(folder + "/b", map: map)
      }
      let both = WeightMap.pyTorch.renaming("module.*", to: "layers.1")
      expectError("both") { try model.load(folder + "/b", map: both.renaming("module.0", to: "layers.0")) }
      #expect(model.parameters.map(\.value.numbers) == before)
    }
  }
}
