import CajalTensor

/// A function applied to every element, or along the last axis: what makes layers more than one matrix.
///
/// The functions of this list have a name and parameters, by which a model's file says which one it means. One of
/// your own has none: a model that uses it saves its weights alone.
public struct Activation: Layer {
  typealias Function = @Sendable (_ input: Tensor, _ parameters: [Double]) -> Tensor

  /// `nil` for a function of your own.
  public let name: String?
  let parameterNames: [String]
  let values: [Double]
  private let function: Function
  /// Whether about half of its outputs are 0: what initialisers want to know.
  let isRectifying: Bool

  /// A function of your own.
  public init(_ function: @escaping @Sendable (Tensor) -> Tensor) {
    self.init(nil, [], [], isRectifying: false) { input, _ in function(input) }
  }

  private init(
    _ name: String?, _ parameterNames: [String], _ values: [Double], isRectifying: Bool,
    _ function: @escaping Function
  ) {
    self.name = name
    self.parameterNames = parameterNames
    self.values = values
    self.isRectifying = isRectifying
    self.function = function
  }

  private init(
    _ name: String, _ parameters: KeyValuePairs<String, Double> = [:], isRectifying: Bool = false,
    _ function: @escaping Function
  ) {
    self.init(name, parameters.map(\.key), parameters.map(\.value), isRectifying: isRectifying, function)
  }

  public func callAsFunction(_ input: Tensor) -> Tensor { function(input, values) }

  /// What the function's form depends on, by name: the slope of a leaky relu.
  public var parameters: [String: Double] { Dictionary(uniqueKeysWithValues: zip(parameterNames, values)) }

  /// The same function with other parameters, in the order of their names here.
  func with(_ values: Double...) -> Activation { with(values) }
  func with(_ values: [Double]) -> Activation {
    Activation(name, parameterNames, values, isRectifying: isRectifying, function)
  }

  // MARK: The list

  public static let identity = Activation("identity") { x, _ in x }
  public static let relu = Activation("relu", isRectifying: true) { x, _ in x.relu() }
  public static let relu6 = Activation("relu6", isRectifying: true) { x, _ in x.relu6() }
  /// With a slope of 0.01.
  public static let leakyRelu = Activation("leakyRelu", ["slope": 0.01], isRectifying: true) { x, p in
    x.leakyRelu(slope: p[0])
  }
  public static func leakyRelu(slope: Double) -> Activation { leakyRelu.with(slope) }
  public static let elu = Activation("elu", ["alpha": 1], isRectifying: true) { x, p in x.elu(alpha: p[0]) }
  public static func elu(alpha: Double) -> Activation { elu.with(alpha) }
  public static let celu = Activation("celu", ["alpha": 1], isRectifying: true) { x, p in x.celu(alpha: p[0]) }
  public static func celu(alpha: Double) -> Activation { celu.with(alpha) }
  public static let selu = Activation("selu") { x, _ in x.selu() }
  public static let gelu = Activation("gelu", isRectifying: true) { x, _ in x.gelu() }
  /// Its approximation by tanh, which GPT-2 and BERT use.
  public static let geluTanh = Activation("geluTanh", isRectifying: true) { x, _ in x.gelu(approximate: true) }
  public static let silu = Activation("silu", isRectifying: true) { x, _ in x.silu() }
  public static let mish = Activation("mish", isRectifying: true) { x, _ in x.mish() }
  public static let sigmoid = Activation("sigmoid") { x, _ in x.sigmoid() }
  public static let logSigmoid = Activation("logSigmoid") { x, _ in x.logSigmoid() }
  public static let tanh = Activation("tanh") { x, _ in x.tanh() }
  public static let softplus = Activation("softplus") { x, _ in x.softplus() }
  public static let softsign = Activation("softsign") { x, _ in x.softsign() }
  public static let tanhShrink = Activation("tanhShrink") { x, _ in x.tanhShrink() }
  public static let softShrink = Activation("softShrink", ["lambda": 0.5]) { x, p in x.softShrink(lambda: p[0]) }
  public static func softShrink(lambda: Double) -> Activation { softShrink.with(lambda) }
  public static let hardShrink = Activation("hardShrink", ["lambda": 0.5]) { x, p in x.hardShrink(lambda: p[0]) }
  public static func hardShrink(lambda: Double) -> Activation { hardShrink.with(lambda) }
  public static let hardSigmoid = Activation("hardSigmoid") { x, _ in x.hardSigmoid() }
  public static let hardTanh = Activation("hardTanh") { x, _ in x.hardTanh() }
  public static let hardSwish = Activation("hardSwish", isRectifying: true) { x, _ in x.hardSwish() }
  /// 1 where positive, 0 elsewhere: the first artificial neurons (McCulloch and Pitts 1943). Has no gradient.
  public static let step = Activation("step", ["threshold": 0]) { x, p in x.step(threshold: p[0]) }
  /// 1 above `threshold`, 0 elsewhere.
  public static func step(threshold: Double) -> Activation { step.with(threshold) }
  public static let softmax = Activation("softmax") { x, _ in x.softmax() }
  public static let logSoftmax = Activation("logSoftmax") { x, _ in x.logSoftmax() }
  /// Half of the last axis, each element times the sigmoid of its partner in the other half.
  public static let glu = Activation("glu") { x, _ in x.glu() }
  /// The greatest of each `pieces` neighbours along the last axis, which gets as many times shorter.
  public static func maxout(pieces: Int) -> Activation { maxout.with(Double(pieces)) }
  private static let maxout = Activation("maxout", ["pieces": 2]) { x, p in
    x.maxout(pieces: Int(exactly: p[0]) ?? 0)
  }

