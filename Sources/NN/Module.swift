import CajalBase
import CajalEngine
import CajalIR
import CajalTensor

/// Anything with parameters: a plain struct whose layers and parameters are stored properties.
public protocol Module: Sendable {}

/// A module of one tensor in and one out.
public protocol Layer: Module {
  func callAsFunction(_ input: Tensor) -> Tensor
}

extension Module {
  /// All parameters and buffers by their paths (`layers.0.kernel`), sorted; one that stands in two
  /// places is listed once, under the first.
  public var namedParameters: [(path: String, parameter: Parameter)] {
    var found: [(path: ModulePath, parameter: Parameter)] = []
    var seen = Set<ObjectIdentifier>()
    collect(self, path: nil, &found, &seen)
    let model = "\(type(of: self))"
    for (path, parameter) in found {
      parameter.modulePath = path
      parameter.model = model
    }
    return found.map { ($0.path.description, $0.parameter) }
      .sorted { ParameterKey($0.path) < ParameterKey($1.path) }
  }

  /// The parameters and buffers, in the order of their paths.
  public var parameters: [Parameter] {
    // Listed with their names at least once, so that they know their paths.
    if let found = ParameterLayout.parameters(in: self), found.allSatisfy({ $0.modulePath != nil }) { return found }
    return namedParameters.map(\.parameter)
  }

  /// The parameters that optimizers change.
  public var trainableParameters: [Parameter] { parameters.filter(\.isTrainable) }

  /// How many numbers the model learns: those of parameters whose shapes are known.
  public var parameterCount: Int { trainableParameters.reduce(0) { $0 + ($1.shape?.count ?? 0) } }
}

/// Paths in the order that people count in: `layers.2` before `layers.10`.
struct ParameterKey: Comparable {
  private let parts: [Substring]

  init(_ path: String) { parts = path.split(separator: ".") }

  static func < (left: ParameterKey, right: ParameterKey) -> Bool {
    for (a, b) in zip(left.parts, right.parts) where a != b {
      if let x = Int(a), let y = Int(b) { return x < y }
      return a < b
    }
    return left.parts.count < right.parts.count
  }
}

/// Finds parameters by reflection, through structs, arrays, optionals, dictionaries, tuples and enums.
private func collect(
  _ value: Any, path: ModulePath?, _ found: inout [(path: ModulePath, parameter: Parameter)],
  _ seen: inout Set<ObjectIdentifier>
) {
  if let parameter = value as? Parameter {
    if seen.insert(ObjectIdentifier(parameter)).inserted { found.append((path ?? ModulePath("parameter"), parameter)) }
    return
  }
  let mirror = Mirror(reflecting: value)
  switch mirror.displayStyle {
  case .optional:
    for child in mirror.children { collect(child.value, path: path, &found, &seen) }
  case .dictionary:
    for child in mirror.children {
      let pair = Mirror(reflecting: child.value).children.map(\.value)
      if pair.count == 2 { collect(pair[1], path: ModulePath("\(pair[0])", in: path), &found, &seen) }
    }
  case .struct, .collection, .tuple, .enum:
    if value is Tensor || value is Shape || value is String { return }
    for (index, child) in mirror.children.enumerated() {
      // Arrays of numbers have no parameters, however long they are.
      if mirror.displayStyle == .collection, index == 0, child.value is any TensorScalar { return }
      collect(child.value, path: ModulePath(child.label ?? "\(index)", in: path), &found, &seen)
    }
  default: return
  }
}
