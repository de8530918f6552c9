import CajalBase
import CajalIR
import CajalTensor

// Layers that disturb what passes while a model learns, and let it pass otherwise.

/// While training, each element is 0 with probability `rate`, and the others grow by 1 / (1 − rate): Srivastava
/// et al. 2014.
public struct Dropout: DescribedLayer {
  public let rate: Double

  /// - Parameter rate: 0 or more, less than 1; another gives an error tensor.
  public init(_ rate: Double) { self.rate = rate }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    guard rate >= 0, rate < 1 else {
      return mistake("dropout", [input], .shape("a rate of \(rate)", remedy: "Use a rate in 0..<1"))
    }
    guard Runtime.isTraining, rate > 0 else { return input }
    let kept = 1 - rate
    return Tensor.bernoulli(input.shape, probability: kept).select(input / kept, 0)
  }

  public static var kind: String { "dropout" }
  public var configuration: Double { rate }
  public init(configuration: Double) throws {
    guard configuration >= 0, configuration < 1 else {
      throw ArchitectureError("dropout of a rate of \(configuration)", remedy: "Use a rate in 0..<1")
    }
    self.init(configuration)
  }
}

/// While training, adds normal noise of mean 0.
public struct GaussianNoise: DescribedLayer {
  public let standardDeviation: Double

  public init(_ standardDeviation: Double) { self.standardDeviation = standardDeviation }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    guard Runtime.isTraining else { return input }
    let dtype = input.dtype.isFloat ? input.dtype : .float32
    return input + Tensor.normal(input.shape, standardDeviation: standardDeviation, dtype: dtype)
  }

  public static var kind: String { "gaussianNoise" }
  public var configuration: Double { standardDeviation }
  public init(configuration: Double) { self.init(configuration) }
}
