import CajalBase
import CajalIR
import CajalTensor

/// Layers, one behind the other.
public struct Sequential: DescribedLayer {
  public let layers: [any Layer]
  private let names: [String]

  public init(@LayerBuilder _ layers: () -> [any Layer]) { self.init(layers()) }

  public init(_ layers: [any Layer]) {
    self.layers = layers
    names = layers.indices.map { "layers.\($0)" }
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    let path = Recording.path
    return zip(layers, names).reduce(input) { value, layer in layer.0.run(as: layer.1, in: path, on: value) }
  }

  public static var kind: String { "sequential" }
  public var configuration: [LayerDescription] { layers.map { LayerDescription($0) } }
  public init(configuration: [LayerDescription]) { self.init(configuration.map(\.layer)) }
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
