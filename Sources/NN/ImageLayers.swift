import CajalBase
import CajalIR
import CajalOperations
import CajalTensor

// Layers that only move or scale elements of `[N, spatial…, C]`.

/// Images as many times larger.
///
/// **Shapes**: `[N, spatial…, C]` to `[N, spatial · factor…, C]`.
public struct Upsample: DescribedLayer {
  public let factors: [Int]
  public let method: Interpolation

  /// - Parameter factors: one for all spatial axes, or a list of one each.
  public init(_ factors: some PerAxis = 2, _ method: Interpolation = .nearest) {
    self.factors = factors.numbers
    self.method = method
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    guard input.error == nil, input.rank > 2 else { return input.resized(to: factors, method) }
    let factors = factors.along(input.rank - 2)
    return input.resized(to: zip(input.shape.array[1...], factors).map { $0 * $1 }, method)
  }

  public struct Configuration: Codable, Sendable {
    let factors: [Int]
    let method: Interpolation
  }
  public static var kind: String { "upsample" }
  public var configuration: Configuration { Configuration(factors: factors, method: method) }
  public init(configuration: Configuration) throws {
    self.init(try configuration.factors.map { try Architecture.factor($0, "upsample") }, configuration.method)
  }
}

/// Channels moved into space: see ``Tensor/pixelShuffled(by:)``.
///
/// **Shapes**: `[N, H, W, C · f²]` to `[N, H · f, W · f, C]`.
public struct PixelShuffle: DescribedLayer {
  public let factor: Int

  public init(_ factor: Int) { self.factor = factor }

  public func callAsFunction(_ input: Tensor) -> Tensor { input.pixelShuffled(by: factor) }

  public static var kind: String { "pixelShuffle" }
  public var configuration: Int { factor }
  public init(configuration: Int) throws { factor = try Architecture.factor(configuration, "pixelShuffle") }
}

/// Zeros around images.
///
/// **Shapes**: `[N, spatial…, C]` to `[N, before + spatial + after…, C]`.
public struct ZeroPad: DescribedLayer {
  public let margins: [ConvolutionGeometry.Margins]

  /// - Parameter widths: on each side; one for all spatial axes, or a list of one each.
  public init(_ widths: some PerAxis) { margins = widths.numbers.map { .init(before: $0, after: $0) } }

  public init(_ margins: [ConvolutionGeometry.Margins]) { self.margins = margins }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    guard let widths = input.spatial(margins) else { return input.misfit("zeroPad", margins) }
    return input.padded([(0, 0)] + widths.map { ($0.before, $0.after) } + [(0, 0)])
  }

  public static var kind: String { "zeroPad" }
  public var configuration: [ConvolutionGeometry.Margins] { margins }
  public init(configuration: [ConvolutionGeometry.Margins]) { margins = configuration }
}

/// Images without their margins.
///
/// **Shapes**: `[N, spatial…, C]` to `[N, spatial − before − after…, C]`.
public struct Crop: DescribedLayer {
  public let margins: [ConvolutionGeometry.Margins]

  /// - Parameter widths: off each side; one for all spatial axes, or a list of one each.
  public init(_ widths: some PerAxis) { margins = widths.numbers.map { .init(before: $0, after: $0) } }

  public init(_ margins: [ConvolutionGeometry.Margins]) { self.margins = margins }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    guard let widths = input.spatial(margins) else { return input.misfit("crop", margins) }
    return input.map { value in
      let axes = Array(1..<value.rank - 1)
      let extents = zip(axes, widths).map { value.shape[$0] - $1.before - $1.after }
      return value.sliced(
        Part(axes: axes, extents: extents, steps: axes.map { _ in 1 }), starts: widths.map(\.before))
    }
  }

  public static var kind: String { "crop" }
  public var configuration: [ConvolutionGeometry.Margins] { margins }
  public init(configuration: [ConvolutionGeometry.Margins]) { margins = configuration }
}

extension Tensor {
  /// A margin for each spatial axis; `nil` where there are as many as neither one nor those.
  fileprivate func spatial(_ margins: [ConvolutionGeometry.Margins]) -> [ConvolutionGeometry.Margins]? {
    guard error == nil, rank > 2 else { return nil }
    if margins.count == 1 { return [ConvolutionGeometry.Margins](repeating: margins[0], count: rank - 2) }
    return margins.count == rank - 2 ? margins : nil
  }

  fileprivate func misfit(_ operation: String, _ margins: [ConvolutionGeometry.Margins]) -> Tensor {
    mistake(
      operation, [self],
      .shape(
        "\(margins.count) margins for \(shape)", remedy: "Give [N, spatial…, C] and a margin for each spatial axis"))
  }
}

extension Architecture {
  /// A factor of an image's size.
  fileprivate static func factor(_ value: Int, _ name: String) throws -> Int {
    guard (1...1 << 10).contains(value) else {
      throw ArchitectureError("a factor of \(name) is \(value)", remedy: "Use 1 to \(1 << 10)")
    }
    return value
  }
}

// MARK: Noise

/// While training, whole channels of an example are 0 with probability `rate`, and the others grow by 1 / (1 − rate):
/// Tompson et al. 2015.
///
/// **Shapes**: `[N, …, C]` to the same.
public struct SpatialDropout: DescribedLayer {
  public let rate: Double

