import CajalBase
import Synchronization

// From recorded nodes to graphs and back: how sub-graphs are made and unfolded.

/// The recording of a sub-graph's body: nodes that depend on its placeholders belong to it.
public struct Trace: Hashable, Sendable {
  private let id: UInt32
  public let depth: Int32

  private static let ids = Atomic<UInt32>(0)

  public init(depth: Int) {
    id = Trace.ids.wrappingAdd(1, ordering: .relaxed).newValue
    self.depth = Int32(depth)
  }
}

extension Graph {
  /// The graph that computes `outputs` from `placeholders`, and the values from outside the trace
  /// that it reads: inputs behind the placeholders. What does not depend on the placeholders
  /// stays outside, so nothing that is the same for every position is computed more than once.
  public static func capture(_ outputs: [Value], placeholders: [Value], trace: Trace) -> (
    graph: Graph, captures: [Value]
  ) {
    graphLock.withLock { _ in
      var tracer = Tracer(trace: trace, placeholders: placeholders)
      for output in outputs { tracer.visit(output.node) }
      tracer.graph.outputs = outputs.map { tracer.reference($0) }
      tracer.graph.inputs = (placeholders + tracer.captures).map(\.type)
      return (tracer.graph.flattened(isDifferentiable: true), tracer.captures)
    }
  }

  /// The graph that computes `outputs` from `placeholders` by pending nodes of serials greater than `serial`, and
  /// the other values that it reads: inputs behind the placeholders. `nil` where one of the younger nodes is
  /// evaluated, or runs on its own.
  public static func capture(_ outputs: [Value], of placeholders: [Value], after serial: UInt64 = 0) -> (
    graph: Graph, captures: [Value]
  )? {
    graphLock.withLock { _ in
      var tracer = Tracer(after: serial, placeholders: placeholders)
      for output in outputs { tracer.visit(output.node) }
      tracer.graph.outputs = outputs.map { tracer.reference($0) }
      tracer.graph.inputs = (placeholders + tracer.captures).map(\.type)
      let isComplete = tracer.captures.allSatisfy { $0.node.serial <= serial || $0.node.traits.contains(.leaf) }
      guard isComplete, !tracer.runsAlone else { return nil }
      return (tracer.graph.flattened(isDifferentiable: true), tracer.captures)
    }
  }

  /// This graph with decompositions taken apart. What several have in common is there once, as if it had been
  /// recorded so: a function's gradient repeats parts of the function.
  ///
  /// - Parameter isDifferentiable: whether what matters to gradients alone has to stay.
  public func flattened(isDifferentiable: Bool) -> Graph {
    guard instructions.contains(where: { $0.decomposition != nil }) else { return self }
    var flat = Graph(inputs: inputs)
    var results: [[Reference]] = []
    var parts: [PlanKey: Int] = [:]
    func mapped(_ reference: Reference) -> Reference {
      reference.input == nil ? results[reference.instruction][Int(reference.result)] : reference
    }
    for instruction in instructions {
      let operands = instruction.operands.map(mapped)
      if let body = instruction.decomposition {
        results.append(flat.append(body, operands, path: instruction.path, isDifferentiable, &parts))
      } else {
        flat.instructions.append(
          Instruction(instruction.operation, operands, types: instruction.types, path: instruction.path))
        let position = flat.instructions.count - 1
        results.append((0..<instruction.types.count).map { Reference(instruction: position, result: $0) })
      }
    }
    flat.outputs = outputs.map(mapped)
    return flat
  }

