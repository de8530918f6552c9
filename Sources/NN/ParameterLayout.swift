import CajalBase
import CajalTensor
@_spi(Reflection) import Swift

/// Where values of a type hold parameters. Worked out once a type, so that listing a model's parameters, which
/// every step does, costs some loads; a mirror takes microseconds a layer.
final class ParameterLayout: Sendable {
  private enum Kind: @unchecked Sendable {
    case nothing
    case parameter
    /// Stored properties that may hold parameters, in the order of their names.
    case fields([(offset: Int, layout: ParameterLayout)])
    case container(any ParameterContainer.Type)
    /// A value whose type only it knows.
    case existential(Any.Type)
    /// Only a mirror can tell.
    case unknown
  }

  private let kind: Kind

  private init(_ kind: Kind) { self.kind = kind }

  /// The parameters in `module` in the order of their paths, each once; `nil` where only a mirror can tell.
  static func parameters(in module: some Module) -> [Parameter]? {
    var found: [Parameter] = []
    let isComplete = collect(in: module, &found)
    guard isComplete else { return nil }
    var seen = Set<ObjectIdentifier>(minimumCapacity: found.count)
    found.removeAll { !seen.insert(ObjectIdentifier($0)).inserted }
    return found
  }

  private static func collect(in module: some Module, _ found: inout [Parameter]) -> Bool {
    withUnsafePointer(to: module) { of(type(of: module)).collect(at: $0, &found) }
  }

  /// Collects from the value at `address`; false where only a mirror can tell.
  fileprivate func collect(at address: UnsafeRawPointer, _ found: inout [Parameter]) -> Bool {
    switch kind {
    case .nothing: return true
    case .parameter:
      found.append(address.load(as: Parameter.self))
      return true
    case .fields(let fields):
      for (offset, layout) in fields where !layout.collect(at: address + offset, &found) { return false }
      return true
    case .container(let type): return type.collect(at: address, &found)
    case .existential(let type):
      func load<Static>(_: Static.Type) -> (any Module)? {
        address.assumingMemoryBound(to: Static.self).pointee as? any Module
      }
      guard let module = _openExistential(type, do: load) else { return false }
      return ParameterLayout.collect(in: module, &found)
    case .unknown: return false
    }
  }

  // MARK: Working it out

  private static let known = Locked<[ObjectIdentifier: ParameterLayout]>([:])
  private static let nothing = ParameterLayout(.nothing)

  fileprivate static func of(_ type: Any.Type) -> ParameterLayout {
    if let layout = known.withLock({ $0[ObjectIdentifier(type)] }) { return layout }
    let layout = make(type)
    known.withLock { $0[ObjectIdentifier(type)] = layout }
    return layout
  }

  private static func make(_ type: Any.Type) -> ParameterLayout {
    if type == Parameter.self { return ParameterLayout(.parameter) }
    if holdsNothing(type) { return nothing }
    if let container = type as? any ParameterContainer.Type {
      // Not its whole layout: a type may hold an array of itself.
      return holdsNothing(container.element) ? nothing : ParameterLayout(.container(container))
    }
    switch kind(of: type) {
    case .struct, .tuple: return ofFields(type)
    case .existential: return ParameterLayout(.existential(type))
    case .enum, .optional: return ParameterLayout(.unknown)
    // A model is made of values: what other objects hold is theirs.
    default: return nothing
    }
  }

  /// Reflection tells what kinds of types a type's fields have.
  private static func kind(of type: Any.Type) -> _MetadataKind {
    struct Field<Static> { var value: Static }
    func field<Static>(_: Static.Type) -> Any.Type { Field<Static>.self }
    var found = _MetadataKind.unknown
    _forEachField(of: _openExistential(type, do: field)) { _, _, _, kind in
      found = kind
      return true
    }
    return found
  }

  /// Numbers and the like, which refer to nothing, and values that are no parts of a model.
  private static func holdsNothing(_ type: Any.Type) -> Bool {
    func isPlain<Static>(_: Static.Type) -> Bool { _isPOD(Static.self) }
    return _openExistential(type, do: isPlain) || type == Tensor.self || type == String.self
  }

  private static func ofFields(_ type: Any.Type) -> ParameterLayout {
    var fields: [(name: String, offset: Int, layout: ParameterLayout)] = []
    let isComplete = _forEachField(of: type) { name, offset, type, _ in
      let layout = of(type)
      if layout !== nothing { fields.append((String(cString: name), offset, layout)) }
      return true
    }
    // A weak reference is not what its type says, and a custom mirror, as a dictionary has, shows what it likes.
    func isOrdinary<Static>(_: Static.Type) -> Bool { _isBitwiseTakable(Static.self) }
    guard isComplete, _openExistential(type, do: isOrdinary), !(type is any CustomReflectable.Type) else {
      return ParameterLayout(.unknown)
    }
    if fields.isEmpty { return nothing }
    fields.sort { ParameterKey($0.name) < ParameterKey($1.name) }
    return ParameterLayout(.fields(fields.map { ($0.offset, $0.layout) }))
  }
}

/// What holds values of one type, none or many: in the order of their paths.
protocol ParameterContainer {
  static var element: Any.Type { get }
  static func collect(at address: UnsafeRawPointer, _ found: inout [Parameter]) -> Bool
}

extension Array: ParameterContainer {
  static var element: Any.Type { Element.self }

  static func collect(at address: UnsafeRawPointer, _ found: inout [Parameter]) -> Bool {
    let layout = ParameterLayout.of(Element.self)
    return address.assumingMemoryBound(to: Self.self).pointee.withUnsafeBufferPointer { elements in
      guard var element = UnsafeRawPointer(elements.baseAddress) else { return true }
      for _ in elements.indices {
        guard layout.collect(at: element, &found) else { return false }
        element += MemoryLayout<Element>.stride
      }
      return true
    }
  }
}

extension Optional: ParameterContainer {
  static var element: Any.Type { Wrapped.self }

  static func collect(at address: UnsafeRawPointer, _ found: inout [Parameter]) -> Bool {
    guard let value = address.assumingMemoryBound(to: Self.self).pointee else { return true }
    return withUnsafePointer(to: value) { ParameterLayout.of(Wrapped.self).collect(at: $0, &found) }
  }
}
