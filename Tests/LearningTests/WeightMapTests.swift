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
