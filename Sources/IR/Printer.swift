import CajalBase

extension Graph: CustomStringConvertible {
  /// One line an instruction: `%2: float32[2, 3] = reshape(%0) {shape: [2, 3]}`.
  public var description: String {
    var lines = inputs.enumerated().map { "in\($0.offset): \($0.element)" }
    for (position, instruction) in instructions.enumerated() {
      let types = instruction.types.array.map(\.description).joined(separator: ", ")
      let operands = instruction.operands.map(name).joined(separator: ", ")
      let attributes = Graph.attributes(of: instruction.operation)
      let suffix = attributes.isEmpty ? "" : " {\(attributes.joined(separator: ", "))}"
      lines.append("%\(position): \(types) = \(instruction.operation.name)(\(operands))\(suffix)")
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

  /// The stored properties that are numbers, shapes and the like; the name says the rest.
  private static func attributes(of value: Any) -> [String] {
    Mirror(reflecting: value).children.flatMap { label, child -> [String] in
      switch child {
      case is Int, is Bool, is [Int], is Shape, is DType, is Scalar, is Device: ["\(label ?? ""): \(child)"]
      default: Mirror(reflecting: child).displayStyle == .struct ? attributes(of: child) : []
      }
    }
  }
}
