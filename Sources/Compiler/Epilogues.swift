import CajalBase
import CajalIR
import CajalOperations

/// Lets elementwise groups run over the results of matrix products while these are still in the cache.
///
/// A group joins the last step that it waits for, if that is a product whose result it reads element by
/// element. What else it reads lies ready by then.
struct Epilogues {
  /// Instructions at most. The group runs row by row of a block, which costs more for each instruction
  /// than a pass over long tiles does: what memory traffic saves, a long program loses again.
  static let instructionLimit = 12
  /// Columns at least, for the same reason.
  static let columnsLeast = 64

  /// The steps with groups moved into products.
  static func attach(_ steps: [Step], _ work: inout WorkCount) -> [Step] {
    var steps = steps
    var writer: [Int: Int] = [:]
    var isMoved = [Bool](repeating: false, count: steps.count)
    for index in steps.indices {
      work.visits += 1 + steps[index].reads.count + steps[index].writes.count
      if case .group(let group) = steps[index].kind,
        let last = steps[index].reads.compactMap({ writer[$0] }).max(),
        joins(group, steps[last])
      {
        steps[last] = Step(
          kind: .followed(steps[last].kind, by: group), reads: steps[last].reads + steps[index].reads,
          writes: steps[last].writes + steps[index].writes, isFallible: steps[last].isFallible,
          path: steps[last].path)
        isMoved[index] = true
        for buffer in steps[index].writes { writer[buffer] = last }
      } else {
        for buffer in steps[index].writes { writer[buffer] = index }
      }
    }
    return steps.indices.filter { !isMoved[$0] }.map { steps[$0] }
  }

  private static func joins(_ group: FusedGroup, _ step: Step) -> Bool {
    guard case .operation(let operation, _, let results, let types, _) = step.kind, operation is MatMul,
      let product = results[0], types.first.shape == group.space, types.first.shape.count > 0,
      group.space[-1] >= columnsLeast, group.instructions.count <= instructionLimit, !group.worksByRows
    else { return false }
    let loads = group.loads.filter { $0.placement.buffer == product }
    return !loads.isEmpty && loads.allSatisfy { $0.readsWhole(group.space) }
  }
}

extension FusedGroup.Load {
  /// Whether the load takes every element of its buffer where it lies, row-major.
  func readsWhole(_ space: Shape) -> Bool {
    guard placement.view.offset == 0, !isRow else { return false }
    let canonical = space.strides
    return space.count > 0 && strides.indices.allSatisfy { strides[$0] == (space[$0] == 1 ? 0 : canonical[$0]) }
  }
}
