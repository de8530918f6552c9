import CajalBase
import CajalCompiler
import CajalIR
import CajalOperations
import Testing

/// Writes a graph by hand.
struct GraphMaker {
  var graph = Graph()

  mutating func input(_ shape: Shape, _ dtype: DType = .float32) -> Graph.Reference {
    graph.inputs.append(TensorType(shape, dtype))
    return Graph.Reference(input: graph.inputs.count - 1)
  }

  mutating func add(_ operation: any Operation, _ operands: Graph.Reference...) throws -> Graph.Reference {
    try graph.append(operation, operands)
  }

  mutating func apply(_ function: ElementwiseFunction, _ operands: Graph.Reference...) throws -> Graph.Reference {
    try graph.append(Elementwise(function), operands)
  }

  mutating func literal(_ number: Double, _ dtype: DType = .float32) throws -> Graph.Reference {
    try graph.append(Constant(.float(number), dtype), [])
  }
}

/// A graph that `body` writes; it returns the outputs.
func makeGraph(_ body: (inout GraphMaker) throws -> [Graph.Reference]) throws -> Graph {
  var maker = GraphMaker()
  maker.graph.outputs = try body(&maker)
  return maker.graph
}

/// Expects `pass` to turn the graph that prints as `before` into the one that prints as `after`.
func expect(
  _ pass: String, turns graph: Graph, printedAs before: String, into after: String,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let pass = try #require(Pipeline.passes.first { $0.name == pass }, sourceLocation: sourceLocation)
  var work = WorkCount()
  #expect(graph.description == before, sourceLocation: sourceLocation)
  let result = pass.run(graph, &work)
  #expect(result.description == after, sourceLocation: sourceLocation)
  #expect(result.verify() == nil, sourceLocation: sourceLocation)
  #expect(work.visits > 0, sourceLocation: sourceLocation)
}

/// Compiles `graph` as the CPU does, but for views, which are copied.
func compiled(_ graph: Graph, fuses: Bool = true) -> Program {
  var work = WorkCount()
  return compile(graph, LoweringOptions(fuses: fuses) { _ in false }, &work)
}

extension Program {
  /// One line a step: `0: group of 2 (in0, in1) -> out0`, then the outputs, who may write over whom, and the arena.
  var printed: String {
    var lines = steps.enumerated().map { index, step in
      let reads = step.reads.reduce(into: [String]()) { list, buffer in
        if !list.contains(name(buffer)) { list.append(name(buffer)) }
      }
      return
        "\(index): \(step.name) (\(reads.joined(separator: ", "))) -> \(step.writes.map(name).joined(separator: ", "))"
    }
    lines.append(
      "outputs " + outputs.map { name($0.buffer) + ($0.offset > 0 ? "+\($0.offset)" : "") }.joined(separator: ", "))
    for (block, donor) in donations.enumerated() {
      if let donor { lines.append("out\(block) may take over in\(donor)") }
    }
    if arenaByteCount > 0 { lines.append("arena of \(arenaByteCount) bytes") }
    return lines.joined(separator: "\n")
  }

  private func name(_ buffer: Int) -> String {
    switch buffers[buffer].home {
    case .input(let number): "in\(number)"
    case .arena(let offset): "arena+\(offset)"
    case .output(let block): "out\(block)"
    }
  }
}

/// Does something that nobody sees: an operation that is never merged, dropped or moved.
struct Effect: Operation {
  let number: Int
  var isFallible = false

  var name: String { "effect" }
  var hasEffect: Bool { true }
  func encode(into key: inout PlanKey) {}
  func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes { ResultTypes(operands[0]) }
  var semantics: Semantics { .loops { operands, _ in [operands[0]] } }
  var gradient: GradientRule { .none("a test's") }
  func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { operands }
}
