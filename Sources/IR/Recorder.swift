import CajalBase

// Recording never fails and never computes: where operands do not fit, the result is an error value. It is
// inlined where it is called: there the operation's type is known, and its rules are called directly.

/// Records one operation and returns its first result.
@discardableResult @inlinable
public func record(_ operation: some Operation) -> Value { Value(recordNode(operation, Operands())) }

@discardableResult @inlinable
public func record(_ operation: some Operation, _ a: Value) -> Value {
  withExtendedLifetime(a) { Value(recordNode(operation, Operands(a))) }
}

@discardableResult @inlinable
public func record(_ operation: some Operation, _ a: Value, _ b: Value) -> Value {
  withExtendedLifetime((a, b)) { Value(recordNode(operation, Operands(a, b))) }
}

@discardableResult @inlinable
public func record(_ operation: some Operation, _ a: Value, _ b: Value, _ c: Value) -> Value {
  withExtendedLifetime((a, b, c)) { Value(recordNode(operation, Operands(a, b, c))) }
}

@discardableResult
public func record(_ operation: some Operation, _ operands: [Value]) -> Value {
  Value(recordNode(operation, operands))
}

/// Records one operation and returns all its results.
public func recordAll(_ operation: some Operation, _ operands: [Value]) -> [Value] {
  let node = recordNode(operation, operands)
  if node.status == .failed { return [Value(node)] }
  return (0..<node.types.count).map { Value(node, $0) }
}

private func recordNode(_ operation: some Operation, _ values: [Value]) -> Node {
  var operands = values.map { Operands.Operand($0) }
  return withExtendedLifetime(values) {
    operands.withUnsafeMutableBufferPointer { recordNode(operation, Operands($0)) }
  }
}

/// Whoever calls this holds the operands.
@inlinable
func recordNode(_ operation: some Operation, _ operands: Operands) -> Node {
  var origin = Node.Origin()
  switch origin.find(operands) {
  case .fits: break
  case .failed(let index): return operands[index].node
  case .mixesDevices: return mixedDevices(operation.name, operands)
  }
  if let target = operation.target { origin.device = target }
  let types: ResultTypes
  do {
    types = try operation.resultTypes(OperandTypes(operands))
  } catch {
    return failedNode(operation.name, operands, error)
  }
  if types.first.checkedByteCount == nil || types.count > 1, let mismatch = tooLarge(types) {
    return failedNode(operation.name, operands, mismatch)
  }
  let node = Node(operation, operands, types: types, origin, traits: Node.Traits(operation))
  if origin.trace == nil { Recording.ofThread._withUnsafeGuaranteedRef { $0.append(node) } }
  return node
}

extension Node.Origin {
  @usableFromInline
  enum Finding {
    case fits
    /// Operand `index` is an error.
    case failed(Int)
    case mixesDevices
  }

  /// Completes this by the operands and the thread's recording. Loads without counting references.
  @usableFromInline
  mutating func find(_ operands: Operands) -> Finding {
    for index in 0..<operands.count {
      let (status, other, inner) = operands.at(index).node._withUnsafeGuaranteedRef { ($0.status, $0.device, $0.trace) }
      if status == .failed { return .failed(index) }
      if let other {
        if let known = device, known != other { return .mixesDevices }
        device = other
      }
      if let inner, inner.depth > (trace?.depth ?? -1) { trace = inner }
    }
    Recording.ofThread._withUnsafeGuaranteedRef { recording in
      scope = recording.differentiation
      path = recording.path
    }
    return .fits
  }
}

@usableFromInline
func tooLarge(_ types: ResultTypes) -> Mismatch? {
  for index in 0..<types.count where types[index].checkedByteCount == nil {
    let type = types[index]
    if type.shape.rank > Shape.maximumRank {
      return .shape(
        "the result would have \(type.shape.rank) axes", remedy: "Tensors have at most \(Shape.maximumRank) axes")
    }
    return Mismatch(
      .memory, "the result \(type) is larger than any memory", remedy: "Check the shapes that were broadcast")
  }
  return nil
}

@usableFromInline
func mixedDevices(_ operation: String, _ operands: Operands) -> Node {
  let names = operands.map { $0.node.device?.name ?? "any" }.joined(separator: ", ")
  return failedNode(
    operation, operands,
    Mismatch(
      .device, "its operands live on different devices (\(names))", remedy: "Move one with `.to(_:)` first"))
}

@usableFromInline
func failedNode(_ operation: String, _ operands: Operands, _ mismatch: Mismatch) -> Node {
  errorNode(
    TensorError(
      mismatch.kind, operation: operation, operands: operands.map(\.type), mismatch.problem,
      remedy: mismatch.remedy, site: CallSite.current(), module: Recording.path?.description))
}

// MARK: Leaves

/// A value that throws `error` when read, and so does everything made from it.
public func errorValue(_ error: TensorError) -> Value { Value(errorNode(error)) }

/// An error value for operands that do not fit, found before there is an operation to record.
public func errorValue(_ operation: String, _ operands: [Value], _ mismatch: Mismatch) -> Value {
  if let failed = operands.first(where: { $0.node.status == .failed }) { return failed }
  return errorValue(
    TensorError(
      mismatch.kind, operation: operation, operands: operands.map(\.type), mismatch.problem, remedy: mismatch.remedy,
      site: CallSite.current(), module: Recording.path?.description))
}

private func errorNode(_ error: TensorError) -> Node {
  if Settings.process.trapsErrors { fatalError("CAJAL_TRAP: \(error)") }
  let node = Node(leaf: ResultTypes(.scalar, .float32), device: nil, payload: .failure(error), status: .failed)
  // One box for all that is made from it: who has read one of them knows.
  node.deferred = DeferredError(error)
  return node
}

/// A value that lies in a device's memory.
public func leafValue(_ type: TensorType, _ stored: StoredValue) -> Value {
  Value(Node(leaf: ResultTypes(type), device: stored.storage.device, payload: .value(stored), status: .ready))
}

/// A number of the host's: an input of plans, never in their keys.
public func scalarValue(_ scalar: Scalar, _ dtype: DType) -> Value {
  Value(Node(leaf: ResultTypes(.scalar, dtype), device: nil, payload: .scalar(scalar), status: .ready))
}

/// An input of a sub-graph being traced.
public func placeholderValue(_ type: TensorType, device: Device, trace: Trace) -> Value {
  Value(
    Node(
      Leaf(), Operands(), types: ResultTypes(type),
      Node.Origin(device: device, scope: Scope.current.differentiation, trace: trace), traits: .leaf))
}

extension Node {
  fileprivate convenience init(leaf types: ResultTypes, device: Device?, payload: Payload, status: Status) {
    self.init(
      Leaf(), Operands(), types: types, Origin(device: device), traits: .leaf, payload: payload, status: status)
  }
}

/// A node without operands whose value comes from outside the graph.
public struct Leaf: Operation {
  public init() {}
  public var name: String { "leaf" }
  public func encode(into key: inout PlanKey) {}
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    throw .shape("a leaf is not applied to operands", remedy: "Make leaves with leafValue")
  }
  public var semantics: Semantics { .leaf }
  public var gradient: GradientRule { .none("a leaf has no operands") }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { [] }
}
