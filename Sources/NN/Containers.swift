import CajalBase
import CajalIR
import CajalTensor

// Layers beside each other. One behind the other: Sequential.

/// Layers with a way around them: y = activation(shortcut(x) + body(x)). He et al. 2016.
///
/// **Shapes**: body and shortcut give tensors of one shape; without a shortcut that of the input.
public struct Residual: DescribedLayer {
  public let body: Sequential
  public let shortcut: (any Layer)?
  public let activation: Activation?

  /// - Parameters:
  ///   - shortcut: what brings the input to the body's shape, where that is another.
  ///   - activation: of the sum.
  public init(
    shortcut: (any Layer)? = nil, activation: Activation? = nil, @LayerBuilder _ layers: () -> [any Layer]
  ) {
    self.init(Sequential(layers()), shortcut: shortcut, activation: activation)
  }

  public init(_ body: Sequential, shortcut: (any Layer)? = nil, activation: Activation? = nil) {
    self.body = body
    self.shortcut = shortcut
    self.activation = activation
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    let path = Recording.path
    let through = body.run(as: "body", in: path, on: input)
    let around = shortcut.map { $0.run(as: "shortcut", in: path, on: input) } ?? input
    guard through.shape == around.shape || through.error != nil || around.error != nil else {
      return mistake(
        "residual", [around, through],
        .shape(
          "around the layers it is \(around.shape), through them \(through.shape)",
          remedy: "End with layers that give the input's shape, or pass a `shortcut` that gives theirs"))
    }
    let sum = around + through
    return activation.map { $0.run(as: "activation", in: path, on: sum) } ?? sum
  }

  public struct Configuration: Codable, Sendable {
    let layers: Sequential.Configuration
    let shortcut: LayerDescription?
    let activation: Activation?
  }
  public static var kind: String { "residual" }
  public var configuration: Configuration {
    Configuration(
      layers: body.configuration, shortcut: shortcut.map { LayerDescription($0) }, activation: activation)
  }
  public init(configuration: Configuration) throws {
    self.init(
      try Sequential(configuration: configuration.layers), shortcut: configuration.shortcut?.layer,
      activation: configuration.activation)
  }
}

/// Layers of one input, whose outputs are put together.
///
/// **Shapes**: outputs of one shape for `.sum`; for `.concatenate` they may differ along the axis, the last.
public struct Parallel: DescribedLayer {
  public enum Join: String, Codable, Sendable {
    case sum, concatenate
  }

  public let branches: [any Layer]
  public let join: Join

  /// - Parameter branches: each line is one; `Sequential` makes one of several layers.
  public init(_ join: Join = .concatenate, @LayerBuilder _ branches: () -> [any Layer]) {
    self.init(join, branches())
  }

  public init(_ join: Join = .concatenate, _ branches: [any Layer]) {
    self.join = join
    self.branches = branches
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    let path = Recording.path
    let outputs = branches.enumerated().map { $1.run(as: "branches.\($0)", in: path, on: input) }
    if join == .concatenate, !outputs.isEmpty { return .concatenate(outputs, axis: -1) }
    guard let first = outputs.first, outputs.allSatisfy({ $0.shape == first.shape || $0.error != nil }) else {
      return mistake(
        "parallel", [input],
        .shape(
          "the branches give \(outputs.map(\.shape)), which cannot be put together",
          remedy: "Give it branches of one shape, or concatenate them"))
    }
    return outputs.dropFirst().reduce(first, +)
  }

  public struct Configuration: Codable, Sendable {
    let join: Join
    let branches: [LayerDescription]
  }
  public static var kind: String { "parallel" }
  public var configuration: Configuration {
    Configuration(join: join, branches: branches.map { LayerDescription($0) })
  }
  public init(configuration: Configuration) {
    self.init(configuration.join, configuration.branches.map(\.layer))
  }
}
