import CajalBase

extension Graph {
  /// Why this is not a graph that can run, or `nil`: operands come before their readers,
  /// every reference exists, and types are what the operations say.
  public func verify() -> String? {
    for (position, instruction) in instructions.enumerated() {
      for operand in instruction.operands {
        if let problem = check(operand, before: position) {
          return "%\(position) \(instruction.operation.name): \(problem)"
        }
      }
      let types = OperandTypes(instruction.operands.map { type(of: $0) })
      do {
        let expected = try instruction.operation.resultTypes(types)
        if expected != instruction.types {
          return
            "%\(position) \(instruction.operation.name): types \(instruction.types.array), expected \(expected.array)"
        }
      } catch {
        return "%\(position) \(instruction.operation.name): \(error.problem)"
      }
      for body in instruction.operation.subgraphs {
        if let problem = body.verify() { return "%\(position) \(instruction.operation.name) body: \(problem)" }
      }
    }
    for output in outputs {
      if let problem = check(output, before: instructions.count) { return "output: \(problem)" }
    }
    return nil
  }

  private func check(_ reference: Reference, before position: Int) -> String? {
    if let input = reference.input {
      return input < inputs.count ? nil : "reads input \(input) of \(inputs.count)"
    }
    if reference.instruction >= position { return "reads %\(reference.instruction), which comes later" }
    let count = instructions[reference.instruction].types.count
    return reference.result < count ? nil : "reads result \(reference.result) of \(count)"
  }
}
