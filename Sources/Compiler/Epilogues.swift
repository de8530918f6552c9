import CajalBase
import CajalIR

/// Lets elementwise groups run over the results of products and convolutions while these are still in the cache.
///
/// A group joins the last step whose result it reads element by element, if the backend wants it there. What else it
/// reads lies ready by then, or the step waits for it: until the group's own turn, if nobody reads the result before.
struct Epilogues {
  private var steps: [Step]
  private var isMoved: [Bool]
  /// The step that writes a buffer, and the first that reads it.
  private var writer: [Int: Int] = [:]
  private var reader: [Int: Int] = [:]
  private let options: LoweringOptions

  /// The steps with groups moved into others.
  static func attach(_ steps: [Step], _ options: LoweringOptions, _ work: inout WorkCount) -> [Step] {
    var epilogues = Epilogues(steps, options)
    for index in steps.indices {
      work.visits += 1 + steps[index].reads.count + steps[index].writes.count
      epilogues.visit(index)
    }
    return epilogues.steps.indices.filter { !epilogues.isMoved[$0] }.map { epilogues.steps[$0] }
  }

  private init(_ steps: [Step], _ options: LoweringOptions) {
    self.steps = steps
    self.options = options
    isMoved = [Bool](repeating: false, count: steps.count)
  }

  private mutating func visit(_ index: Int) {
    let step = steps[index]
    var place = index
    if case .group(let group) = step.kind, let first = followed(by: group, step) {
      let joined = Step(
        kind: .followed(steps[first].kind, by: group), reads: steps[first].reads + step.reads,
        writes: steps[first].writes + step.writes, isFallible: steps[first].isFallible, path: steps[first].path)
      if step.reads.compactMap({ writer[$0] }).max() == first { place = first }
      isMoved[place == first ? index : first] = true
      steps[place] = joined
    }
    for buffer in steps[place].writes { writer[buffer] = place }
    for buffer in step.reads where reader[buffer] == nil { reader[buffer] = index }
  }

  /// The step that `group`, the step `own`, should run with.
  private func followed(by group: FusedGroup, _ own: Step) -> Int? {
    let writers = own.reads.compactMap { writer[$0] }
    guard let last = writers.max() else { return nil }
    let candidates = Set(writers).filter { joins(group, steps[$0]) }
    return candidates.filter { $0 == last || steps[$0].writes.allSatisfy { reader[$0] == nil } }.max()
  }

  private func joins(_ group: FusedGroup, _ step: Step) -> Bool {
    guard case .operation(let operation, let operands, let results, let types, _) = step.kind, results.count == 1,
      let result = results[0], types.first.shape == group.space, types.first.shape.count > 0, !group.worksByRows
    else { return false }
    let loads = group.loads.filter { $0.placement.buffer == result }
    return !loads.isEmpty && loads.allSatisfy { $0.readsWhole(group.space) }
      && options.follows(group, operation, operands)
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
