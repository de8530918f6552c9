import CajalBase
import CajalIR
import CajalTensor

/// A fully connected layer: y = activation(x · kernel + bias). Each output is one artificial neuron: a
/// weighted sum, a bias, an activation.
///
/// **Shapes**: `[…, inputs]` to `[…, units]`; kernel `[inputs, units]`, bias `[units]`.
public struct Dense: DescribedLayer {
  public let kernel: Parameter
  public let bias: Parameter?
  public let units: Int
  public let activation: Activation

  /// - Parameter inputs: learned from the first input if `nil`.
  public init(
    _ units: Int, inputs: Int? = nil, activation: Activation = .identity, usesBias: Bool = true,
    kernelInitializer: Initializer? = nil, dtype: DType = .float32
  ) {
    self.units = units
    self.activation = activation
    kernel = Parameter(
      inputs.map { [$0, units] }, kernelInitializer ?? .standard(before: activation), dtype: dtype)
    bias = usesBias ? Parameter([units], .zeros, dtype: dtype) : nil
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    kernel.inModule {
      // Read in any case: a step whose loss is an error tells whoever reads its parameters.
      let weights = kernel.value(shape: [input.shape[-1], units])
      if let inputs = kernel.shape?[0], !input.value.isFailed, input.rank > 0, input.shape[-1] != inputs {
        return kernel.misfit(
          "dense", input, "the input has \(input.shape[-1]) numbers an example where \(inputs) are expected",
          remedy: "Let the layer before give \(inputs), or make this one with inputs: \(input.shape[-1])")
      }
      let sums = input.matmul(weights)
      return activation(bias.map { sums + $0.value } ?? sums)
    }
  }

  public struct Configuration: Codable, Sendable {
    let units: Int
    let inputs: Int?
    let activation: Activation
    let usesBias: Bool
    let dtype: DType
  }
  public static var kind: String { "dense" }
  public var configuration: Configuration {
    Configuration(
      units: units, inputs: kernel.shape?[0], activation: activation, usesBias: bias != nil, dtype: kernel.dtype)
  }
  public init(configuration: Configuration) throws {
    self.init(
      try Architecture.extent(configuration.units, "units of dense"),
      inputs: try Architecture.extent(configuration.inputs, "inputs of dense"), activation: configuration.activation,
      usesBias: configuration.usesBias, dtype: configuration.dtype)
  }
}
