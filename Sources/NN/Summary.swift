import CajalBase
import CajalIR
import CajalTensor

/// The parts of a model, their outputs' shapes, and how many numbers they learn: what ``Module/summary()`` gives.
public struct ModuleSummary: Sendable, CustomStringConvertible {
  public struct Row: Sendable {
    /// Where the part stands: `layers.0`; empty for the model itself.
    public let path: String
    /// Its type.
    public let type: String
    /// The shape of what it gave; `nil` where it was not run.
    public let output: Shape?
    /// How many numbers it learns, `nil` where a shape is not known yet.
    public let parameters: Int?
  }

  public let rows: [Row]
  /// How many numbers the model learns, each once wherever it stands; those that are known.
  public let parameters: Int
  /// Numbers that belong to it and do not learn: running statistics.
  public let buffers: Int

  public var description: String {
    let table =
      [["layer", "type", "output", "parameters"]]
      + rows.map { row in
        [row.path, row.type, row.output.map { "\($0)" } ?? "", row.parameters.map { "\($0)" } ?? "?"]
      }
    let widths = (0..<4).map { column in table.map { $0[column].count }.max() ?? 0 }
    var lines = table.map { cells in
      zip(cells, widths).enumerated().map { column, cell in
        let space = String(repeating: " ", count: cell.1 - cell.0.count)
        return column == 3 ? space + cell.0 : cell.0 + space
      }.joined(separator: "  ")
    }
    let isComplete = rows.allSatisfy { $0.parameters != nil }
    lines.append(
      "\(isComplete ? "" : "at least ")\(parameters) parameters" + (buffers > 0 ? ", \(buffers) in buffers" : ""))
    return lines.joined(separator: "\n")
  }
}

extension Module {
  /// A table of the module's parts and what is known of them: print it.
  public func summary() -> ModuleSummary { summary(ShapeNotes()) }

  fileprivate func summary(_ notes: ShapeNotes) -> ModuleSummary {
    func total(_ parameters: [Parameter]) -> Int { parameters.reduce(0) { $0 + ($1.shape?.count ?? 0) } }
    let parameters = self.parameters
    // Listing parts names their parameters from them; from here again at the end.
    defer { _ = namedParameters }
    var rows: [ModuleSummary.Row] = []
    addRows(of: self, at: nil, notes, &rows)
    return ModuleSummary(
      rows: rows, parameters: total(parameters.filter(\.isTrainable)),
      buffers: total(parameters.filter { !$0.isTrainable }))
  }
}

extension Layer {
  /// The same with the shapes that an input of `shape` gives, by which layers learn theirs.
  ///
  /// ```swift
  /// print(model.summary(input: [1, 28, 28]))
  /// ```
  public func summary(input shape: Shape, dtype: DType = .float32) -> ModuleSummary {
    // Listed, so that parameters know their paths.
    _ = namedParameters
    let notes = ShapeNotes()
    let output = withTraining(false) {
      ShapeNotes.$current.withValue(notes) { self(Tensor.zeros(shape, dtype: dtype)) }
    }
    notes.note(output, nil)
    return summary(notes)
  }
}

/// Adds the row of `module`, or those of its parts where it is made of other modules that learn.
private func addRows(
  of module: any Module, at path: ModulePath?, _ notes: ShapeNotes, _ rows: inout [ModuleSummary.Row]
) {
  var parts: [(ModulePath, any Module)] = []
  for child in Mirror(reflecting: module).children {
    collectParts(child.value, ModulePath(child.label ?? "", in: path), &parts)
  }
  let isContainer = module is Sequential || module is Residual || module is Parallel
  if isContainer || parts.contains(where: { !$0.1.parameters.isEmpty }) {
    for (path, part) in parts { addRows(of: part, at: path, notes, &rows) }
    return
  }
  let shapes = module.parameters.filter(\.isTrainable).map(\.shape)
  rows.append(
    ModuleSummary.Row(
      path: path?.description ?? "", type: typeName(module), output: notes.shape(path),
      parameters: shapes.contains(nil) ? nil : shapes.reduce(0) { $0 + ($1?.count ?? 0) }))
}

/// The name that a module's type is known by.
private func typeName(_ module: any Module) -> String {
  let name = "\(type(of: module))"
  // A layer over so many axes: Conv2D, and not Conv<TwoAxes>.
  guard name.contains("<"), let layer = module as? any DescribedLayer else { return name }
  let kind = type(of: layer).kind
  return kind.prefix(1).uppercased() + kind.dropFirst()
}

/// Finds the modules in `value`, through arrays, optionals and the like.
private func collectParts(_ value: Any, _ path: ModulePath, _ parts: inout [(ModulePath, any Module)]) {
  if let module = value as? any Module {
    parts.append((path, module))
    return
  }
  let mirror = Mirror(reflecting: value)
  switch mirror.displayStyle {
  case .optional: for child in mirror.children { collectParts(child.value, path, &parts) }
  case .collection, .tuple:
    for (index, child) in mirror.children.enumerated() {
      if child.value is any TensorScalar { return }
      collectParts(child.value, ModulePath(child.label ?? "\(index)", in: path), &parts)
    }
  case .dictionary:
    for child in mirror.children {
      let pair = Mirror(reflecting: child.value).children.map(\.value)
      if pair.count == 2 { collectParts(pair[1], ModulePath("\(pair[0])", in: path), &parts) }
    }
  default: return
  }
}

/// The shapes that modules gave while a summary ran.
final class ShapeNotes: Sendable {
  @TaskLocal static var current: ShapeNotes?

  private let shapes = Locked<[String: Shape]>([:])

  func note(_ output: Tensor, _ path: ModulePath?) {
    if output.error == nil { shapes.withLock { $0[path?.description ?? ""] = output.shape } }
  }

  func shape(_ path: ModulePath?) -> Shape? { shapes.withLock { $0[path?.description ?? ""] } }
}
