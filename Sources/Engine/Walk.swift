import CajalBase
import CajalIR
import CajalOperations

/// One walk over a recorded graph, from targets to leaves: the order to run it in, the plan's key,
/// and which values stay. Iterative, under graphLock throughout.
struct Walk {
  /// Pending nodes, operands first.
  private(set) var order = ContiguousArray<Node>()
  /// Values from outside, in the order of first visit.
  private(set) var leaves = ContiguousArray<Value>()
  /// How often nodes of this walk that let go of their operands refer to each leaf's node.
  private(set) var leafReferences: [Int32] = []
  /// Nodes whose values stay: targets, and whatever something outside the graph refers to.
  private(set) var kept = ContiguousArray<Node>()
  private(set) var key = PlanKey()
  private(set) var device: Device?
  /// Transfers that stand between this graph and another device's.
  private(set) var transfers: [Node] = []
  /// A placeholder: the graph lies inside the body of a scan.
  private(set) var isSymbolic = false
  /// Whether an open differentiation scope keeps operands of these nodes.
  private(set) var hasOpenScope = false
  private let epoch: UInt64

  nonisolated(unsafe) private static var epochs: UInt64 = 0

  /// Under graphLock.
  init(_ targets: [Node], fallback: Device) {
    Walk.epochs += 1
    epoch = Walk.epochs
    key.reserve(1024)
    for target in targets { visit(target) }
    guard transfers.isEmpty, !isSymbolic else { return }
    let targetIDs = Set(targets.map { ObjectIdentifier($0) })
    for node in order {
      let outside = node.references.load(ordering: .acquiring) - Int(node.walkReferences)
      if outside > 0 || targetIDs.contains(ObjectIdentifier(node)) {
        key.write(Int(node.walkIndex))
        kept.append(node)
      }
    }
    leafReferences = leaves.map { $0.node.walkReferences }
    key.write(UInt64((device ?? fallback).id))
  }

  private mutating func visit(_ root: Node) {
    var stack: [(node: Node, next: Int)] = []
    enter(root, &stack)
    while let top = stack.last {
      if top.next < top.node.operands.count {
        stack[stack.count - 1].next += 1
        enter(top.node.operands[top.next].node, &stack)
      } else {
        stack.removeLast()
        emit(top.node)
      }
    }
  }

  private mutating func enter(_ node: Node, _ stack: inout [(node: Node, next: Int)]) {
    guard node.walk != epoch else { return }
    node.walk = epoch
    node.walkReferences = 0
    if let own = node.device { device = device ?? own }
    if node.status == .pending {
      if node.operation is Leaf {
        isSymbolic = true
      } else if node.operation is Transfer {
        transfers.append(node)
      } else {
        stack.append((node, 0))
        return
      }
    }
    // The low bit tells leaves from instructions.
    node.walkIndex = Int32(leaves.count) << 1 | 1
    for index in 0..<node.types.count {
      leaves.append(Value(node, index))
      key.write(node.types[index])
    }
  }

  private mutating func emit(_ node: Node) {
    node.walkIndex = Int32(order.count) << 1
    order.append(node)
    key.write(node.operation)
    let keepsOperands = node.isInOpenScope
    hasOpenScope = hasOpenScope || keepsOperands
    for operand in node.operands {
      key.write(UInt64(UInt32(bitPattern: operand.node.walkIndex)) << 32 | UInt64(operand.index))
      if !keepsOperands { operand.node.walkReferences += 1 }
    }
  }

  /// The graph, for the compiler. Under graphLock, before any other walk.
  func makeGraph() -> Graph {
    var graph = Graph(inputs: leaves.map(\.type))
    graph.instructions.reserveCapacity(order.count)
    for node in order {
      graph.instructions.append(
        Graph.Instruction(node.operation, node.operands.map(reference), types: node.types, path: node.path))
    }
    graph.outputs = kept.flatMap { node in (0..<node.types.count).map { reference(Value(node, $0)) } }
    return graph
  }

  private func reference(_ value: Value) -> Graph.Reference {
    let index = Int(value.node.walkIndex >> 1)
    if value.node.walkIndex & 1 == 1 { return Graph.Reference(input: index + value.index) }
    return Graph.Reference(instruction: index, result: value.index)
  }
}
