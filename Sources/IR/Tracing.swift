import CajalBase

// From recorded nodes to graphs and back: how sub-graphs are made and unfolded.

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
      return (tracer.graph, tracer.captures)
    }
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

/// The walk of ``Graph/capture(_:placeholders:trace:)``, iterative, under graphLock.
private struct Tracer {
  let trace: Trace
  var graph = Graph()
  var captures: [Value] = []
  private var inputs: [Value: Int] = [:]
  private var positions: [ObjectIdentifier: Int] = [:]
  private let placeholderCount: Int

  init(trace: Trace, placeholders: [Value]) {
    self.trace = trace
    placeholderCount = placeholders.count
    for (index, placeholder) in placeholders.enumerated() { inputs[placeholder] = index }
  }

  mutating func visit(_ root: Node) {
    var stack: [(node: Node, isExpanded: Bool)] = [(root, false)]
    while let (node, isExpanded) = stack.popLast() {
      guard node.trace === trace, positions[ObjectIdentifier(node)] == nil, !(node.operation is Leaf) else { continue }
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
