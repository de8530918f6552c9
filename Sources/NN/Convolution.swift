import CajalBase
import CajalIR
import CajalOperations
import CajalTensor

// Layers whose weights are a window that moves over the spatial axes. Channels come last: `[N, spatial…, C]`.

/// How many spatial axes a layer's inputs have; only a name.
public protocol SpatialAxes: Sendable {
  static var count: Int { get }
}

public enum OneAxis: SpatialAxes { public static var count: Int { 1 } }
public enum TwoAxes: SpatialAxes { public static var count: Int { 2 } }
public enum ThreeAxes: SpatialAxes { public static var count: Int { 3 } }

public typealias Conv1D = Conv<OneAxis>
public typealias Conv2D = Conv<TwoAxes>
public typealias Conv3D = Conv<ThreeAxes>
public typealias ConvTransposed1D = ConvTransposed<OneAxis>
public typealias ConvTransposed2D = ConvTransposed<TwoAxes>
public typealias ConvTransposed3D = ConvTransposed<ThreeAxes>
public typealias DepthwiseConv1D = DepthwiseConv<OneAxis>
public typealias DepthwiseConv2D = DepthwiseConv<TwoAxes>
public typealias DepthwiseConv3D = DepthwiseConv<ThreeAxes>

/// The window of a layer: what it covers and how it moves, one number an axis.
public struct LayerWindow: Codable, Sendable, Hashable {
  public let extents: [Int]
  public let strides: [Int]
  public let padding: Padding
  public let dilations: [Int]

  init(_ axes: Int, _ extents: [Int], strides: [Int], padding: Padding, dilations: [Int]) {
    self.extents = extents.along(axes)
    self.strides = strides.along(axes)
    self.padding = padding
    self.dilations = dilations.along(axes)
  }

  /// This window, if it has one possible number for each of `axes`.
  func checked(_ axes: Int, _ name: String) throws -> LayerWindow {
    for (numbers, noun) in [(extents, "window"), (strides, "strides"), (dilations, "dilations")] {
      guard numbers.count == axes else {
        throw ArchitectureError("the \(noun) of \(name) are \(numbers)", remedy: "Save the model again")
      }
      for number in numbers { _ = try Architecture.extent(number, "one of the \(noun) of \(name)") }
    }
    return self
  }
}

// MARK: Convolution

/// A window of weights that moves over the spatial axes: y = activation(x ∗ kernel + bias). LeCun et al. 1998.
///
/// `Conv1D`, `Conv2D` and `Conv3D` are its forms.
///
/// **Shapes**: `[N, spatial…, C]` to `[N, out…, filters]`; kernel `[window…, C / groups, filters]`, bias `[filters]`.
/// Without padding out = ⌊(spatial − (window − 1) · dilation − 1) / stride⌋ + 1, with `.same` ⌈spatial / stride⌉. An
/// input without the last axis has one channel.
///
/// ```swift
/// Conv2D(32, kernel: 3, padding: .same, activation: .relu)
/// ```
public struct Conv<Axes: SpatialAxes>: DescribedLayer {
  public let kernel: Parameter
  public let bias: Parameter?
  public let filters: Int
  public let window: LayerWindow
  public let groups: Int
  public let activation: Activation

  /// - Parameters:
  ///   - extents: of the window: one number for all axes, or a list of one each.
  ///   - groups: as many parts of the channels see nothing of each other.
  ///   - channels: learned from the first input if `nil`.
  public init(
    _ filters: Int, kernel extents: some PerAxis, strides: some PerAxis = 1, padding: Padding = .valid,
    dilations: some PerAxis = 1, groups: Int = 1, channels: Int? = nil, activation: Activation = .identity,
    usesBias: Bool = true, kernelInitializer: Initializer? = nil, dtype: DType = .float32
  ) {
    self.init(
      filters,
      LayerWindow(
        Axes.count, extents.numbers, strides: strides.numbers, padding: padding, dilations: dilations.numbers),
      groups: groups, channels: channels, activation, usesBias: usesBias, kernelInitializer, dtype)
  }

  private init(
    _ filters: Int, _ window: LayerWindow, groups: Int, channels: Int?, _ activation: Activation, usesBias: Bool,
    _ initializer: Initializer?, _ dtype: DType
  ) {
    self.filters = filters
    self.window = window
    self.groups = groups
    self.activation = activation
    kernel = Parameter(
      channels.map { Shape(window.extents + [$0 / max(1, groups), filters]) },
      initializer ?? .standard(before: activation), dtype: dtype)
    bias = usesBias ? Parameter([filters], .zeros, dtype: dtype) : nil
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    kernel.inModule {
      let x = input.withChannels(Axes.count)
      let weights = kernel.value(shape: Shape(window.extents + [x.shape[-1] / max(1, groups), filters]))
      if let error = kernel.channelMisfit("convolution", x, Axes.count, expected: kernel.shape.map { $0[-2] * groups })
      {
        return error
      }
      let sums = x.convolved(
        with: weights, strides: window.strides, padding: window.padding, dilations: window.dilations, groups: groups)
      return activation(bias.map { sums + $0.value } ?? sums)
    }
  }

