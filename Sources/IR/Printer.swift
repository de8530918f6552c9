import CajalBase

extension Graph: CustomStringConvertible {
  /// One line an instruction: `%2: float32[2, 3] = add(%0, in1)`.
  public var description: String {
    var lines = inputs.enumerated().map { "in\($0.offset): \($0.element)" }
    for (position, instruction) in instructions.enumerated() {
      let types = instruction.types.array.map(\.description).joined(separator: ", ")
      let operands = instruction.operands.map(name).joined(separator: ", ")
      lines.append("%\(position): \(types) = \(instruction.operation)(\(operands))")
      for body in instruction.operation.subgraphs {
        lines += body.description.split(separator: "\n").map { "  " + $0 }
      }
    }
    lines.append("return " + outputs.map(name).joined(separator: ", "))
    return lines.joined(separator: "\n")
  }

  private func name(_ reference: Reference) -> String {
    if let input = reference.input { return "in\(input)" }
    let result = instructions[reference.instruction].types.count > 1 ? ".\(reference.result)" : ""
    return "%\(reference.instruction)\(result)"
  }
}
