import CajalBase
import CajalTensor

/// Each channel less its mean over the batch, divided by its standard deviation, then scaled and shifted:
/// y = (x − μ) / √(σ² + ε) · gain + bias. Ioffe and Szegedy 2015.
///
/// While training μ and σ² are the batch's, and the running ones move towards them by `momentum`, as an effect of
/// the step: a step that fails leaves them as they were. Otherwise the running ones are used. The running variance
/// is of what the batch was drawn from (n − 1), as PyTorch's.
///
/// **Shapes**: `[N, …, C]` to the same; gain, bias, mean and variance `[C]`.
public struct BatchNorm: DescribedLayer {
  public let gain: Parameter
  public let bias: Parameter
  public let mean: Parameter
  public let variance: Parameter
  /// The weight of a new batch in the running statistics.
  public let momentum: Double
  public let epsilon: Double

  /// - Parameter channels: learned from the first input if `nil`.
  public init(channels: Int? = nil, momentum: Double = 0.1, epsilon: Double = 1e-5, dtype: DType = .float32) {
    self.momentum = momentum
    self.epsilon = epsilon
    let shape: Shape? = channels.map { [$0] }
    gain = Parameter(shape, .ones, dtype: dtype)
    bias = Parameter(shape, .zeros, dtype: dtype)
    mean = Parameter(shape, .zeros, dtype: dtype, isTrainable: false)
    variance = Parameter(shape, .ones, dtype: dtype, isTrainable: false)
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    gain.inModule {
      let shape: Shape = [input.shape[-1]]
      let (runningMean, runningVariance) = (mean.value(shape: shape), variance.value(shape: shape))
      let (gain, bias) = (gain.value(shape: shape), bias.value(shape: shape))
      let x = input.computing
      func normalized(_ mean: Tensor, _ variance: Tensor) -> Tensor {
        ((x - mean) * ((variance + epsilon).rsqrt() * gain) + bias).cast(to: input.dtype)
      }
      guard Runtime.isTraining, input.error == nil else {
        return normalized(runningMean, runningVariance.computing)
      }
      let axes = Array(0..<max(0, input.rank - 1))
      let average = x.mean(axes: axes)
      // The variance of x less any constant, here nearly its mean, through which no gradient need flow then: all that
      // the gradients sum over the batch is known before the first of them is written.
      let centred = x - average.stoppingGradient()
      let spread = centred.squared().mean(axes: axes) - centred.mean(axes: axes).squared()
      let count = input.count / max(1, shape[0])
      let correction = Double(count) / Double(max(1, count - 1))
      mean.moves(to: runningMean + (average - runningMean) * momentum)
      variance.moves(to: runningVariance + (spread * correction - runningVariance) * momentum)
      return normalized(average, spread)
    }
  }

  public struct Configuration: Codable, Sendable {
    let channels: Int?
    let momentum: Double
    let epsilon: Double
    let dtype: DType
  }
  public static var kind: String { "batchNorm" }
  public var configuration: Configuration {
    Configuration(channels: gain.shape?[0], momentum: momentum, epsilon: epsilon, dtype: gain.dtype)
  }
  public init(configuration: Configuration) throws {
    self.init(
      channels: try Architecture.extent(configuration.channels, "channels of batchNorm"),
      momentum: configuration.momentum, epsilon: configuration.epsilon, dtype: configuration.dtype)
  }
}