  public struct Configuration: Codable, Sendable {
    let filters: Int
    let window: LayerWindow
    let groups: Int
    let channels: Int?
    let activation: Activation
    let usesBias: Bool
    let dtype: DType
  }
  public static var kind: String { "conv\(Axes.count)D" }
  public var configuration: Configuration {
    Configuration(
      filters: filters, window: window, groups: groups, channels: kernel.shape.map { $0[-2] * groups },
      activation: activation, usesBias: bias != nil, dtype: kernel.dtype)
  }
  public init(configuration: Configuration) throws {
    let name = Self.kind
    self.init(
      try Architecture.extent(configuration.filters, "filters of \(name)"),
      try configuration.window.checked(Axes.count, name),
      groups: try Architecture.extent(configuration.groups, "groups of \(name)"),
      channels: try Architecture.extent(configuration.channels, "channels of \(name)"), configuration.activation,
      usesBias: configuration.usesBias, nil, configuration.dtype)
  }
}

// MARK: Transposed

/// Each element spread over a window of weights, as the gradient of a convolution is: makes images larger.
///
/// `ConvTransposed1D`, `ConvTransposed2D` and `ConvTransposed3D` are its forms.
///
/// **Shapes**: `[N, spatial…, C]` to `[N, out…, filters]`; kernel `[window…, filters / groups, C]`, bias `[filters]`.
/// out = (spatial − 1) · stride + (window − 1) · dilation + 1 − padding + `outputPadding`, or spatial · stride with
/// `.same`.
public struct ConvTransposed<Axes: SpatialAxes>: DescribedLayer {
  public let kernel: Parameter
  public let bias: Parameter?
  public let filters: Int
  public let window: LayerWindow
  public let outputPadding: [Int]
  public let groups: Int
  public let activation: Activation

  /// - Parameter channels: learned from the first input if `nil`.
  public init(
    _ filters: Int, kernel extents: some PerAxis, strides: some PerAxis = 1, padding: Padding = .valid,
    outputPadding: some PerAxis = 0, dilations: some PerAxis = 1, groups: Int = 1, channels: Int? = nil,
    activation: Activation = .identity, usesBias: Bool = true, kernelInitializer: Initializer? = nil,
    dtype: DType = .float32
  ) {
    self.init(
      filters,
      LayerWindow(
        Axes.count, extents.numbers, strides: strides.numbers, padding: padding, dilations: dilations.numbers),
      outputPadding.along(Axes.count), groups: groups, channels: channels, activation, usesBias: usesBias,
      kernelInitializer, dtype)
  }

  private init(
    _ filters: Int, _ window: LayerWindow, _ outputPadding: [Int], groups: Int, channels: Int?,
    _ activation: Activation, usesBias: Bool, _ initializer: Initializer?, _ dtype: DType
  ) {
    self.filters = filters
    self.window = window
    self.outputPadding = outputPadding
    self.groups = groups
    self.activation = activation
    kernel = Parameter(
      channels.map { Shape(window.extents + [filters / max(1, groups), $0]) },
      initializer ?? .standard(before: activation), dtype: dtype)
    bias = usesBias ? Parameter([filters], .zeros, dtype: dtype) : nil
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    kernel.inModule {
      let x = input.withChannels(Axes.count)
      let weights = kernel.value(shape: Shape(window.extents + [filters / max(1, groups), x.shape[-1]]))
      if let error = kernel.channelMisfit("convTransposed", x, Axes.count, expected: kernel.shape.map { $0[-1] }) {
        return error
      }
      let sums = x.convolvedTransposed(
        with: weights, strides: window.strides, padding: window.padding, outputPadding: outputPadding,
        dilations: window.dilations, groups: groups)
      return activation(bias.map { sums + $0.value } ?? sums)
    }
  }

  public struct Configuration: Codable, Sendable {
    let filters: Int
    let window: LayerWindow
    let outputPadding: [Int]
    let groups: Int
    let channels: Int?
    let activation: Activation
    let usesBias: Bool
    let dtype: DType
  }
  public static var kind: String { "convTransposed\(Axes.count)D" }
  public var configuration: Configuration {
    Configuration(
      filters: filters, window: window, outputPadding: outputPadding, groups: groups,
      channels: kernel.shape.map { $0[-1] }, activation: activation, usesBias: bias != nil, dtype: kernel.dtype)
  }
  public init(configuration: Configuration) throws {
    let name = Self.kind
    self.init(
      try Architecture.extent(configuration.filters, "filters of \(name)"),
      try configuration.window.checked(Axes.count, name), configuration.outputPadding,
      groups: try Architecture.extent(configuration.groups, "groups of \(name)"),
      channels: try Architecture.extent(configuration.channels, "channels of \(name)"), configuration.activation,
      usesBias: configuration.usesBias, nil, configuration.dtype)
  }
}

// MARK: Depthwise