  /// Appends the instructions of `body` on `operands`, but for those among `parts`.
  private mutating func append(
    _ body: Graph, _ operands: [Reference], path: ModulePath?, _ isDifferentiable: Bool, _ parts: inout [PlanKey: Int]
  ) -> [Reference] {
    // Of each instruction its first result, or what that is the same as.
    var results: [Reference] = []
    func mapped(_ reference: Reference) -> Reference {
      if let input = reference.input { return operands[input] }
      let first = results[reference.instruction]
      return reference.result == 0 ? first : Reference(instruction: first.instruction, result: Int(reference.result))
    }
    for instruction in body.instructions {
      let operation = instruction.operation
      let operands = instruction.operands.map(mapped)
      if !isDifferentiable, case .identity = operation.semantics {
        results.append(operands[0])
        continue
      }
      var key = PlanKey()
      key.write(operation)
      for operand in operands { key.write(operand.word) }
      let known = operation.hasEffect ? nil : parts[key]
      if known == nil {
        instructions.append(
          Instruction(operation, operands, types: instruction.types, path: path ?? instruction.path))
      }
      let position = known ?? instructions.count - 1
      parts[key] = position
      results.append(Reference(instruction: position, result: 0))
    }
    return body.outputs.map(mapped)
  }

  /// Records this graph's instructions on `inputs`.
  public func inline(_ inputs: [Value]) -> [Value] {
    var results: [[Value]] = []
    func value(_ reference: Reference) -> Value {
      if let input = reference.input { return inputs[input] }
      let values = results[reference.instruction]
      return values[min(Int(reference.result), values.count - 1)]
    }
    for instruction in instructions {
      results.append(recordAll(instruction.operation, instruction.operands.map(value)))
    }
    return outputs.map(value)
  }
}

extension Graph.Instruction {
  /// What stands for it.
  fileprivate var decomposition: Graph? {
    guard case .decomposition = operation.semantics else { return nil }
    return operation.subgraphs.first
  }
}

/// The walk of ``Graph/capture(_:placeholders:trace:)`` and its kin, iterative, under graphLock.
private struct Tracer {
  /// Whose nodes belong to the graph; if `nil`, those that are pending and younger than ``serial``.
  private let trace: Trace?
  private let serial: UInt64
  private(set) var captures: [Value] = []
  /// Whether a node is no part of a graph.
  private(set) var runsAlone = false
  var graph = Graph()
  private var inputs: [Value: Int] = [:]
  private var positions: [ObjectIdentifier: Int] = [:]
  private let given: Set<ObjectIdentifier>
  private let placeholderCount: Int

  init(trace: Trace, placeholders: [Value]) { self.init(trace, 0, placeholders) }
  init(after serial: UInt64, placeholders: [Value]) { self.init(nil, serial, placeholders) }

  private init(_ trace: Trace?, _ serial: UInt64, _ placeholders: [Value]) {
    self.trace = trace
    self.serial = serial
    placeholderCount = placeholders.count
    given = Set(placeholders.map { ObjectIdentifier($0.node) })
    for (index, placeholder) in placeholders.enumerated() { inputs[placeholder] = index }
  }

  private func belongs(_ node: Node) -> Bool {
    if node.traits.contains(.leaf) || given.contains(ObjectIdentifier(node)) { return false }
    if let trace { return node.trace == trace }
    return node.status == .pending && node.serial > serial
  }

  mutating func visit(_ root: Node) {
    var stack: [(node: Node, isExpanded: Bool)] = [(root, false)]
    while let (node, isExpanded) = stack.popLast() {
      guard positions[ObjectIdentifier(node)] == nil, belongs(node) else { continue }
      if isExpanded {
        emit(node)
      } else {
        stack.append((node, true))
        for operand in node.operands.reversed() { stack.append((operand.node, false)) }
      }
    }
  }

  private mutating func emit(_ node: Node) {
    let operands = node.operands.map { reference($0) }
    runsAlone = runsAlone || node.traits.contains(.transfer) || node.traits.contains(.effect)
    graph.instructions.append(Graph.Instruction(node.operation, operands, types: node.types, path: node.path))
    positions[ObjectIdentifier(node)] = graph.instructions.count - 1
  }

  mutating func reference(_ value: Value) -> Graph.Reference {
    if let position = positions[ObjectIdentifier(value.node)] {
      return Graph.Reference(instruction: position, result: value.index)
    }
    if let input = inputs[value] { return Graph.Reference(input: input) }
    captures.append(value)
    inputs[value] = placeholderCount + captures.count - 1
    return Graph.Reference(input: placeholderCount + captures.count - 1)
  }
}
