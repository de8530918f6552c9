import Cajal
import CajalFormats
import Foundation

/// The network of `cajal train`: fully connected layers, relu between them.
///
/// **Shapes**: pictures `[N, …]` to scores `[N, classes]`.
struct Perceptron: Layer {
  let layers: [Dense]
  let sizes: [Int]

  init(inputs: Int, classes: Int) { self.init(sizes: [inputs, 512, 256, classes]) }

  init(sizes: [Int]) {
    self.sizes = sizes
    layers = (1..<sizes.count).map { index in
      Dense(sizes[index], inputs: sizes[index - 1], activation: index == sizes.count - 1 ? .identity : .relu)
    }
  }

  func callAsFunction(_ input: Tensor) -> Tensor {
    layers.reduce(input.flattened(from: 1)) { value, layer in layer(value) }
  }

  /// The network that a file holds: its sizes are those of its kernels.
  static func load(_ path: String) throws -> Perceptron {
    let file = try SafetensorsFile.read(path)
    let kernels = file.tensors.filter { $0.name.hasSuffix(".kernel") }
      .sorted { $0.name.compare($1.name, options: .numeric) == .orderedAscending }
    guard let first = kernels.first, kernels.allSatisfy({ $0.shape.count == 2 }) else {
      throw FormatError(
        path: path, problem: "it holds no fully connected layers",
        remedy: "Use a file that `cajal train --save` wrote")
    }
    let model = Perceptron(sizes: [first.shape[0]] + kernels.map { $0.shape[1] })
    try model.load(path)
    return model
  }
}
