import CajalBase
import CajalIR
import CajalOperations
import CajalTensor

// Layers that make images smaller. Channels come last: `[N, spatial…, C]`.

public typealias MaxPool1D = MaxPool<OneAxis>
public typealias MaxPool2D = MaxPool<TwoAxes>
public typealias MaxPool3D = MaxPool<ThreeAxes>
public typealias AveragePool1D = AveragePool<OneAxis>
public typealias AveragePool2D = AveragePool<TwoAxes>
public typealias AveragePool3D = AveragePool<ThreeAxes>

/// The greatest element in each window, channel by channel.
///
/// `MaxPool1D`, `MaxPool2D` and `MaxPool3D` are its forms.
///
/// **Shapes**: `[N, spatial…, C]` to `[N, out…, C]`.
public struct MaxPool<Axes: SpatialAxes>: DescribedLayer {
  public let window: LayerWindow
  public let roundsUp: Bool

  /// - Parameters:
  ///   - strides: those of the window if `nil`.
  ///   - roundsUp: whether a last window counts that begins inside and hangs over the end.
  public init(
    _ extents: some PerAxis, strides: (any PerAxis)? = nil, padding: Padding = .valid, dilations: some PerAxis = 1,
    roundsUp: Bool = false
  ) {
    window = LayerWindow(
      Axes.count, extents.numbers, strides: (strides ?? extents).numbers, padding: padding,
      dilations: dilations.numbers)
    self.roundsUp = roundsUp
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    pooled("maxPool", input, Axes.count) {
      $0.maxPooled(
        window.extents, strides: window.strides, padding: window.padding, dilations: window.dilations,
        roundsUp: roundsUp)
    }
  }

  public struct Configuration: Codable, Sendable {
    let window: LayerWindow
    let roundsUp: Bool
  }
  public static var kind: String { "maxPool\(Axes.count)D" }
  public var configuration: Configuration { Configuration(window: window, roundsUp: roundsUp) }
  public init(configuration: Configuration) throws {
    window = try configuration.window.checked(Axes.count, Self.kind)
    roundsUp = configuration.roundsUp
  }
}

/// The mean of each window, channel by channel.
///
/// `AveragePool1D`, `AveragePool2D` and `AveragePool3D` are its forms.
///
/// **Shapes**: `[N, spatial…, C]` to `[N, out…, C]`.
public struct AveragePool<Axes: SpatialAxes>: DescribedLayer {
  public let window: LayerWindow
  public let countsPadding: Bool
  public let roundsUp: Bool

  /// - Parameters:
  ///   - strides: those of the window if `nil`.
  ///   - countsPadding: whether zeros that are padding are part of the mean, as in PyTorch.
  ///   - roundsUp: whether a last window counts that begins inside and hangs over the end.
  public init(
    _ extents: some PerAxis, strides: (any PerAxis)? = nil, padding: Padding = .valid, countsPadding: Bool = false,
    roundsUp: Bool = false
  ) {
    window = LayerWindow(
      Axes.count, extents.numbers, strides: (strides ?? extents).numbers, padding: padding, dilations: [1])
    self.countsPadding = countsPadding
    self.roundsUp = roundsUp
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    pooled("averagePool", input, Axes.count) {
      $0.averagePooled(
        window.extents, strides: window.strides, padding: window.padding, countsPadding: countsPadding,
        roundsUp: roundsUp)
    }
  }

  public struct Configuration: Codable, Sendable {
    let window: LayerWindow
    let countsPadding: Bool
    let roundsUp: Bool
  }
  public static var kind: String { "averagePool\(Axes.count)D" }
  public var configuration: Configuration {
    Configuration(window: window, countsPadding: countsPadding, roundsUp: roundsUp)
  }
  public init(configuration: Configuration) throws {
    window = try configuration.window.checked(Axes.count, Self.kind)
    countsPadding = configuration.countsPadding
    roundsUp = configuration.roundsUp
  }
}

/// `body` on an input of that many spatial axes, or why it is none.
private func pooled(_ operation: String, _ input: Tensor, _ axes: Int, _ body: (Tensor) -> Tensor) -> Tensor {
  let x = input.withChannels(axes)
  guard x.error == nil, x.rank != axes + 2 else { return body(x) }
  return mistake(
    operation, [input],
    .shape("\(input.shape) has no \(axes) spatial axes", remedy: "Give it as [N, spatial…, C]"))
}

// MARK: The whole image

/// The mean of each channel over all of the spatial axes: Lin et al. 2014.
///
/// **Shapes**: `[N, spatial…, C]` to `[N, C]`.
public struct GlobalAveragePool: DescribedLayer {
  public init() {}
  public func callAsFunction(_ input: Tensor) -> Tensor { input.mean(axes: Array(1..<max(1, input.rank - 1))) }

  public static var kind: String { "globalAveragePool" }
  public var configuration: NoConfiguration { NoConfiguration() }
  public init(configuration: NoConfiguration) {}
}

/// The greatest element of each channel over all of the spatial axes.
///
/// **Shapes**: `[N, spatial…, C]` to `[N, C]`.
public struct GlobalMaxPool: DescribedLayer {
  public init() {}
  public func callAsFunction(_ input: Tensor) -> Tensor { input.max(axes: Array(1..<max(1, input.rank - 1))) }

  public static var kind: String { "globalMaxPool" }
  public var configuration: NoConfiguration { NoConfiguration() }
  public init(configuration: NoConfiguration) {}
}

/// Means of as many parts of each spatial axis as are asked for, whatever its extent.
///
/// **Shapes**: `[N, spatial…, C]` to `[N, extents…, C]`.
public struct AdaptiveAveragePool: DescribedLayer {
  public let extents: [Int]

  /// - Parameter extents: one for all spatial axes, or a list of one each.
  public init(_ extents: some PerAxis) { self.extents = extents.numbers }

  public func callAsFunction(_ input: Tensor) -> Tensor { input.adaptiveAveragePooled(to: extents) }

  public static var kind: String { "adaptiveAveragePool" }
  public var configuration: [Int] { extents }
  public init(configuration: [Int]) throws {
    extents = try configuration.map { try Architecture.extent($0, "an extent of adaptiveAveragePool") }
  }
}

/// The greatest elements of as many parts of each spatial axis as are asked for, whatever its extent.
///
/// **Shapes**: `[N, spatial…, C]` to `[N, extents…, C]`.
public struct AdaptiveMaxPool: DescribedLayer {
  public let extents: [Int]

  /// - Parameter extents: one for all spatial axes, or a list of one each.
  public init(_ extents: some PerAxis) { self.extents = extents.numbers }

  public func callAsFunction(_ input: Tensor) -> Tensor { input.adaptiveMaxPooled(to: extents) }

  public static var kind: String { "adaptiveMaxPool" }
  public var configuration: [Int] { extents }
  public init(configuration: [Int]) throws {
    extents = try configuration.map { try Architecture.extent($0, "an extent of adaptiveMaxPool") }
  }
}
