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
  for output in outputs {
    if output.value.isFailed { return inputs.map { _ in output.value } }
    if output.cotangent.isFailed { return inputs.map { _ in output.cotangent } }
  }
  if let failed = inputs.first(where: { $0.isFailed }) { return inputs.map { _ in failed } }
  var history = History(inputs)
  if let released = graphLock.withLock({ _ in history.walk(outputs.map(\.value), in: scope) }) {
    let error = releasedHistory(released)
    return inputs.map { _ in errorValue(error) }
  }
  return propagate(history, outputs, inputs)
}

/// What lies between outputs and inputs: the nodes that depend on an input and that an output depends on.
private struct History {
  struct Step {
    let node: Node
    /// As they were when the walk saw them.
    let operands: [Value]
    /// The first operand's among the places.
    let firstPlace: Int
    /// The first result's among the cotangents.
    let firstCotangent: Int
  }

  /// Operands first; the inputs, which are not walked beyond, at the beginning.
  private(set) var steps = ContiguousArray<Step>()
  /// Where the cotangents of the steps' operands stand; −1 for an operand that is a constant.
  private(set) var places = ContiguousArray<Int>()
  private(set) var cotangentCount = 0
  private(set) var outputPlaces: [Int] = []
  private(set) var inputPlaces: [Int] = []
  private let inputs: [Value]
  private var epoch: UInt64 = 0

  init(_ inputs: [Value]) { self.inputs = inputs }

  /// Where the cotangent of a value that was walked stands among all; −1 for a constant.
  private func place(of value: Value) -> Int {
    let step = Int(value.node.walkIndex)
    return step < 0 ? -1 : steps[step].firstCotangent + value.index
  }

  private mutating func append(_ node: Node, _ operands: [Value]) {
    let firstPlace = places.count
    for operand in operands { places.append(place(of: operand)) }
    node.walkIndex = Int32(steps.count)
    steps.append(Step(node: node, operands: operands, firstPlace: firstPlace, firstCotangent: cotangentCount))
    cotangentCount += node.types.count
  }

  /// Walks back from `outputs`; iterative, for chains may be millions long. Under graphLock.
  ///
  /// - Returns: a node whose history is needed and was released.
  mutating func walk(_ outputs: [Value], in scope: DifferentiationScope?) -> Node? {
    epoch = Node.nextEpoch()
    var oldest = UInt64.max
    for input in inputs where input.node.walk != epoch {
      input.node.walk = epoch
      append(input.node, [])
      oldest = min(oldest, input.node.serial)
    }
    var released: Node?
    var stack = outputs.map { (node: Unmanaged.passUnretained($0.node), isExpanded: false) }
    while let (reference, isExpanded) = stack.popLast() {
      reference._withUnsafeGuaranteedRef { node in
        if isExpanded {
          let dependsOnInput = node.operands.indices.contains { index in
            node.operands.at(index).node._withUnsafeGuaranteedRef { $0.walkIndex >= 0 }
          }
          if dependsOnInput { append(node, Array(node.operands)) }
          return
        }
        guard node.walk != epoch else { return }
        node.walk = epoch
        node.walkIndex = -1
        // A node older than every input cannot depend on one.
        if node.serial < oldest || !isWalked(node, in: scope) { return }
        if node.releasedOperands, node.operands.count == 0 { released = released ?? node }
        stack.append((reference, true))
        for index in 0..<node.operands.count { stack.append((node.operands.at(index).node, false)) }
      }
    }
    outputPlaces = outputs.map(place)
    inputPlaces = inputs.map(place)
    return released
  }
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
  _ history: History, _ outputs: [(value: Value, cotangent: Value)], _ inputs: [Value]
) -> [Value?] {
  var cotangents = ContiguousArray<Value?>(repeating: nil, count: history.cotangentCount)
  func accumulate(_ place: Int, _ cotangent: Value) {
    let sum = cotangents[place].map { $0 + cotangent } ?? cotangent
    // A custom rule may read tensors, which evaluates: what the walk still needs must count as held.
    sum.node.references.wrappingAdd(1, ordering: .relaxed)
    cotangents[place]?.node.references.wrappingSubtract(1, ordering: .releasing)
    cotangents[place] = sum
  }
  for (output, place) in zip(outputs, history.outputPlaces) where place >= 0 { accumulate(place, output.cotangent) }
  for step in history.steps.reversed() where !step.operands.isEmpty {
    // Copies, not a slice: the array is about to change.
    let incoming = GradientContext.Cotangents(
      cotangents[step.firstCotangent],
      (1..<step.node.types.count).map { cotangents[step.firstCotangent + $0] })
    guard !incoming.isEmpty, case .rule(let rule) = step.node.operation.gradient else { continue }
    var isNeeded = GradientContext.Needs()
    for index in step.operands.indices { isNeeded[index] = history.places[step.firstPlace + index] >= 0 }
    let context = GradientContext(
      step.node, operands: step.operands,
      cotangents: incoming, isNeeded: isNeeded,
      reverse: { reverse($0.map { (value: $0.0, cotangent: $0.1) }, inputs: $1, in: nil) })
    for (index, cotangent) in rule(context).enumerated() {
      let place = history.places[step.firstPlace + index]
      if let cotangent, place >= 0 { accumulate(place, cotangent) }
    }
  }
  defer {
    for case let cotangent? in cotangents { cotangent.node.references.wrappingSubtract(1, ordering: .releasing) }
  }
  return history.inputPlaces.map { cotangents[$0] }
}