  private static let named: [String: Activation] = Dictionary(
    uniqueKeysWithValues: [
      identity, relu, relu6, leakyRelu, elu, celu, selu, gelu, geluTanh, silu, mish, sigmoid, logSigmoid, tanh,
      softplus, softsign, tanhShrink, softShrink, hardShrink, hardSigmoid, hardTanh, hardSwish, step, softmax,
      logSoftmax, glu, maxout,
    ].compactMap { activation in activation.name.map { ($0, activation) } })

  /// The functions that have a name, sorted.
  public static var names: [String] { named.keys.sorted() }

  /// The function of that name, with parameters as they usually are; `nil` where there is none.
  public init?(named name: String) {
    guard let activation = Activation.named[name] else { return nil }
    self = activation
  }
}

// MARK: In files

/// Its name; one with parameters as `{"leakyRelu": {"slope": 0.2}}`.
extension Activation: DescribedLayer, Codable {
  public static var kind: String { "activation" }
  public var configuration: Activation { self }
  public init(configuration: Activation) { self = configuration }

  public init(from decoder: any Decoder) throws {
    if let name = try? decoder.singleValueContainer().decode(String.self) {
      self = try Activation.known(name)
      return
    }
    let (name, member) = try decoder.onlyMember()
    let parameters = try [String: Double](from: member)
    let known = try Activation.known(name)
    guard Set(parameters.keys) == Set(known.parameterNames) else {
      throw ArchitectureError(
        "activation \(name) takes \(known.parameterNames), not \(parameters.keys.sorted())",
        remedy: "Save the model again")
    }
    self = known.with(known.parameterNames.compactMap { parameters[$0] })
  }

  private static func known(_ name: String) throws -> Activation {
    if let activation = Activation(named: name) { return activation }
    throw ArchitectureError(
      "there is no activation \"\(name.prefix(80))\"", remedy: "Use one of \(names.joined(separator: ", "))")
  }

  public func encode(to encoder: any Encoder) throws {
    guard let name else {
      throw ArchitectureError(
        "an activation is a function of your own, which no file holds",
        remedy: "Use a named one, or make it a layer that is a DescribedLayer")
    }
    if values.isEmpty {
      var container = encoder.singleValueContainer()
      try container.encode(name)
    } else {
      var container = encoder.container(keyedBy: LayerKind.self)
      try container.encode(parameters, forKey: LayerKind(name))
    }
  }
}
