import CajalBase
import CajalIR
import CajalOperations

/// A graph made from recorded values, for a backend to run without the engine: placeholders are
/// its first inputs, numbers of the host that were recorded on the way (starts of slices) the rest.
struct Recorded {
  private(set) var graph: Graph
  private(set) var scalars: [UInt64] = []

  /// - Throws: the error of a value that failed.
  init(_ outputs: [Value], inputs: [Value]) throws(TensorError) {
    for value in outputs + inputs { if let error = value.failure { throw error } }
    graph = Graph(inputs: inputs.map(\.type))
    var references = Dictionary(uniqueKeysWithValues: inputs.enumerated().map { ($1, Graph.Reference(input: $0)) })
    var graph = self.graph
    var scalars: [UInt64] = []
    let problem = graphLock.withLock { _ -> String? in
      var stack = outputs.reversed().map { (node: $0.node, isExpanded: false) }
      var done = Set(inputs.map { ObjectIdentifier($0.node) })
      while let (node, isExpanded) = stack.popLast() {
        guard !done.contains(ObjectIdentifier(node)) else { continue }
        if case .scalar(let scalar) = node.payload {
          references[Value(node)] = Graph.Reference(input: graph.inputs.count)
          graph.inputs.append(node.types.first)
          scalars.append(scalar.bits(as: node.types.first.dtype))
          done.insert(ObjectIdentifier(node))
        } else if node.operation is Leaf {
          return "a leaf of \(node.types.first) is no input"
        } else if isExpanded {
          graph.instructions.append(
            Graph.Instruction(node.operation, node.operands.compactMap { references[$0] }, types: node.types))
          for result in 0..<node.types.count {
            references[Value(node, result)] = Graph.Reference(instruction: graph.instructions.count - 1, result: result)
          }
          done.insert(ObjectIdentifier(node))
        } else {
          stack.append((node, true))
          for operand in node.operands.reversed() { stack.append((operand.node, false)) }
        }
      }
      graph.outputs = outputs.compactMap { references[$0] }
      return nil
    }
    if let problem { throw TensorError(.backend, operation: "test", problem, remedy: "Pass it as an input") }
    self.graph = graph.flattened(isDifferentiable: false)
    self.scalars = scalars
  }
}

extension Recorded {
  /// Puts aliases where the graph crosses devices.
  mutating func replaceTransfers() {
    for position in graph.instructions.indices where graph.instructions[position].operation is Transfer {
      graph.instructions[position].operation = Alias()
    }
  }
}

extension Sample {
  func graph() throws(TensorError) -> Recorded {
    let (inputs, outputs) = recorded()
    return try Recorded(outputs, inputs: inputs)
  }
}
