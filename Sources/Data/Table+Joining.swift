import CajalFormats

extension Table {
  /// This table's columns, then the other's, row by row.
  ///
  /// - Throws: ``FormatError`` where the tables differ in length.
  public func joined(with other: Table) throws -> Table {
    guard count == other.count else {
      throw FormatError(
        path: other.path, problem: "it has \(other.count) rows beside the \(count) of \(path)",
        remedy: "Join tables of as many rows")
    }
    let names = CSVHeading.unique(hasHeader || other.hasHeader ? names + other.names : [])
    var builder = Storage.Builder(Heading(path: path, names: names.isEmpty ? nil : names))
    if names.isEmpty { builder.name(columns: self.names.count + other.names.count) }
    for row in 0..<count {
      let (number, line) = storage.places[rows[row]]
      let fields = self.names.indices.map { text(row, $0) } + other.names.indices.map { other.text(row, $0) }
      builder.append(fields, number: number, line: line)
    }
    return Table(try builder.storage())
  }

  /// The same columns under other names, as many as there are.
  public func renamed(_ names: [String]) -> Table {
    guard names.count == self.names.count else { return self }
    var table = self
    table.names = names
    table.hasHeader = true
    return table
  }
}
