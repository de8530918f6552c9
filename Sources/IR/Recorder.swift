import CajalBase

/// Records one operation and returns its first result: an error value where operands do
/// not fit. Never fails, never computes.
@discardableResult
public func record(_ operation: some Operation, _ operands: [Value]) -> Value {
  Value(recordNode(operation, operands))
}

/// Records one operation and returns all its results.
public func recordAll(_ operation: some Operation, _ operands: [Value]) -> [Value] {
  let node = recordNode(operation, operands)
  if node.failure != nil { return [Value](repeating: Value(node), count: 1) }
  return (0..<node.types.count).map { Value(node, $0) }
}

func recordNode(_ operation: any Operation, _ operands: [Value]) -> Node {
  let scope = Scope.current
  var device: Device?
  var trace: Trace?
  for operand in operands {
    let node = operand.node
    if node.status == .failed { return node }
    if let other = node.device {
      if let known = device, known != other { return mixedDevices(operation, operands) }
      device = other
    }
    if let other = node.trace, other.depth > (trace?.depth ?? -1) { trace = other }
  }
  let types: ResultTypes
  do {
    types = try operation.resultTypes(OperandTypes(operands))
  } catch {
    return failedNode(operation, operands, error)
  }
  if let mismatch = tooLarge(types) { return failedNode(operation, operands, mismatch) }
  let node = Node(
    operation, operands, types: types, device: operation.target ?? device, scope: scope.differentiation, trace: trace,
    path: scope.path)
  if trace == nil { PendingNodes.ofThread.append(node) }
  return node
}

private func tooLarge(_ types: ResultTypes) -> Mismatch? {
  for index in 0..<types.count {
    let type = types[index]
    if type.shape.rank > Shape.maximumRank {
      return .shape(
        "the result would have \(type.shape.rank) axes", remedy: "Tensors have at most \(Shape.maximumRank) axes")
    }
    if type.checkedByteCount == nil {
      return Mismatch(
        .memory, "the result \(type) is larger than any memory", remedy: "Check the shapes that were broadcast")
    }
  }
  return nil
}

private func mixedDevices(_ operation: any Operation, _ operands: [Value]) -> Node {
  let names = operands.map { $0.node.device?.name ?? "any" }.joined(separator: ", ")
  return failedNode(
    operation, operands,
    Mismatch(
      .device, "its operands live on different devices (\(names))", remedy: "Move one with `.to(_:)` first"))
}

private func failedNode(_ operation: any Operation, _ operands: [Value], _ mismatch: Mismatch) -> Node {
  errorNode(
    TensorError(
      mismatch.kind, operation: operation.name, operands: operands.map(\.type), mismatch.problem,
      remedy: mismatch.remedy, site: CallSite.current(), module: Scope.current.path?.description))
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
      site: CallSite.current(), module: Scope.current.path?.description))
}

private func errorNode(_ error: TensorError) -> Node {
  if Settings.process.trapsErrors { fatalError("CAJAL_TRAP: \(error)") }
  let node = Node(
    Leaf(), [], types: ResultTypes(.scalar, .float32), device: nil, scope: nil, trace: nil, path: nil,
    payload: .failure(error), status: .failed)
  // One box for all that is made from it: who has read one of them knows.
  node.deferred = DeferredError(error)
  return node
}

/// A value that lies in a device's memory.
public func leafValue(_ type: TensorType, _ stored: StoredValue) -> Value {
  Value(
    Node(
      Leaf(), [], types: ResultTypes(type), device: stored.storage.device, scope: nil, trace: nil, path: nil,
      payload: .values([stored]), status: .ready))
}

/// A number of the host's: an input of plans, never in their keys.
public func scalarValue(_ scalar: Scalar, _ dtype: DType) -> Value {
  Value(
    Node(
      Leaf(), [], types: ResultTypes(.scalar, dtype), device: nil, scope: nil, trace: nil, path: nil,
      payload: .scalar(scalar), status: .ready))
}

/// An input of a sub-graph being traced.
public func placeholderValue(_ type: TensorType, device: Device, trace: Trace) -> Value {
  Value(
    Node(
      Leaf(), [], types: ResultTypes(type), device: device, scope: Scope.current.differentiation, trace: trace,
      path: nil))
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
