import CajalFormats

extension Table {
  /// The place of a column, from 0.
  ///
  /// - Parameter designator: its name; or its number, from 1, or from −1 for the last backwards.
  /// - Throws: ``FormatError`` that suggests the name that is nearest.
  public func column(_ designator: String) throws -> Int {
    if let place = names.firstIndex(of: designator) { return place }
    if let number = Int(designator) {
      guard number != 0, number.magnitude <= names.count else {
        throw FormatError(
          path: path, problem: "there is no column \(number) among \(names.count)",
          remedy: "Columns count from 1, and from -1 at the end")
      }
      return number > 0 ? number - 1 : names.count + number
    }
    if let place = names.firstIndex(where: { $0.lowercased() == designator.lowercased() }) { return place }
    let nearest = names.min { distance($0, designator) < distance($1, designator) } ?? ""
    // Half of the letters wrong is no slip any more.
    let isNear = 2 * distance(nearest, designator) <= max(nearest.count, designator.count)
    let listed = names.prefix(20).joined(separator: ", ") + (names.count > 20 ? ", …" : "")
    throw FormatError(
      path: path, problem: "there is no column \"\(designator)\"" + (isNear ? "; did you mean \"\(nearest)\"?" : ""),
      remedy: hasHeader ? "Name one of: \(listed)" : "The file has no header: count columns from 1, or -1 for the last")
  }

  /// Letters to insert, remove or replace to make one word of the other (Levenshtein 1966), whatever their case.
  private func distance(_ first: String, _ second: String) -> Int {
    let (first, second) = (Array(first.lowercased().prefix(64)), Array(second.lowercased().prefix(64)))
    var row = Array(0...second.count)
    for (index, letter) in first.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for column in second.indices {
        let replaced = diagonal + (letter == second[column] ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
      }
    }
    return row[second.count]
  }
}
