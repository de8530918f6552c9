import CajalBase
import CajalIR
import CajalOperations

/// Brings what means the same into one form: drops operations that change nothing, merges chains
/// of views, and puts the axes of reductions side by side. Only rewrites that keep every bit: x·1
/// is x, but x+0 is not (−0 + 0 is +0).
@Sendable func canonicalize(_ graph: Graph, _ work: inout WorkCount) -> Graph {
  var rewriter = Rewriter(graph)
  for instruction in graph.instructions {
    work.visit(instruction)
    var current = instruction
    current.operands = instruction.operands.map(rewriter.mapped)
    while let merged = mergedView(current, rewriter) { current = merged }
    if let same = unchanged(current, rewriter) {
      rewriter.replace(with: same)
    } else if let reduction = current.operation as? Reduce {
      emitCanonical(reduction, current, &rewriter)
    } else {
      rewriter.emit(current)
    }
  }
  return rewriter.finish()
}

/// The operand that `instruction` gives back unchanged, if it does.
private func unchanged(_ instruction: Graph.Instruction, _ rewriter: Rewriter) -> Graph.Reference? {
  guard let operand = instruction.operands.first else { return nil }
  let isSameType = rewriter.result.type(of: operand) == instruction.types.first
  switch instruction.operation {
  case is StopGradient, is Alias, is CustomGradient: return operand
  case is Reshape, is Broadcast, is Cast: return isSameType ? operand : nil
  case let transpose as Transpose:
    return transpose.permutation == Array(0..<transpose.permutation.count) ? operand : nil
  case let flip as Flip: return flip.axes.isEmpty ? operand : nil
  case let reduce as Reduce: return reduce.axes.isEmpty && isSameType ? operand : nil
  case is Concatenate: return instruction.operands.count == 1 ? operand : nil
  case let elementwise as Elementwise: return neutral(elementwise.function, instruction, rewriter)
  default: return nil
  }
}

/// x·1, 1·x, x/1, x−0 and −(−x).
private func neutral(_ function: ElementwiseFunction, _ instruction: Graph.Instruction, _ rewriter: Rewriter) -> Graph
  .Reference?
{
  func isLiteral(_ index: Int, _ number: Double) -> Bool {
    rewriter.literal(instruction.operands[index])?.scalar.double == number
  }
  func whole(_ index: Int) -> Graph.Reference? {
    let operand = instruction.operands[index]
    return rewriter.result.type(of: operand) == instruction.types.first ? operand : nil
  }
  if function === ElementwiseFunction.multiply {
    if isLiteral(1, 1) { return whole(0) }
    if isLiteral(0, 1) { return whole(1) }
  }
  if function === ElementwiseFunction.divide, isLiteral(1, 1) { return whole(0) }
  if function === ElementwiseFunction.subtract, isPositiveZero(instruction.operands[1], rewriter) { return whole(0) }
  if function === ElementwiseFunction.negate, let inner = rewriter.definition(instruction.operands[0]),
    (inner.operation as? Elementwise)?.function === ElementwiseFunction.negate
  {
    return inner.operands[0]
  }
  return nil
}

/// x − (+0) is x for every x; x − (−0) turns −0 into +0.
private func isPositiveZero(_ reference: Graph.Reference, _ rewriter: Rewriter) -> Bool {
  guard let constant = rewriter.literal(reference) else { return false }
  return constant.scalar.double == 0 && constant.scalar.double.sign == .plus
}

/// Two views of one kind as one.
private func mergedView(_ instruction: Graph.Instruction, _ rewriter: Rewriter) -> Graph.Instruction? {
  guard let operand = instruction.operands.first, let inner = rewriter.definition(operand) else { return nil }
  let operation: (any Operation)? =
    switch (instruction.operation, inner.operation) {
    case (let outer as Reshape, is Reshape): outer
    case (let outer as Broadcast, is Broadcast): outer
    case (let outer as Transpose, let first as Transpose): Transpose(outer.permutation.map { first.permutation[$0] })
    default: nil
    }
  guard let operation else { return nil }
  return Graph.Instruction(operation, [inner.operands[0]], types: instruction.types, path: instruction.path)
}

/// Reductions in the form that fuses: the last axis by itself, so that it runs with what leads to it,
/// and the rest side by side.
private func emitCanonical(_ reduction: Reduce, _ instruction: Graph.Instruction, _ rewriter: inout Rewriter) {
  let type = rewriter.result.type(of: instruction.operands[0])
  if let last = reduction.axes.last, reduction.axes.count > 1, reducesAlone(axis: last, type) {
    let rows = rewriter.add(
      Graph.Instruction(
        Reduce(reduction.kind, axes: [last]), instruction.operands,
        types: ResultTypes(type.shape.reduced(over: [last], keepingAxes: false), type.dtype), path: instruction.path))
    let rest = Reduce(reduction.kind, axes: Array(reduction.axes.dropLast()))
    emitCanonical(rest, Graph.Instruction(rest, [rows], types: instruction.types, path: instruction.path), &rewriter)
  } else if isRun(reduction.axes) {
    rewriter.emit(Graph.Instruction(reduction, instruction.operands, types: instruction.types, path: instruction.path))
  } else {
    emitAdjacent(reduction, instruction, &rewriter)
  }
}

/// Whether the last axis is long enough for two reductions to cost no more than one. 16-bit floats would
/// round between them.
private func reducesAlone(axis: Int, _ type: TensorType) -> Bool {
  axis == type.shape.rank - 1 && type.shape[axis] >= 32 && type.shape[axis] <= FusionPlan.columnLimit
    && type.shape.count > 0 && type.dtype.isFloat && !type.dtype.narrowsComputeType
}

private func isRun(_ axes: [Int]) -> Bool {
  axes.indices.dropFirst().allSatisfy { axes[$0] == axes[$0 - 1] + 1 }
}

/// A reduction over axes that lie apart, as one over the last axes of a transposed view.
private func emitAdjacent(_ reduction: Reduce, _ instruction: Graph.Instruction, _ rewriter: inout Rewriter) {
  let type = rewriter.result.type(of: instruction.operands[0])
  let rest = (0..<type.shape.rank).filter { !reduction.axes.contains($0) }
  let order = rest + reduction.axes
  let shape = Shape(order.map { type.shape[$0] })
  let view = rewriter.add(
    Graph.Instruction(
      Transpose(order), instruction.operands, types: ResultTypes(shape, type.dtype), path: instruction.path))
  rewriter.emit(
    Graph.Instruction(
      Reduce(reduction.kind, axes: Array(rest.count..<order.count)), [view], types: instruction.types,
      path: instruction.path))
}
