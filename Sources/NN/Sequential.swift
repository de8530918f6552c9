import CajalBase
import CajalIR
import CajalTensor

/// Layers, one behind the other.
///
/// Their paths are `layers.0`, `layers.1`, …, or the names that they are given.
public struct Sequential: DescribedLayer {
  public let layers: [any Layer]
  /// What each stands under.
  private let names: [String]
  private let isNamed: Bool
  /// In the order of their names.
  private let sorted: [any Layer]

  public init(@LayerBuilder _ layers: () -> [any Layer]) { self.init(layers()) }

  public init(_ layers: [any Layer]) {
    self.layers = layers
    sorted = layers
    names = layers.indices.map { "layers.\($0)" }
    isNamed = false
  }

  /// - Parameter layers: with names that are all different, and part of their parameters' paths.
  public init(named layers: [(name: String, layer: any Layer)]) {
    self.layers = layers.map(\.layer)
    sorted = layers.sorted { ParameterKey($0.name) < ParameterKey($1.name) }.map(\.layer)
    names = layers.map(\.name)
    isNamed = true
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    let path = Recording.path
    return zip(layers, names).reduce(input) { value, layer in layer.0.run(as: layer.1, in: path, on: value) }
  }

  /// A list of layers; with names an object of two lists.
  public struct Configuration: Codable, Sendable {
    let names: [String]?
    let layers: [LayerDescription]

    private enum Key: CodingKey {
      case names, layers
    }

    init(names: [String]?, layers: [LayerDescription]) {
      self.names = names
      self.layers = layers
    }

    public init(from decoder: any Decoder) throws {
      if let container = try? decoder.container(keyedBy: Key.self) {
        names = try container.decode([String].self, forKey: .names)
        layers = try container.decode([LayerDescription].self, forKey: .layers)
      } else {
        names = nil
        layers = try [LayerDescription](from: decoder)
      }
    }

    public func encode(to encoder: any Encoder) throws {
      guard let names else { return try layers.encode(to: encoder) }
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(names, forKey: .names)
      try container.encode(layers, forKey: .layers)
    }
  }
  public static var kind: String { "sequential" }
  public var configuration: Configuration {
    Configuration(names: isNamed ? names : nil, layers: layers.map { LayerDescription($0) })
  }
  public init(configuration: Configuration) throws {
    let layers = configuration.layers.map(\.layer)
    guard let names = configuration.names else {
      self.init(layers)
      return
    }
    guard names.count == layers.count, Set(names).count == names.count, !names.contains("") else {
      throw ArchitectureError(
        "\(layers.count) layers have the names \(names.prefix(20))", remedy: "Save the model again")
    }
    self.init(named: zip(names, layers).map { (name: $0, layer: $1) })
  }
}

// Its layers stand under their names, wherever its parts are listed.
extension Sequential: CustomReflectable {
  public var customMirror: Mirror {
    Mirror(self, children: zip(names, layers).map { (label: $0, value: $1) }, displayStyle: .struct)
  }
}

extension Sequential: ParameterContainer {
  static var element: Any.Type { (any Layer).self }

  static func collect(at address: UnsafeRawPointer, _ found: inout [Parameter]) -> Bool {
    withUnsafePointer(to: address.assumingMemoryBound(to: Sequential.self).pointee.sorted) {
      [any Layer].collect(at: UnsafeRawPointer($0), &found)
    }
  }
}

extension Layer {
  /// Runs this layer as the part `name` of the module `parent`.
  func run(as name: String, in parent: ModulePath?, on input: Tensor) -> Tensor {
    let path = ModulePath(name, in: parent)
    let output = path.run { self(input) }
    ShapeNotes.current?.note(output, path)
    return output
  }
}

/// Collects layers written one a line; `if`, `for` and arrays work as anywhere.
@resultBuilder
public enum LayerBuilder {
  public static func buildExpression(_ layer: any Layer) -> [any Layer] { [layer] }
  public static func buildExpression(_ layers: [any Layer]) -> [any Layer] { layers }
  public static func buildBlock(_ parts: [any Layer]...) -> [any Layer] { parts.flatMap { $0 } }
  public static func buildOptional(_ part: [any Layer]?) -> [any Layer] { part ?? [] }
  public static func buildEither(first: [any Layer]) -> [any Layer] { first }
  public static func buildEither(second: [any Layer]) -> [any Layer] { second }
  public static func buildArray(_ parts: [[any Layer]]) -> [any Layer] { parts.flatMap { $0 } }
}
