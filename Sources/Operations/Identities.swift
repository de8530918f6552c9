import CajalBase
import CajalIR

// Operations that compute nothing: they tell reverse mode and the engine something.

/// Passes its operand on, and no cotangent back.
public struct StopGradient: Operation {
  public init() {}
  public var name: String { "stopGradient" }
  public func encode(into key: inout PlanKey) {}
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes { ResultTypes(operands[0]) }
  public var semantics: Semantics { .identity }
  public var gradient: GradientRule { .none("stopping it is its purpose") }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { [record(self, operands)] }
}

/// A new name for a value: what a closure is differentiated by. Further operands only say what it
/// belongs to.
public struct Alias: Operation {
  public init() {}
  public var name: String { "alias" }
  public func encode(into key: inout PlanKey) {}
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes { ResultTypes(operands[0]) }
  public var semantics: Semantics { .identity }
  public var gradient: GradientRule {
    .rule { context in context.operands.indices.map { $0 == 0 ? context.cotangents[0] : nil } }
  }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    [isBatched[0] ? operands[0] : operands[0].repeated(batchSize(operands, isBatched))]
  }
}

/// Operand 0, whose cotangent the user's rule turns into those of the other operands.
public struct CustomGradient: Operation {
  public typealias Rule = @Sendable (_ cotangent: Value) -> [Value?]
  public let rule: Rule

  public init(_ rule: @escaping Rule) { self.rule = rule }

  public var name: String { "customGradient" }
  // Forward it is its operand, whatever the rule: the rule stands in the graph only where it was used.
  public func encode(into key: inout PlanKey) {}
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes { ResultTypes(operands[0]) }
  public var semantics: Semantics { .identity }
  public var gradient: GradientRule {
    .rule { context in
      guard let g = context.cotangents[0] else { return context.operands.map { _ in nil } }
      let cotangents = rule(g)
      return [nil]
        + context.operands.dropFirst().enumerated().map { index, operand in
          guard index < cotangents.count, let cotangent = cotangents[index] else { return nil }
          guard !cotangent.isFailed, cotangent.shape != operand.shape else { return cotangent }
          return errorValue(
            "customGradient", [cotangent],
            .shape(
              "the rule returned a cotangent of \(cotangent.shape) for an operand of \(operand.shape)",
              remedy: "A cotangent has its operand's shape"))
        }
    }
  }
  // The rule is of one sample, so it stays with each.
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { unrolledBatch(self, operands, isBatched) }
}

/// A copy on another device.
public struct Transfer: Operation {
  public let destination: Device

  public init(to destination: Device) { self.destination = destination }

  public var target: Device? { destination }

  public var name: String { "transfer" }
  public func encode(into key: inout PlanKey) { key.write(UInt64(destination.id)) }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes { ResultTypes(operands[0]) }
  public var semantics: Semantics { .transfer }
  public var gradient: GradientRule {
    .rule { context in
      guard let source = context.operands[0].node.device else { return [context.cotangents[0]] }
      return [context.cotangents[0].map { $0.transferred(to: source) }]
    }
  }
  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { [record(self, operands)] }
}

extension Value {
  public func transferred(to device: Device) -> Value {
    if node.device == device || isFailed { return self }
    return record(Transfer(to: device), self)
  }

  public func stoppingGradient() -> Value { record(StopGradient(), self) }
}