  /// - Parameter rate: 0 or more, less than 1; another gives an error tensor.
  public init(_ rate: Double) { self.rate = rate }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    input.dropped("spatialDropout", rate) { axis in axis == 0 || axis == input.rank - 1 }
  }

  public static var kind: String { "spatialDropout" }
  public var configuration: Double { rate }
  public init(configuration: Double) throws {
    _ = try Dropout(configuration: configuration)
    rate = configuration
  }
}

/// While training, whole examples are 0 with probability `rate`, and the others grow by 1 / (1 − rate): what a
/// residual block gives, so that now and then it is not there (Huang et al. 2016).
///
/// **Shapes**: `[N, …]` to the same.
public struct DropPath: DescribedLayer {
  public let rate: Double

  /// - Parameter rate: 0 or more, less than 1; another gives an error tensor.
  public init(_ rate: Double) { self.rate = rate }

  public func callAsFunction(_ input: Tensor) -> Tensor { input.dropped("dropPath", rate) { $0 == 0 } }

  public static var kind: String { "dropPath" }
  public var configuration: Double { rate }
  public init(configuration: Double) throws {
    _ = try Dropout(configuration: configuration)
    rate = configuration
  }
}

extension Tensor {
  /// With one coin for all elements that differ along other axes alone.
  fileprivate func dropped(_ operation: String, _ rate: Double, isDrawn: (_ axis: Int) -> Bool) -> Tensor {
    guard rate >= 0, rate < 1 else {
      return mistake(operation, [self], .shape("a rate of \(rate)", remedy: "Use a rate in 0..<1"))
    }
    guard Runtime.isTraining, rate > 0, error == nil else { return self }
    let kept = 1 - rate
    let coins = Shape((0..<rank).map { isDrawn($0) ? shape[$0] : 1 })
    return Tensor.bernoulli(coins, probability: kept).select(self / kept, 0)
  }
}

// MARK: Channels

/// Each channel times a number that a small network makes of the means of all: y = x · gate(W₂ · activation(W₁ · x̄ +
/// b₁) + b₂). Hu et al. 2018.
///
/// **Shapes**: `[N, spatial…, C]` to the same; `squeeze` is a ``Dense`` from C to `squeezed`, `excite` one back.
public struct SqueezeExcitation: DescribedLayer {
  public let squeeze: Dense
  public let excite: Dense

  /// - Parameters:
  ///   - channels: of the input.
  ///   - squeezed: units between; the paper has a sixteenth of the channels.
  public init(
    channels: Int, squeezed: Int, activation: Activation = .relu, gate: Activation = .sigmoid, dtype: DType = .float32
  ) {
    squeeze = Dense(squeezed, inputs: channels, activation: activation, dtype: dtype)
    excite = Dense(channels, inputs: squeezed, activation: gate, dtype: dtype)
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    let path = Recording.path
    let means = GlobalAveragePool()(input)
    let gates = excite.run(as: "excite", in: path, on: squeeze.run(as: "squeeze", in: path, on: means))
    guard input.error == nil, gates.error == nil else { return gates }
    let ones = [Int](repeating: 1, count: max(0, input.rank - 2))
    return input * gates.reshaped(to: Shape([gates.shape[0]] + ones + [gates.shape[1]]))
  }

  public struct Configuration: Codable, Sendable {
    let channels: Int
    let squeezed: Int
    let activation: Activation
    let gate: Activation
    let dtype: DType
  }
  public static var kind: String { "squeezeExcitation" }
  public var configuration: Configuration {
    Configuration(
      channels: excite.units, squeezed: squeeze.units, activation: squeeze.activation, gate: excite.activation,
      dtype: squeeze.kernel.dtype)
  }
  public init(configuration: Configuration) throws {
    self.init(
      channels: try Architecture.extent(configuration.channels, "channels of squeezeExcitation"),
      squeezed: try Architecture.extent(configuration.squeezed, "units of squeezeExcitation"),
      activation: configuration.activation, gate: configuration.gate, dtype: configuration.dtype)
  }
}

/// Each channel times a number that learns, small at first, so that a deep network begins near the identity: Touvron
/// et al. 2021.
///
/// **Shapes**: `[…, C]` to the same; gain `[C]`.
public struct LayerScale: DescribedLayer {
  public let gain: Parameter

  /// - Parameter channels: learned from the first input if `nil`.
  public init(_ initial: Double = 1e-6, channels: Int? = nil, dtype: DType = .float32) {
    gain = Parameter(channels.map { [$0] }, .constant(initial), dtype: dtype)
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    gain.inModule { input * gain.value(shape: [input.shape[-1]]) }
  }

  public struct Configuration: Codable, Sendable {
    let channels: Int?
    let dtype: DType
  }
  public static var kind: String { "layerScale" }
  public var configuration: Configuration { Configuration(channels: gain.shape?[0], dtype: gain.dtype) }
  public init(configuration: Configuration) throws {
    self.init(
      channels: try Architecture.extent(configuration.channels, "channels of layerScale"), dtype: configuration.dtype)
  }
}
