import CajalBase
import CajalIR

/// One walk over recorded graphs, from targets to leaves: the order to run them in, the plan's key,
/// and which values stay. Iterative. There is one of it, used again and again, and everything about it
/// is under graphLock: so a walk allocates nothing, and counts no references to the nodes that it passes,
/// which their targets hold.
final class Walk {
  nonisolated(unsafe) private static let shared = Walk()

  typealias Reference = Unmanaged<Node>

  /// Pending nodes, operands first.
  @exclusivity(unchecked) private(set) var order = ContiguousArray<Reference>()
  /// Nodes from outside, in the order of first visit, each with the number of its first result among the inputs.
  @exclusivity(unchecked) private(set) var leaves = ContiguousArray<(node: Reference, input: Int32)>()
  @exclusivity(unchecked) private(set) var inputCount: Int32 = 0
  /// Nodes whose values stay: targets, and whatever something outside the graph refers to.
  @exclusivity(unchecked) private(set) var kept = ContiguousArray<Reference>()
  @exclusivity(unchecked) private(set) var key = PlanKey()
  @exclusivity(unchecked) private(set) var device: Device?
  /// Transfers that stand between this graph and another device's.
  @exclusivity(unchecked) private(set) var transfers = ContiguousArray<Reference>()
  /// A placeholder: the graph lies inside the body of a scan.
  @exclusivity(unchecked) private(set) var isSymbolic = false
  /// Whether an open differentiation scope keeps operands of these nodes.
  @exclusivity(unchecked) private(set) var hasOpenScope = false
  @exclusivity(unchecked) private var targets = ContiguousArray<Reference>()
  @exclusivity(unchecked) private var stack = ContiguousArray<(node: Reference, next: Int)>()
  @exclusivity(unchecked) private var epoch: UInt64 = 0

  /// A walk over nothing yet. Under graphLock, until the next one begins.
  static func begin() -> Walk {
    let walk = shared
    walk.epoch = Node.nextEpoch()
    walk.order.removeAll(keepingCapacity: true)
    walk.leaves.removeAll(keepingCapacity: true)
    walk.inputCount = 0
    walk.kept.removeAll(keepingCapacity: true)
    walk.key.removeAll()
    walk.device = nil
    walk.transfers.removeAll(keepingCapacity: true)
    walk.isSymbolic = false
    walk.hasOpenScope = false
    walk.targets.removeAll(keepingCapacity: true)
    return walk
  }

  /// Walks from `target`, a pending node whose value is asked for.
  func visit(_ target: Node) {
    targets.append(.passUnretained(target))
    enter(.passUnretained(target))
    while let top = stack.last {
      let operand = top.node._withUnsafeGuaranteedRef { node in
        top.next < node.operands.count ? node.operands.at(top.next).node : nil
      }
      if let operand {
        stack[stack.count - 1].next += 1
        enter(operand)
      } else {
        stack.removeLast()
        emit(top.node)
      }
    }
  }

  /// Whether this walk passed `node`.
  func passed(_ node: Node) -> Bool { node.walk == epoch }

  /// Finds what stays, and completes the key.
  func finish(fallback: Device) {
    key.write(order.count)
    for target in targets { target._withUnsafeGuaranteedRef { $0.walkIndex |= Walk.targetBit } }
    for node in order {
      node._withUnsafeGuaranteedRef { node in
        let outside = node.references.load(ordering: .acquiring) - Int(node.walkReferences)
        guard outside > 0 || node.walkIndex & Walk.targetBit != 0 else { return }
        key.write(Int(node.walkIndex & ~Walk.targetBit))
        kept.append(.passUnretained(node))
      }
    }
    for target in targets { target._withUnsafeGuaranteedRef { $0.walkIndex &= ~Walk.targetBit } }
    key.write(UInt64((device ?? fallback).id))
  }

  /// Marks indices of nodes that were asked for, while what stays is found.
  private static let targetBit: Int32 = 1 << 30

  private func enter(_ reference: Reference) {
    reference._withUnsafeGuaranteedRef { node in
      guard node.walk != epoch else { return }
      node.walk = epoch
      node.walkReferences = 0
      if device == nil { device = node.device }
      if node.status == .pending {
        if node.traits.contains(.leaf) {
          isSymbolic = true
        } else if node.traits.contains(.transfer) {
          transfers.append(reference)
        } else {
          stack.append((reference, 0))
          return
        }
      }
      // The low bit tells inputs from instructions.
      node.walkIndex = inputCount << 1 | 1
      leaves.append((reference, inputCount))
      let count = node.types.count
      inputCount += Int32(count)
      for index in 0..<count { key.write(node.types[index]) }
    }
  }

  private func emit(_ reference: Reference) {
    reference._withUnsafeGuaranteedRef { node in
      node.walkIndex = Int32(truncatingIfNeeded: order.count) << 1
      order.append(reference)
      key.write(node.operation)
      // Without it the next words might be operands of this node as well as what follows them.
      key.write(node.operands.count)
      let keepsOperands = node.isInOpenScope
      hasOpenScope = hasOpenScope || keepsOperands
      for index in 0..<node.operands.count {
        let operand = node.operands.at(index)
        operand.node._withUnsafeGuaranteedRef {
          key.write(UInt64(UInt32(bitPattern: $0.walkIndex)) << 32 | UInt64(operand.index))
          if !keepsOperands { $0.walkReferences += 1 }
        }
      }
    }
  }

  /// The graph, for the compiler.
  func makeGraph() -> Graph {
    var graph = Graph()
    for (leaf, _) in leaves {
      let types = leaf.takeUnretainedValue().types
      for index in 0..<types.count { graph.inputs.append(types[index]) }
    }
    graph.instructions.reserveCapacity(order.count)
    for reference in order {
      let node = reference.takeUnretainedValue()
      graph.instructions.append(
        Graph.Instruction(node.operation, node.operands.map(self.reference), types: node.types, path: node.path))
    }
    for reference in kept {
      let node = reference.takeUnretainedValue()
      graph.outputs += (0..<node.types.count).map { self.reference(Value(node, $0)) }
    }
    return graph.flattened(isDifferentiable: false)
  }

  private func reference(_ value: Value) -> Graph.Reference {
    let index = Int(value.node.walkIndex >> 1)
    if value.node.walkIndex & 1 == 1 { return Graph.Reference(input: index + value.index) }
    return Graph.Reference(instruction: index, result: value.index)
  }

  // MARK: What is held

  /// Those of the thread's pending nodes that are included and that something besides them refers to. Under graphLock;
  /// a walk in progress stays as it is, if none is included that it passed.
  static func held(in recording: Recording, where isIncluded: (Node) -> Bool = { _ in true }) -> [Node] {
    let epoch = Node.nextEpoch()
    recording.forEachPending { node in
      guard isIncluded(node) else { return }
      node.walk = epoch
      node.walkReferences = 0
    }
    recording.forEachPending { node in
      guard node.walk == epoch else { return }
      let operands = node.operands
      for index in 0..<operands.count {
        operands.at(index).node._withUnsafeGuaranteedRef { if $0.walk == epoch { $0.walkReferences += 1 } }
      }
    }
    var held: [Node] = []
    recording.forEachPending { node in
      if node.walk == epoch, node.references.load(ordering: .acquiring) > Int(node.walkReferences) { held.append(node) }
    }
    return held
  }
}
