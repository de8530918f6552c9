/// What the first rows of a CSV file say about it.
package enum CSVHeading {
  // MARK: The delimiter

  /// The delimiter that cuts the rows of the first chunk into most fields, the same number each.
  static func delimiter(in bytes: inout ByteCursor) throws -> UInt8 {
    guard try bytes.peek() != nil else { return UInt8(ascii: ",") }
    let lines = sampled(bytes.chunk[bytes.position..<bytes.count])
    let candidates = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")]
    func agreement(_ delimiter: UInt8) -> (agree: Int, fields: Int) {
      let counts = lines.map { count(delimiter, $0) }
      // The first may be a heading of its own kind.
      let fields = counts.last ?? 1
      return (fields > 1 ? counts.filter { $0 == fields }.count : 0, fields)
    }
    let best = candidates.map { ($0, agreement($0)) }.max { first, second in
      (first.1.agree, first.1.fields) < (second.1.agree, second.1.fields)
    }
    if let best, best.1.agree > 0 { return best.0 }
    return isSpaced(lines) ? UInt8(ascii: " ") : UInt8(ascii: ",")
  }

  /// Up to 20 lines that are not blank, without the last, which may be cut.
  private static func sampled(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    var lines: [ArraySlice<UInt8>] = []
    var start = bytes.startIndex
    var isQuoted = false
    for (index, byte) in zip(bytes.indices, bytes) {
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      guard !isQuoted, byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") else { continue }
      if bytes[start..<index].contains(where: { $0 > 0x20 }) { lines.append(bytes[start..<index]) }
      start = index + 1
      if lines.count == 20 { return lines }
    }
    if lines.isEmpty { lines.append(bytes[start...]) }
    return lines
  }

  private static func count(_ delimiter: UInt8, _ line: ArraySlice<UInt8>) -> Int {
    var isQuoted = false
    var fields = 1
    for byte in line {
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      if byte == delimiter, !isQuoted { fields += 1 }
    }
    return fields
  }

  /// Whether the lines hold the same number of words each, and numbers alone after the first line.
  private static func isSpaced(_ lines: [ArraySlice<UInt8>]) -> Bool {
    let words = lines.map { $0.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 }) }
    guard let width = words.first?.count, width > 1, words.allSatisfy({ $0.count == width }) else { return false }
    return words.dropFirst(words.count > 1 ? 1 : 0).allSatisfy { line in
      line.allSatisfy { isNumber(String(decoding: $0, as: UTF8.self)) }
    }
  }

  // MARK: The header

  /// Whether the first of `rows` names the columns: it holds no number and nothing twice or empty, and below it stand
  /// numbers, or words that come again where the first row's do not.
  static func isHeader(_ rows: [CSVRow]) -> Bool {
    guard let first = rows.first?.fields, !first.contains(where: { isNumber($0) }) else { return false }
    let rest = rows.dropFirst().filter { $0.count == first.count }.map(\.fields)
    guard !rest.isEmpty, Set(first).count == first.count, first.filter(\.isEmpty).count <= 1 else { return false }
    var repeats = false
    for column in first.indices {
      let below = rest.map { $0[column] }.filter { !MissingValue.isMissing($0) }
      if !below.isEmpty, below.allSatisfy({ isNumber($0) }) { return true }
      if below.contains(first[column]) { return false }
      if Set(below).count < below.count { repeats = true }
    }
    return repeats
  }

  /// scikit-learn's: the numbers of rows and features, then the names of the classes; the last column is the class.
  static func scikitLearn(_ rows: [CSVRow]) -> (names: [String], columns: Int)? {
    guard rows.count > 1, rows[0].count > 2, let count = Int(rows[0][0]), count > 0, let features = Int(rows[0][1]),
      features == rows[1].count - 1, rows.dropFirst().allSatisfy({ $0.count == features + 1 })
    else { return nil }
    let names = Array(rows[0].fields.dropFirst(2))
    let labels = rows.dropFirst().map { Int($0[features]) }
    guard !names.contains(where: { isNumber($0) }), labels.allSatisfy({ $0.map(names.indices.contains) ?? false })
    else {
      return nil
    }
    return (names, features + 1)
  }

  /// Names made unique, for columns without one or with one that another has.
  package static func unique(_ names: [String]) -> [String] {
    var seen: Set<String> = []
    return names.enumerated().map { index, name in
      var candidate = name.isEmpty ? "column \(index + 1)" : name
      while !seen.insert(candidate).inserted { candidate += " (column \(index + 1))" }
      return candidate
    }
  }

  static func isNumber(_ text: String) -> Bool { FieldParser.number(text) != nil }
}
