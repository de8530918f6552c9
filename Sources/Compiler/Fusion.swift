import CajalBase
import CajalIR
import CajalOperations

/// Which instructions run together.
///
/// Each instruction gets a stage: that of the elementwise operands of its own shape, and one more
/// than anything else it reads. Elementwise instructions of one stage and shape form a group:
/// inside a stage edges run only within a group, so groups never wait for each other in a circle.
/// Linear in the graph.
struct FusionPlan {
  /// Instructions in running order; a group holds several.
  private(set) var steps: [[Int]]
  /// Whether each instruction is computed in a group.
  let isFused: [Bool]

  /// Graph instructions in one group at most: its registers should stay in the L1 cache.
  static let groupLimit = 128

  init(_ graph: Graph, fuses: Bool, _ work: inout WorkCount) {
    var stage = [Int](repeating: 0, count: graph.instructions.count)
    var kinds: [Kind] = []
    kinds.reserveCapacity(graph.instructions.count)
    // The stage from which an instruction's results can be read from memory.
    var readable = [Int](repeating: 0, count: graph.instructions.count)
    // Effects keep their order: each waits for the one before.
    var nextEffect = 0
    for (position, instruction) in graph.instructions.enumerated() {
      work.visit(instruction)
      let kind = FusionPlan.kind(instruction)
      kinds.append(kind)
      var own = 0
      for operand in instruction.operands where operand.position >= 0 {
        let producer = operand.instruction
        let joins =
          fuses && kind == .elementwise && kinds[producer] == .elementwise
          && graph.instructions[producer].types.first.shape == instruction.types.first.shape
        own = max(own, joins ? stage[producer] : readable[producer])
      }
      if instruction.operation.hasEffect {
        own = max(own, nextEffect)
        nextEffect = own + 1
      }
      stage[position] = own
      readable[position] = kind == .virtual ? own : own + 1
    }
    isFused = kinds.map { $0 == .elementwise }
    steps = FusionPlan.schedule(graph, stage, kinds, fuses)
  }

  private enum Kind {
    /// Computed in a group.
    case elementwise
    /// Not computed: a view, a literal, coordinates.
    case virtual
    /// A step of its own.
    case step
  }

  private static func kind(_ instruction: Graph.Instruction) -> Kind {
    switch instruction.operation.semantics {
    case .elementwise: instruction.operation is Constant ? .virtual : .elementwise
    case .view, .affine, .identity: .virtual
    default: .step
    }
  }

  /// Stage by stage: what is not computed comes first, since groups of its stage read it.
  private static func schedule(_ graph: Graph, _ stage: [Int], _ kinds: [Kind], _ fuses: Bool) -> [[Int]] {
    struct GroupKey: Hashable {
      let stage: Int
      let shape: Shape
    }
    let stageCount = (stage.max() ?? 0) + 1
    var virtual = [[[Int]]](repeating: [], count: stageCount)
    var computed = [[[Int]]](repeating: [], count: stageCount)
    var open: [GroupKey: Int] = [:]
    for position in graph.instructions.indices {
      let level = stage[position]
      if kinds[position] == .virtual {
        virtual[level].append([position])
        continue
      }
      let key = GroupKey(stage: level, shape: graph.instructions[position].types.first.shape)
      if fuses, kinds[position] == .elementwise, let group = open[key], computed[level][group].count < groupLimit {
        computed[level][group].append(position)
        continue
      }
      computed[level].append([position])
      if fuses, kinds[position] == .elementwise { open[key] = computed[level].count - 1 }
    }
    return zip(virtual, computed).flatMap { $0 + $1 }
  }
}
