import CajalBase
import CajalTensor

// Activations that learn.

/// x where positive, slope · x elsewhere, with slopes that learn: He et al. 2015.
///
/// **Shapes**: `[…, C]` to the same; slope `[C]`, or `[1]` where all share one.
public struct PReLU: DescribedLayer {
  public let slope: Parameter
  public let isShared: Bool

  /// - Parameter slope: at first; 0.25 is the paper's.
  public init(slope: Double = 0.25, isShared: Bool = false, channels: Int? = nil, dtype: DType = .float32) {
    self.isShared = isShared
    self.slope = Parameter(
      isShared ? [1] : channels.map { [$0] }, .constant(slope), dtype: dtype)
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    slope.inModule { (input .> 0).select(input, input * slope.value(shape: [input.shape[-1]])) }
  }

  public struct Configuration: Codable, Sendable {
    let isShared: Bool
    let channels: Int?
    let dtype: DType
  }
  public static var kind: String { "prelu" }
  public var configuration: Configuration {
    Configuration(isShared: isShared, channels: isShared ? nil : slope.shape?[0], dtype: slope.dtype)
  }
  public init(configuration: Configuration) throws {
    self.init(
      isShared: configuration.isShared, channels: try Architecture.extent(configuration.channels, "channels of prelu"),
      dtype: configuration.dtype)
  }
}

/// The greatest of several affine functions: Goodfellow et al. 2013.
///
/// **Shapes**: `[…, inputs]` to `[…, units]`; kernel `[inputs, units · pieces]`, bias `[units · pieces]`.
public struct Maxout: DescribedLayer {
  public let dense: Dense
  public let units: Int
  public let pieces: Int

  public init(_ units: Int, pieces: Int = 2, inputs: Int? = nil, dtype: DType = .float32) {
    self.units = units
    self.pieces = pieces
    dense = Dense(units * pieces, inputs: inputs, activation: .maxout(pieces: pieces), dtype: dtype)
  }

  public func callAsFunction(_ input: Tensor) -> Tensor { dense(input) }

  public struct Configuration: Codable, Sendable {
    let units: Int
    let pieces: Int
    let inputs: Int?
    let dtype: DType
  }
  public static var kind: String { "maxout" }
  public var configuration: Configuration {
    Configuration(units: units, pieces: pieces, inputs: dense.kernel.shape?[0], dtype: dense.kernel.dtype)
  }
  public init(configuration: Configuration) throws {
    let units = try Architecture.extent(configuration.units, "units of maxout")
    let pieces = try Architecture.extent(configuration.pieces, "pieces of maxout")
    _ = try Architecture.extent(units * pieces, "units · pieces of maxout")
    self.init(
      units, pieces: pieces, inputs: try Architecture.extent(configuration.inputs, "inputs of maxout"),
      dtype: configuration.dtype)
  }
}
