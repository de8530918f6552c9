import CajalBase
import CajalTensor

// Normalisation of each example alone. Half precisions are normalised in float32.

/// Each example less its mean, divided by its standard deviation, then scaled and shifted:
/// y = (x − μ) / √(σ² + ε) · gain + bias. Ba et al. 2016.
///
/// **Shapes**: `[…, C]` to the same; gain and bias are shaped as the normalised axes, the last by default.
public struct LayerNorm: DescribedLayer {
  public let gain: Parameter
  public let bias: Parameter
  public let axes: Int
  public let epsilon: Double

  /// - Parameters:
  ///   - axes: how many of the last axes are normalised together.
  ///   - shape: theirs, learned from the first input if `nil`.
  public init(axes: Int = 1, shape: Shape? = nil, epsilon: Double = 1e-5, dtype: DType = .float32) {
    self.axes = axes
    self.epsilon = epsilon
    gain = Parameter(shape, .ones, dtype: dtype)
    bias = Parameter(shape, .zeros, dtype: dtype)
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    gain.inModule {
      guard axes > 0, axes <= input.rank else {
        return mistake(
          "layerNorm", [input],
          .shape("\(input.shape) has no \(axes) axes to normalise", remedy: "Use 1...\(input.rank)"))
      }
      let shape = input.shape.suffix(from: input.rank - axes)
      let last = Array(-axes..<0)
      let x = input.computing
      let centred = x - x.mean(axes: last, keepingAxes: true)
      let scale = (centred.squared().mean(axes: last, keepingAxes: true) + epsilon).rsqrt()
      return (centred * scale).cast(to: input.dtype) * gain.value(shape: shape) + bias.value(shape: shape)
    }
  }

  public struct Configuration: Codable, Sendable {
    let axes: Int
    let shape: [Int]?
    let epsilon: Double
    let dtype: DType
  }
  public static var kind: String { "layerNorm" }
  public var configuration: Configuration {
    Configuration(axes: axes, shape: gain.shape?.array, epsilon: epsilon, dtype: gain.dtype)
  }
  public init(configuration: Configuration) throws {
    self.init(
      axes: try Architecture.extent(configuration.axes, "axes of layerNorm"),
      shape: try configuration.shape.map { Shape(try $0.map { try Architecture.extent($0, "shape of layerNorm") }) },
      epsilon: configuration.epsilon, dtype: configuration.dtype)
  }
}

/// Each example divided by its root mean square, then scaled: y = x / √(mean(x²) + ε) · gain. Zhang and Sennrich
/// 2019.
///
/// **Shapes**: `[…, C]` to the same; gain `[C]`.
public struct RMSNorm: DescribedLayer {
  public let gain: Parameter
  public let epsilon: Double

  /// - Parameter channels: learned from the first input if `nil`.
  public init(channels: Int? = nil, epsilon: Double = 1e-6, dtype: DType = .float32) {
    self.epsilon = epsilon
    gain = Parameter(channels.map { [$0] }, .ones, dtype: dtype)
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    gain.inModule {
      let x = input.computing
      let scale = (x.squared().mean(axes: [-1], keepingAxes: true) + epsilon).rsqrt()
      return (x * scale).cast(to: input.dtype) * gain.value(shape: [input.shape[-1]])
    }
  }

  public struct Configuration: Codable, Sendable {
    let channels: Int?
    let epsilon: Double
    let dtype: DType
  }
  public static var kind: String { "rmsNorm" }
  public var configuration: Configuration {
    Configuration(channels: gain.shape?[0], epsilon: epsilon, dtype: gain.dtype)
  }
  public init(configuration: Configuration) throws {
    self.init(
      channels: try Architecture.extent(configuration.channels, "channels of rmsNorm"),
      epsilon: configuration.epsilon, dtype: configuration.dtype)
  }
}
