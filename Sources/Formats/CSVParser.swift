/// Cuts a stream of bytes into rows and fields.
struct CSVParser {
  var bytes: ByteCursor
  var delimiter = UInt8(ascii: ",")
  /// The most bytes of a row.
  let limit: Int
  private var line = 1
  /// The size of the last row: the next is like it.
  private var usual = (bytes: 0, fields: 0)
  /// What went wrong where rows were read before they were asked for.
  private var failure: (any Error)?

  private static let quote = UInt8(ascii: "\"")
  private static let space = UInt8(ascii: " ")
  private static let tab = UInt8(ascii: "\t")
  private static let newline = UInt8(ascii: "\n")
  private static let carriageReturn = UInt8(ascii: "\r")

  init(_ bytes: ByteCursor, limit: Int) {
    self.bytes = bytes
    self.limit = limit
  }

  /// As ``next()``, but what goes wrong is thrown by the call after this one.
  mutating func peekNext() throws -> CSVRow? {
    do { return try next() } catch {
      failure = error
      throw error
    }
  }

  mutating func skipLine() throws {
    line += 1
    while let byte = try bytes.peek() {
      bytes.position += 1
      if byte == Self.newline { return }
    }
  }

  /// The next row that is not blank; its number is the caller's to give.
  mutating func next() throws -> CSVRow? {
    if let failure { throw failure }
    while try bytes.peek() != nil {
      var row = CSVRow()
      row.line = line
      row.bytes.reserveCapacity(usual.bytes)
      row.ends.reserveCapacity(usual.fields)
      while try field(of: &row) {}
      usual = (row.bytes.count, row.count)
      let isBlank = row.bytes.isEmpty && row.count <= 1
      if !isBlank { return try checked(row) }
    }
    return nil
  }

  /// Reads one field with what ends it; false where that was the row's last.
  private mutating func field(of row: inout CSVRow) throws -> Bool {
    try skipSpace()
    if try bytes.peek() == Self.quote {
      try quotedField(of: &row)
    } else {
      let start = row.bytes.count
      try plainField(of: &row)
      while row.bytes.count > start, let last = row.bytes.last, isSpace(last) { row.bytes.removeLast() }
    }
    // Of runs of spaces, the last may stand before the line's end.
    if delimiter == Self.space { try skipSpace() }
    let end = try bytes.peek()
    // A line of spaces alone has no field before its end.
    row.ends.append(row.bytes.count)
    switch end {
    case delimiter?:
      bytes.position += 1
      return true
    case nil: return false
    case Self.carriageReturn?:
      bytes.position += 1
      if try bytes.peek() == Self.newline { bytes.position += 1 }
      line += 1
      return false
    case Self.newline?:
      bytes.position += 1
      line += 1
      return false
    default:
      // Only runs of spaces come here: another field follows.
      return true
    }
  }

  private func isSpace(_ byte: UInt8) -> Bool { byte == Self.space || byte == Self.tab && delimiter != Self.tab }

  private mutating func skipSpace() throws {
    while let byte = try bytes.peek(), isSpace(byte) { bytes.position += 1 }
  }

  private mutating func plainField(of row: inout CSVRow) throws {
    let (delimiter, newline, carriageReturn) = (delimiter, Self.newline, Self.carriageReturn)
    let tab = delimiter == Self.space ? Self.tab : delimiter
    while try bytes.peek() != nil {
      let start = bytes.position
      let end = bytes.chunk[start..<bytes.count].firstIndex { byte in
        byte == delimiter || byte == newline || byte == carriageReturn || byte == tab
      }
      row.bytes += bytes.chunk[start..<(end ?? bytes.count)]
      bytes.position = end ?? bytes.count
      try checkLimit(row)
      if end != nil { return }
    }
  }

  private mutating func quotedField(of row: inout CSVRow) throws {
    let start = line
    bytes.position += 1
    while let byte = try bytes.peek() {
      bytes.position += 1
      if byte == Self.quote {
        guard try bytes.peek() == Self.quote else { return try endQuoted(row) }
        bytes.position += 1
      }
      if byte == Self.newline { line += 1 }
      row.bytes.append(byte)
      try checkLimit(row)
    }
    throw error(
      "line \(start): the quote that begins there does not end",
      "Close it; a quote inside a field is written twice (\"\")")
  }

  /// After a closing quote only space may stand before the field's end.
  private mutating func endQuoted(_ row: CSVRow) throws {
    if delimiter != Self.space { try skipSpace() }
    switch try bytes.peek() {
    case nil, delimiter?, Self.newline?, Self.carriageReturn?: return
    case let byte?:
      throw error(
        "line \(line): \(quoted(String(decoding: [byte], as: UTF8.self))) follows a closing quote",
        "End the field there, or write a quote inside it twice (\"\")")
    }
  }

  private func checkLimit(_ row: CSVRow) throws {
    guard row.bytes.count > limit else { return }
    throw error(
      "line \(row.line): the row that begins there is longer than \(limit) bytes",
      "Look for a quote that does not end, or allow longer rows")
  }

  private func checked(_ row: CSVRow) throws -> CSVRow {
    guard row.bytes.contains(where: { $0 >= 0x80 || $0 == 0 }) else { return row }
    if row.bytes.contains(0) {
      throw error("line \(row.line): a zero byte stands there: this is no text", "Check that this is a CSV file")
    }
    guard String(validating: row.bytes, as: UTF8.self) != nil else {
      throw error(
        "line \(row.line) is not UTF-8", "Convert it, for example: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW")
    }
    return row
  }

  private func error(_ problem: String, _ remedy: String) -> FormatError {
    FormatError(path: bytes.stream.path, problem: problem, remedy: remedy)
  }
}
