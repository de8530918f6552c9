import CajalBase
import CajalIR
import CajalOperations

/// What every operation of a catalogue owes the tests (law 5): samples, a decision on its gradient, and a meaning
/// that every backend can run.
struct Gate {
  /// Operations through which no gradient flows, and why.
  static let withoutGradient: [String: String] = [
    "floorDivide": "constant almost everywhere", "sign": "constant almost everywhere",
    "floor": "constant almost everywhere",
    "ceil": "constant almost everywhere", "round": "constant almost everywhere",
    "equal": "gives bool", "notEqual": "gives bool", "less": "gives bool", "lessEqual": "gives bool",
    "greater": "gives bool",
    "greaterEqual": "gives bool",
    "and": "takes no floats", "or": "takes no floats", "xor": "takes no floats", "not": "takes no floats",
    "constant": "has no operands", "iota": "has no operands",
    "argmax": "gives positions", "argmin": "gives positions", "argsort": "gives positions",
    "checkIndices": "takes integers",
    "randomUniform": "draws by integers", "randomNormal": "draws by integers", "randomBits": "draws by integers",
    "stopGradient": "stopping it is its purpose",
  ]

  var names = Catalogue.names
  var samples = Samples.byOperation
  var decisions = Gate.withoutGradient

  /// What is missing, in words.
  var problems: [String] {
    var list = names.flatMap { problems(of: $0) }
    for name in samples.keys.sorted() where !names.contains(name) && name != "composite" {
      list.append("\(name): has samples, but does not stand in the catalogue")
    }
    for name in decisions.keys.sorted() where !names.contains(name) {
      list.append("\(name): has a decision on its gradient, but does not stand in the catalogue")
    }
    if Set(names).count != names.count { list.append("a name stands in the catalogue twice") }
    return list
  }

  private func problems(of name: String) -> [String] {
    guard let samples = samples[name], !samples.isEmpty else { return ["\(name): no samples"] }
    var list: [String] = []
    for sample in samples {
      guard let operation = sample.node?.operation else {
        list.append("\(name): sample \(sample.label) does not record it")
        continue
      }
      if let problem = runs(operation) { list.append("\(name): \(problem)") }
      list += gradientProblems(name, operation, samples)
      break
    }
    for sample in samples where sample.node == nil { list.append("\(name): sample \(sample.label) does not record it") }
    return list
  }

  private func gradientProblems(_ name: String, _ operation: any Operation, _ samples: [Sample]) -> [String] {
    switch operation.gradient {
    case .none(let reason):
      if reason.isEmpty { return ["\(name): has no gradient and does not say why"] }
      return decisions[name] == nil ? ["\(name): no decision on its gradient: it has none, and stands on no list"] : []
    case .rule:
      if decisions[name] != nil { return ["\(name): has a gradient, and stands among those without"] }
      return samples.contains { !$0.differentiates.isEmpty } ? [] : ["\(name): its gradient has no samples"]
    }
  }

  /// Why no backend runs `operation`, if none does.
  private func runs(_ operation: any Operation) -> String? {
    switch operation.semantics {
    case .elementwise, .view, .identity, .affine, .loops, .loop: nil
    // The engine's own: from one device's memory to another's.
    case .transfer: operation is Transfer ? nil : "only the engine's transfer crosses devices"
    case .decomposition: "backends do not take decompositions apart; record its parts instead"
    case .leaf: "a leaf is no operation of the catalogue"
    }
  }
}

extension Sample {
  /// The node of the operation that this is a sample of.
  var node: Node? {
    var stack = recorded().outputs.map(\.node)
    var seen: Set<ObjectIdentifier> = []
    while let node = stack.popLast() {
      guard seen.insert(ObjectIdentifier(node)).inserted else { continue }
      if node.operation.name == operation { return node }
      stack += graphLock.withLock { _ in node.operands.map(\.node) }
    }
    return nil
  }
}
