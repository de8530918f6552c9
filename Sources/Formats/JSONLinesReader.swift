/// A value of flat JSON.
public enum JSONScalar: Sendable, Equatable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
}

/// Reads JSON lines: a flat object a line, in memory that does not grow with the file, which may be gzip.
///
/// **Errors**: `FormatError` names the file, the line and the byte in it: what is no JSON, no object, or nested; a key
/// that comes twice; a line beyond the limit.
///
/// ```swift
/// let file = try JSONLinesReader("events.jsonl")
/// while let row = try file.next() { print(row) }  // [(key: "age", value: .number(31)), …]
/// ```
public final class JSONLinesReader {
  public typealias Row = [(key: String, value: JSONScalar)]

  public let path: String
  /// Of the row that `next` gave last, from 1.
  public private(set) var line = 0
  private let maximumLineBytes: Int
  private var bytes: ByteCursor

  /// Whether a file begins as JSON lines do: with `{`.
  public static func isJSON(_ path: String) throws -> Bool {
    var bytes = try ByteCursor(path)
    while let byte = try bytes.peek(), byte <= 0x20 { bytes.position += 1 }
    return try bytes.peek() == UInt8(ascii: "{")
  }

  public init(_ path: String, maximumLineBytes: Int = 16 << 20) throws {
    self.path = path
    self.maximumLineBytes = maximumLineBytes
    bytes = try ByteCursor(path)
    try bytes.skipByteOrderMark()
  }

  /// The keys and values of the next line that is not blank, in the line's order; `nil` at the end.
  public func next() throws -> Row? {
    while let text = try nextLine() {
      guard text.contains(where: { $0 > 0x20 }) else { continue }
      do { return try row(text) } catch let problem as JSONReader.Problem {
        throw FormatError(
          path: path, problem: "line \(line), byte \(problem.offset): \(problem.text)",
          remedy: "Write one object of numbers, strings, true, false and null on each line")
      }
    }
    return nil
  }

  private func row(_ text: [UInt8]) throws -> Row {
    var row: Row = []
    var reader = JSONReader(text)
    try reader.object { reader, key in row.append((key, try reader.scalar())) }
    try reader.end()
    return row
  }

  /// The bytes of the next line without its end.
  private func nextLine() throws -> [UInt8]? {
    guard try bytes.peek() != nil else { return nil }
    line += 1
    var text: [UInt8] = []
    while try bytes.peek() != nil {
      let start = bytes.position
      let end = bytes.chunk[start..<bytes.count].firstIndex(of: UInt8(ascii: "\n"))
      text += bytes.chunk[start..<(end ?? bytes.count)]
      bytes.position = end.map { $0 + 1 } ?? bytes.count
      guard text.count <= maximumLineBytes else {
        throw FormatError(
          path: path, problem: "line \(line) is longer than \(maximumLineBytes) bytes",
          remedy: "Check that this is JSON lines: one object a line")
      }
      if end != nil { break }
    }
    return text
  }
}