/// A window of its own for each channel: y = activation(x ∗ kernel + bias) in as many groups as channels.
///
/// `DepthwiseConv1D`, `DepthwiseConv2D` and `DepthwiseConv3D` are its forms.
///
/// **Shapes**: `[N, spatial…, C]` to `[N, out…, C · multiplier]`; kernel `[window…, 1, C · multiplier]`.
public struct DepthwiseConv<Axes: SpatialAxes>: DescribedLayer {
  public let kernel: Parameter
  public let bias: Parameter?
  public let multiplier: Int
  public let window: LayerWindow
  public let activation: Activation

  /// - Parameter channels: learned from the first input if `nil`.
  public init(
    kernel extents: some PerAxis, strides: some PerAxis = 1, padding: Padding = .valid, dilations: some PerAxis = 1,
    multiplier: Int = 1, channels: Int? = nil, activation: Activation = .identity, usesBias: Bool = true,
    kernelInitializer: Initializer? = nil, dtype: DType = .float32
  ) {
    self.init(
      LayerWindow(
        Axes.count, extents.numbers, strides: strides.numbers, padding: padding, dilations: dilations.numbers),
      multiplier: multiplier, channels: channels, activation, usesBias: usesBias, kernelInitializer, dtype)
  }

  private init(
    _ window: LayerWindow, multiplier: Int, channels: Int?, _ activation: Activation, usesBias: Bool,
    _ initializer: Initializer?, _ dtype: DType
  ) {
    self.window = window
    self.multiplier = multiplier
    self.activation = activation
    kernel = Parameter(
      channels.map { Shape(window.extents + [1, $0 * multiplier]) }, initializer ?? .standard(before: activation),
      dtype: dtype)
    bias = usesBias ? Parameter(channels.map { [$0 * multiplier] }, .zeros, dtype: dtype) : nil
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    kernel.inModule {
      let x = input.withChannels(Axes.count)
      let filters = x.shape[-1] * multiplier
      let weights = kernel.value(shape: Shape(window.extents + [1, filters]))
      let expected = kernel.shape.map { $0[-1] / max(1, multiplier) }
      if let error = kernel.channelMisfit("convolution", x, Axes.count, expected: expected) { return error }
      let sums = x.convolved(
        with: weights, strides: window.strides, padding: window.padding, dilations: window.dilations,
        groups: x.shape[-1])
      return activation(bias.map { sums + $0.value(shape: [filters]) } ?? sums)
    }
  }

  public struct Configuration: Codable, Sendable {
    let window: LayerWindow
    let multiplier: Int
    let channels: Int?
    let activation: Activation
    let usesBias: Bool
    let dtype: DType
  }
  public static var kind: String { "depthwiseConv\(Axes.count)D" }
  public var configuration: Configuration {
    Configuration(
      window: window, multiplier: multiplier, channels: kernel.shape.map { $0[-1] / max(1, multiplier) },
      activation: activation, usesBias: bias != nil, dtype: kernel.dtype)
  }
  public init(configuration: Configuration) throws {
    let name = Self.kind
    let multiplier = try Architecture.extent(configuration.multiplier, "multiplier of \(name)")
    let channels = try Architecture.extent(configuration.channels, "channels of \(name)")
    if let channels { _ = try Architecture.extent(channels * multiplier, "channels · multiplier of \(name)") }
    self.init(
      try configuration.window.checked(Axes.count, name), multiplier: multiplier, channels: channels,
      configuration.activation, usesBias: configuration.usesBias, nil, configuration.dtype)
  }
}

extension Sequential {
  /// A depthwise convolution and one of 1×1 behind it, which cost together what one costs divided by the filters
  /// and the window: Chollet 2017.
  public static func separableConv2D(
    _ filters: Int, kernel extents: some PerAxis, strides: some PerAxis = 1, padding: Padding = .valid,
    multiplier: Int = 1, activation: Activation = .identity, usesBias: Bool = true
  ) -> Sequential {
    Sequential {
      DepthwiseConv2D(kernel: extents, strides: strides, padding: padding, multiplier: multiplier, usesBias: false)
      Conv2D(filters, kernel: 1, activation: activation, usesBias: usesBias)
    }
  }
}

// MARK: What they share

extension Tensor {
  /// With an axis of one channel, where it has none.
  func withChannels(_ axes: Int) -> Tensor { error == nil && rank == axes + 1 ? expanded(at: -1) : self }
}

extension Parameter {
  /// What a layer over `axes` spatial axes gives for an input that does not fit; `nil` for one that does.
  func channelMisfit(_ operation: String, _ input: Tensor, _ axes: Int, expected: Int?) -> Tensor? {
    guard input.error == nil else { return input }
    guard input.rank == axes + 2 else {
      return misfit(
        operation, input, "the input \(input.shape) has \(input.rank) axes where \(axes + 2) are expected",
        remedy: "Give it as [N, \(axes == 1 ? "T" : axes == 2 ? "H, W" : "D, H, W"), C]")
    }
    guard let expected, input.shape[-1] != expected else { return nil }
    return misfit(
      operation, input, "the input has \(input.shape[-1]) channels where \(expected) are expected",
      remedy: "Let the layer before give \(expected), or make this one with channels: \(input.shape[-1])")
  }
}
