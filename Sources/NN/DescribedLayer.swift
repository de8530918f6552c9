import CajalBase
import CajalTensor
import Foundation

// Architectures in files: what a layer is, besides its weights, as JSON. A layer is an object of one member,
// `{"dense": {"units": 10, "inputs": 4, …}}`; a container holds others so.

/// A layer that a file can say: its kind, and a configuration that makes it again.
///
/// A layer of your own becomes part of model files by conforming:
///
/// ```swift
/// struct Scale: DescribedLayer {
///   static let kind = "scale"
///   let configuration: Double
///   init(configuration: Double) { self.configuration = configuration }
///   func callAsFunction(_ input: Tensor) -> Tensor { input * configuration }
/// }
/// Architecture.register(Scale.self)  // before the first file that has one is loaded
/// ```
public protocol DescribedLayer: Layer {
  associatedtype Configuration: Codable & Sendable
  /// The name in files: the type's, beginning small. Nobody else's.
  static var kind: String { get }
  /// All that makes the layer but its parameters' numbers.
  var configuration: Configuration { get }
  /// A layer of that configuration, which may come from a file that somebody else wrote.
  init(configuration: Configuration) throws
}

/// Why a layer cannot be described, or made of its description.
public struct ArchitectureError: Error, CustomStringConvertible, Sendable {
  public let problem: String
  public let remedy: String

  public init(_ problem: String, remedy: String) {
    self.problem = problem
    self.remedy = remedy
  }

  public var description: String { "\(problem). \(remedy)." }
}

/// The kinds of layers that files can hold, and models as text.
public enum Architecture {
  /// The key in a model file's metadata.
  public static let metadataKey = "cajal.architecture"

  /// A description of ten thousand layers has a tenth of that.
  static let greatestSize = 10_000_000
  /// Layers in layers; real models have five.
  static let greatestDepth = 64
  /// Extents and counts; a tensor of so many elements has gigabytes.
  static let greatestExtent = 1 << 31

  private static let known = Locked<[String: any DescribedLayer.Type]>(
    Dictionary(
      uniqueKeysWithValues: ([
        Activation.self, AdaptiveAveragePool.self, AdaptiveMaxPool.self, AveragePool1D.self, AveragePool2D.self,
        AveragePool3D.self, BatchNorm.self, Conv1D.self, Conv2D.self, Conv3D.self, ConvTransposed1D.self,
        ConvTransposed2D.self, ConvTransposed3D.self, Crop.self, Dense.self, DepthwiseConv1D.self,
        DepthwiseConv2D.self, DepthwiseConv3D.self, DropPath.self, Dropout.self, Embedding.self, Flatten.self,
        GaussianNoise.self, GlobalAveragePool.self, GlobalMaxPool.self, GroupNorm.self, InstanceNorm.self,
        LayerNorm.self, LayerScale.self, LocalResponseNorm.self, MaxPool1D.self, MaxPool2D.self, MaxPool3D.self,
        Maxout.self, Parallel.self, PixelShuffle.self, PReLU.self, Reshape.self, Residual.self, RMSNorm.self,
        Sequential.self, SpatialDropout.self, SqueezeExcitation.self, Upsample.self, ZeroPad.self,
      ] as [any DescribedLayer.Type]).map { ($0.kind, $0) }))

  /// Makes a layer of your own known to files; the last one of a kind counts.
  public static func register(_ type: any DescribedLayer.Type) { known.withLock { $0[type.kind] = type } }

  static func type(of kind: String) -> (any DescribedLayer.Type)? { known.withLock { $0[kind] } }

