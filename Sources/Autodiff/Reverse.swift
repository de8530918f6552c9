import CajalBase
import CajalIR
import CajalOperations

/// Reverse mode: the cotangents of `inputs` from those of `outputs`, recorded as operations.
///
/// Only nodes recorded inside `scope` are walked; everything else is a constant. Without a scope
/// all recorded history counts, and history that was released is an error, never zero.
///
/// - Returns: for each input its cotangent, or `nil` where no output depends on it.
public func reverse(_ outputs: [(value: Value, cotangent: Value)], inputs: [Value], in scope: DifferentiationScope?)
  -> [Value?]
{
  if let failed = (outputs.flatMap { [$0.value, $0.cotangent] } + inputs).first(where: { $0.failure != nil }) {
    return inputs.map { _ in failed }
  }
  switch relevantNodes(outputs.map(\.value.node), inputs: inputs, in: scope) {
  case .failure(let error): return inputs.map { _ in errorValue(error) }
  case .success(let steps): return propagate(steps, outputs, inputs, scope)
  }
}

/// A node between outputs and inputs, with its operands as they were when the walk saw it.
private struct Step {
  let node: Node
  let operands: [Value]
}

/// The nodes that depend on an input and that an output depends on, operands first. Iterative:
/// chains may be millions long.
private func relevantNodes(_ roots: [Node], inputs: [Value], in scope: DifferentiationScope?) -> Result<
  [Step], TensorError
> {
  let inputNodes = Set(inputs.map { ObjectIdentifier($0.node) })
  let oldest = inputs.map(\.node.serial).min() ?? 0
  var depends: [ObjectIdentifier: Bool] = [:]
  var steps: [Step] = []
  var released: Node?

  graphLock.withLock { _ in
    var stack = roots.map { (node: $0, isExpanded: false) }
    while let (node, isExpanded) = stack.popLast() {
      let id = ObjectIdentifier(node)
      if isExpanded {
        let isRelevant =
          inputNodes.contains(id) || node.operands.contains { depends[ObjectIdentifier($0.node)] == true }
        depends[id] = isRelevant
        if isRelevant { steps.append(Step(node: node, operands: node.operands)) }
        continue
      }
      guard depends[id] == nil else { continue }
      // A node older than every input cannot depend on one.
      let isConstant = node.serial < oldest || !isWalked(node, in: scope)
      if inputNodes.contains(id) || isConstant {
        depends[id] = inputNodes.contains(id)
        if inputNodes.contains(id) { steps.append(Step(node: node, operands: [])) }
        continue
      }
      if node.releasedOperands, node.operands.isEmpty { released = released ?? node }
      depends[id] = false
      stack.append((node, true))
      for operand in node.operands where depends[ObjectIdentifier(operand.node)] == nil {
        stack.append((operand.node, false))
      }
    }
  }
  if let released { return .failure(releasedHistory(released)) }
  return .success(steps)
}

private func isWalked(_ node: Node, in scope: DifferentiationScope?) -> Bool {
  guard let scope else { return true }
  return node.scope?.isInside(scope) ?? false
}

private func releasedHistory(_ node: Node) -> TensorError {
  TensorError(
    .gradient, operation: "gradient",
    "the history of a \(node.operation.name) result of \(node.types.first) was released when it was evaluated",
    remedy: "Compute it inside the closure that `valueAndGradient` differentiates",
    site: CallSite.current(), module: node.path?.description)
}

private func propagate(
  _ steps: [Step], _ outputs: [(value: Value, cotangent: Value)], _ inputs: [Value], _ scope: DifferentiationScope?
) -> [Value?] {
  var cotangents: [Value: Value] = [:]
  // A custom rule may read tensors, which evaluates: what the walk still needs must count as held.
  var held: [Node] = []
  defer { for node in held { node.references.wrappingSubtract(1, ordering: .releasing) } }
  func accumulate(_ value: Value, _ cotangent: Value) {
    let sum = cotangents[value].map { $0 + cotangent } ?? cotangent
    sum.node.references.wrappingAdd(1, ordering: .relaxed)
    held.append(sum.node)
    cotangents[value] = sum
  }
  for output in outputs { accumulate(output.value, output.cotangent) }
  let relevant = Set(steps.map { ObjectIdentifier($0.node) })
  for step in steps.reversed() where !step.operands.isEmpty {
    let results = (0..<step.node.types.count).map { Value(step.node, $0) }
    let incoming = results.map { cotangents[$0] }
    guard incoming.contains(where: { $0 != nil }), case .rule(let rule) = step.node.operation.gradient else { continue }
    let context = GradientContext(
      operands: step.operands, results: results, cotangents: incoming,
      isNeeded: step.operands.map { relevant.contains(ObjectIdentifier($0.node)) },
      reverse: { reverse($0.map { (value: $0.0, cotangent: $0.1) }, inputs: $1, in: nil) })
    for (operand, cotangent) in zip(step.operands, rule(context)) {
      if let cotangent, relevant.contains(ObjectIdentifier(operand.node)) { accumulate(operand, cotangent) }
    }
  }
  return inputs.map { cotangents[$0] }
}
