import CajalBase
import CajalOperations
import CajalTensor

// Normalisation over the spatial axes of each example alone. Half precisions are normalised in float32.

/// Groups of channels of each example less their mean, divided by their standard deviation, then each channel scaled
/// and shifted: y = (x − μ) / √(σ² + ε) · gain + bias. Wu and He 2018.
///
/// With as many groups as channels it is instance normalisation (Ulyanov et al. 2016): ``InstanceNorm``.
///
/// **Shapes**: `[N, …, C]` to the same; gain and bias `[C]`.
public struct GroupNorm: DescribedLayer {
  public let gain: Parameter
  public let bias: Parameter
  public let groups: Int
  public let epsilon: Double

  /// - Parameters:
  ///   - groups: the channels fall into as many, of equal size.
  ///   - channels: learned from the first input if `nil`.
  public init(groups: Int, channels: Int? = nil, epsilon: Double = 1e-5, dtype: DType = .float32) {
    self.groups = groups
    self.epsilon = epsilon
    gain = Parameter(channels.map { [$0] }, .ones, dtype: dtype)
    bias = Parameter(channels.map { [$0] }, .zeros, dtype: dtype)
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    gain.inModule {
      let channels = input.shape[-1]
      guard input.error != nil || (input.rank >= 2 && groups > 0 && channels % groups == 0) else {
        return mistake(
          "groupNorm", [input],
          .shape(
            "the \(channels) channels of \(input.shape) do not fall into \(groups) groups",
            remedy: "The number of groups must divide that of the channels"))
      }
      return input.normalized(groups: groups, epsilon: epsilon) * gain.value(shape: [channels])
        + bias.value(shape: [channels])
    }
  }

  public struct Configuration: Codable, Sendable {
    let groups: Int
    let channels: Int?
    let epsilon: Double
    let dtype: DType
  }
  public static var kind: String { "groupNorm" }
  public var configuration: Configuration {
    Configuration(groups: groups, channels: gain.shape?[0], epsilon: epsilon, dtype: gain.dtype)
  }
  public init(configuration: Configuration) throws {
    self.init(
      groups: try Architecture.extent(configuration.groups, "groups of groupNorm"),
      channels: try Architecture.extent(configuration.channels, "channels of groupNorm"),
      epsilon: configuration.epsilon, dtype: configuration.dtype)
  }
}

/// Each channel of each example less its mean, divided by its standard deviation, then scaled and shifted: Ulyanov
/// et al. 2016.
///
/// **Shapes**: `[N, …, C]` to the same; gain and bias `[C]`.
public struct InstanceNorm: DescribedLayer {
  public let gain: Parameter
  public let bias: Parameter
  public let epsilon: Double

  /// - Parameter channels: learned from the first input if `nil`.
  public init(channels: Int? = nil, epsilon: Double = 1e-5, dtype: DType = .float32) {
    self.epsilon = epsilon
    gain = Parameter(channels.map { [$0] }, .ones, dtype: dtype)
    bias = Parameter(channels.map { [$0] }, .zeros, dtype: dtype)
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    gain.inModule {
      let channels = input.shape[-1]
      return input.normalized(groups: channels, epsilon: epsilon) * gain.value(shape: [channels])
        + bias.value(shape: [channels])
    }
  }

  public struct Configuration: Codable, Sendable {
    let channels: Int?
    let epsilon: Double
    let dtype: DType
  }
  public static var kind: String { "instanceNorm" }
  public var configuration: Configuration {
    Configuration(channels: gain.shape?[0], epsilon: epsilon, dtype: gain.dtype)
  }
  public init(configuration: Configuration) throws {
    self.init(
      channels: try Architecture.extent(configuration.channels, "channels of instanceNorm"),
      epsilon: configuration.epsilon, dtype: configuration.dtype)
  }
}

extension Tensor {
  /// Each group of channels of each example with mean 0 and variance 1.
  fileprivate func normalized(groups: Int, epsilon: Double) -> Tensor {
    guard error == nil, rank >= 2 else { return self }
    let between = shape.array[1..<rank - 1].reduce(1, *)
    // [N, …, C] as [N, positions, groups, C / groups]
    let x = computing.reshaped(to: [shape[0], between, groups, shape[-1] / Swift.max(1, groups)])
    let centred = x - x.mean(axes: [1, 3], keepingAxes: true)
    let scale = (centred.squared().mean(axes: [1, 3], keepingAxes: true) + epsilon).rsqrt()
    return (centred * scale).reshaped(to: shape).cast(to: dtype)
  }
}

/// Each element divided by a power of the squares around it, along the channels: y = x / (k + α / size · Σ x²)^β.
/// Krizhevsky et al. 2012.
///
/// **Shapes**: `[N, …, C]` to the same. The sum is over `size` channels, the element's own in the middle.
public struct LocalResponseNorm: DescribedLayer {
  public let size: Int
  public let alpha: Double
  public let beta: Double
  public let k: Double

  /// The paper's numbers by default.
  public init(_ size: Int = 5, alpha: Double = 1e-4, beta: Double = 0.75, k: Double = 2) {
    self.size = size
    self.alpha = alpha
    self.beta = beta
    self.k = k
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    guard input.error == nil else { return input }
    let x = input.computing
    // The channels as an axis that a window moves along.
    let line = x.squared().reshaped(to: [x.count / max(1, x.shape[-1]), x.shape[-1], 1])
    let padding = Padding.explicit([.init(before: size / 2, after: (size - 1) / 2)])
    let means = line.averagePooled(size, strides: 1, padding: padding, countsPadding: true).reshaped(to: x.shape)
    return (x * (means * alpha + k).pow(-beta)).cast(to: input.dtype)
  }

  public struct Configuration: Codable, Sendable {
    let size: Int
    let alpha: Double
    let beta: Double
    let k: Double
  }
  public static var kind: String { "localResponseNorm" }
  public var configuration: Configuration { Configuration(size: size, alpha: alpha, beta: beta, k: k) }
  public init(configuration: Configuration) throws {
    self.init(
      try Architecture.extent(configuration.size, "size of localResponseNorm"), alpha: configuration.alpha,
      beta: configuration.beta, k: configuration.k)
  }
}