  /// `layer` as text.
  ///
  /// - Throws: ``ArchitectureError`` where a part of it is no ``DescribedLayer``, has a function of your own, or
  ///   would come back another: one that shares its parameters with others would not share them any more.
  public static func text(of layer: some Layer) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let text = String(decoding: try encoder.encode(LayerDescription(layer)), as: UTF8.self)
    guard try make(text).namedParameters.map(\.path) == layer.namedParameters.map(\.path) else {
      throw ArchitectureError(
        "its parameters would be others: parts of it share theirs, or are not in its configuration",
        remedy: "Build the model in your program and load its weights")
    }
    return text
  }

  /// The layer that `text` describes, with parameters yet to be drawn.
  ///
  /// - Throws: ``ArchitectureError`` for a kind that is not known, numbers out of range, or no description at all.
  public static func make(_ text: String) throws -> any DescribedLayer {
    guard text.utf8.count <= greatestSize else {
      throw ArchitectureError(
        "a description of \(text.utf8.count) bytes is longer than \(greatestSize)", remedy: "Save the model again")
    }
    do {
      // What the parameters draw is nobody else's loss: they are about to be filled.
      return try withSeed(0) { try JSONDecoder().decode(LayerDescription.self, from: Data(text.utf8)).described() }
    } catch let error as DecodingError {
      throw ArchitectureError(Architecture.problem(error), remedy: "Save the model again")
    }
  }

  private static func problem(_ error: DecodingError) -> String {
    let context: DecodingError.Context =
      switch error {
      case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
        .dataCorrupted(let context):
        context
      @unknown default: DecodingError.Context(codingPath: [], debugDescription: "it cannot be read")
      }
    let place = context.codingPath.map { $0.intValue.map(String.init) ?? String($0.stringValue.prefix(80)) }
    return "its architecture is wrong at \(place.isEmpty ? "its beginning" : place.joined(separator: ".")): "
      + context.debugDescription.trimmingCharacters(in: .punctuationCharacters)
  }

  /// `value`, which must be an extent.
  static func extent(_ value: Int, _ name: String) throws -> Int {
    guard value > 0, value <= greatestExtent else {
      throw ArchitectureError("\(name) is \(value), not in 1...\(greatestExtent)", remedy: "Save the model again")
    }
    return value
  }

  static func extent(_ value: Int?, _ name: String) throws -> Int? { try value.map { try extent($0, name) } }
}

/// Any layer, on its way into a file or out of it: what configurations of containers hold.
public struct LayerDescription: Codable, Sendable {
  public let layer: any Layer

  public init(_ layer: any Layer) { self.layer = layer }

  func described() throws -> any DescribedLayer {
    if let described = layer as? any DescribedLayer { return described }
    throw ArchitectureError(
      "a layer is a \(type(of: layer)), which no file can hold", remedy: "Make it a DescribedLayer")
  }

  public func encode(to encoder: any Encoder) throws {
    func encode(_ layer: some DescribedLayer) throws {
      let kind = type(of: layer).kind
      // What was described can be made again here.
      if Architecture.type(of: kind) == nil { Architecture.register(type(of: layer)) }
      var container = encoder.container(keyedBy: LayerKind.self)
      try container.encode(layer.configuration, forKey: LayerKind(kind))
    }
    try encode(described())
  }

  public init(from decoder: any Decoder) throws {
    guard decoder.codingPath.count(where: { $0 is LayerKind }) <= Architecture.greatestDepth else {
      throw ArchitectureError(
        "layers stand in each other more than \(Architecture.greatestDepth) deep", remedy: "Save the model again")
    }
    let (kind, member) = try decoder.onlyMember()
    guard let type = Architecture.type(of: kind) else {
      throw ArchitectureError(
        "there is no layer \"\(kind.prefix(80))\"",
        remedy: "If it is your own, call `Architecture.register` with its type first; if not, update Cajal")
    }
    func make<Kind: DescribedLayer>(_: Kind.Type) throws -> any Layer {
      try Kind(configuration: Kind.Configuration(from: member))
    }
    layer = try make(type)
  }
}

/// The key of an object's only member.
struct LayerKind: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }
  init(_ name: String) { stringValue = name }
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension Decoder {
  /// The name of an object's only member, and what decodes it.
  func onlyMember() throws -> (name: String, value: any Decoder) {
    let container = try container(keyedBy: LayerKind.self)
    guard let key = container.allKeys.first, container.allKeys.count == 1 else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: codingPath, debugDescription: "an object of one member is expected"))
    }
    return (key.stringValue, try container.superDecoder(forKey: key))
  }
}

/// The configuration of what has nothing to say.
public struct NoConfiguration: Codable, Sendable {
  public init() {}
}
