import CajalBase
import CajalIR
import CajalOperations

/// The passes, in order. Each takes a graph to a graph that computes the same bits.
public enum Pipeline {
  public static let passes: [Pass] = [
    Pass("canonicalize", canonicalize),
    Pass("fold", foldConstants),
    Pass("common-subexpressions", mergeCommonSubexpressions),
    Pass("dead-code", removeDeadCode),
    Pass("multiply-add", formMultiplyAdds),
    Pass("dead-code", removeDeadCode),
    Pass("recompute", recomputeCheapValues),
  ]

  /// Runs all passes; in debug builds the verifier stands between them.
  public static func run(_ graph: Graph, _ work: inout WorkCount, verifies: Bool = Settings.process.verifiesGraphs)
    -> Graph
  {
    var graph = graph
    if verifies { check(graph, after: "recording") }
    for pass in passes {
      graph = pass.run(graph, &work)
      if verifies { check(graph, after: pass.name) }
    }
    return graph
  }

  private static func check(_ graph: Graph, after name: String) {
    guard let problem = graph.verify() else { return }
    preconditionFailure("the graph is broken after \(name): \(problem)\n\(graph)")
  }
}

/// One pass.
public struct Pass: Sendable {
  public let name: String
  public let run: @Sendable (Graph, inout WorkCount) -> Graph

  public init(_ name: String, _ run: @escaping @Sendable (Graph, inout WorkCount) -> Graph) {
    self.name = name
    self.run = run
  }
}

/// Instructions and operands that passes looked at: compiling is linear when this is.
public struct WorkCount: Sendable {
  public var visits = 0

  public init() {}

  mutating func visit(_ instruction: Graph.Instruction) { visits += 1 + instruction.operands.count }
}

/// Writes a new graph while reading an old one.
struct Rewriter {
  private(set) var result: Graph
  private var replacements: [[Graph.Reference]]
  let source: Graph

  init(_ source: Graph) {
    self.source = source
    result = Graph(inputs: source.inputs)
    result.instructions.reserveCapacity(source.instructions.count)
    replacements = []
    replacements.reserveCapacity(source.instructions.count)
  }

  /// What stands for `reference` of the old graph.
  func mapped(_ reference: Graph.Reference) -> Graph.Reference {
    reference.position < 0 ? reference : replacements[reference.instruction][Int(reference.result)]
  }

  /// Copies the next instruction of the old graph.
  mutating func keep(_ instruction: Graph.Instruction) {
    var copy = instruction
    copy.operands = instruction.operands.map(mapped)
    emit(copy)
  }

  /// Writes `instruction`, whose operands are of the new graph, for the next one of the old.
  mutating func emit(_ instruction: Graph.Instruction) {
    result.instructions.append(instruction)
    let position = result.instructions.count - 1
    replacements.append((0..<instruction.types.count).map { Graph.Reference(instruction: position, result: $0) })
  }

  /// Writes an instruction that stands for none of the old graph's.
  mutating func add(_ instruction: Graph.Instruction) -> Graph.Reference {
    result.instructions.append(instruction)
    return Graph.Reference(instruction: result.instructions.count - 1)
  }

  /// Lets `reference` of the new graph stand for the next instruction of the old.
  mutating func replace(with reference: Graph.Reference) { replacements.append([reference]) }

  /// Leaves the next instruction of the old graph out: nobody reads it.
  mutating func drop() { replacements.append([]) }

  /// The instruction behind `reference` of the new graph.
  func definition(_ reference: Graph.Reference) -> Graph.Instruction? {
    reference.position < 0 ? nil : result.instructions[reference.instruction]
  }

  /// The literal that `reference` of the new graph shows at every place.
  func literal(_ reference: Graph.Reference) -> Constant? {
    var reference = reference
    while let definition = definition(reference) {
      if let constant = definition.operation as? Constant { return constant }
      guard definition.operation is Broadcast || definition.operation is Reshape else { return nil }
      reference = definition.operands[0]
    }
    return nil
  }

  mutating func finish() -> Graph {
    result.outputs = source.outputs.map(mapped)
    return result
  }
}
