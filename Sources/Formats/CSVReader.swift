/// One row of a CSV file.
public struct CSVRow: Sendable {
  /// From 1; a heading does not count.
  public internal(set) var number = 0
  /// From 1: where in the file the row begins.
  public internal(set) var line = 0
  /// The fields' bytes, one field after the other, without quotes.
  var bytes: [UInt8] = []
  /// Where in `bytes` each field ends.
  var ends: [Int] = []

  /// How many fields there are.
  public var count: Int { ends.count }

  /// The text of a field: valid UTF-8, which the reader has checked.
  public subscript(_ field: Int) -> String { String(decoding: bytes[range(field)], as: UTF8.self) }

  /// All fields' texts.
  public var fields: [String] { (0..<count).map { self[$0] } }

  /// Calls `body` with the bytes of a field.
  public func withBytes<Result>(_ field: Int, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result
  {
    try bytes.withUnsafeBufferPointer { try body(UnsafeBufferPointer(rebasing: $0[range(field)])) }
  }

  private func range(_ field: Int) -> Range<Int> { (field == 0 ? 0 : ends[field - 1])..<ends[field] }
}

/// Reads comma-separated values (RFC 4180) row by row, in memory that does not grow with the file.
///
/// The file may be gzip (its first bytes say so), begin with a byte-order mark, and end its lines with LF, CRLF or
/// CR. A field in quotes may hold delimiters, line ends and doubled quotes. Space around fields, which RFC 4180
/// would keep, is dropped outside quotes; blank lines are skipped.
///
/// What the caller does not say is found from the first rows: the delimiter (comma, semicolon, tab, or runs of
/// spaces between numbers), and whether a header names the columns. The heading of scikit-learn's toy sets (rows,
/// features, names of classes) is one too: it gives ``labelNames``.
///
/// **Errors**: `FormatError` names the file, the line and the row: a row of another number of fields than the first,
/// a quote that does not end, bytes that are not UTF-8, a row beyond the limit, and all those of `Gzip`.
///
/// ```swift
/// let file = try CSVReader("people.csv.gz")
/// while let row = try file.next() { print(row.number, row[0]) }
/// ```
public final class CSVReader {
  /// What is known of a file beforehand.
  public struct Options: Sendable {
    /// `nil`: found from the first rows.
    public var delimiter: Character?
    /// Whether the first row names the columns; `nil`: found from the first rows.
    public var hasHeader: Bool?
    /// The most bytes of a row: a quote that does not end would take the whole file.
    public var maximumRowBytes = 16 << 20
    /// Lines before the header or the first row that are none.
    public var skippedLines = 0

    public init(delimiter: Character? = nil, hasHeader: Bool? = nil) {
      self.delimiter = delimiter
      self.hasHeader = hasHeader
    }
  }

  public let path: String
  public let delimiter: Character
  /// The names of the columns, if the file has a header.
  public private(set) var header: [String]?
  /// The names of classes that scikit-learn's heading gives.
  public private(set) var labelNames: [String]?
  /// How many fields each row has; 0 of an empty file.
  public private(set) var columns = 0

  private var parser: CSVParser
  /// Rows that were read to find the header.
  private var ahead: [CSVRow] = []
  private var number = 0

  public init(_ path: String, _ options: Options = Options()) throws {
    self.path = path
    parser = CSVParser(try ByteCursor(path), limit: options.maximumRowBytes)
    try parser.bytes.skipByteOrderMark()
    for _ in 0..<max(0, options.skippedLines) { try parser.skipLine() }
    if let delimiter = options.delimiter {
      guard let byte = delimiter.asciiValue, byte != 0x22, byte != 0x0A, byte != 0x0D else {
        throw FormatError(
          path: path, problem: "\(quoted(String(delimiter))) cannot be a delimiter",
          remedy: "Use an ASCII character, such as a comma")
      }
      parser.delimiter = byte
    } else {
      parser.delimiter = try CSVHeading.delimiter(in: &parser.bytes)
    }
    delimiter = Character(Unicode.Scalar(parser.delimiter))
    try findHeader(options.hasHeader)
  }

  /// The next row, or `nil` at the end.
  public func next() throws -> CSVRow? {
    guard var row = ahead.isEmpty ? try parser.next() : ahead.removeFirst() else { return nil }
    number += 1
    row.number = number
    if columns == 0 { columns = row.count }
    guard row.count == columns else {
      throw FormatError(
        path: path,
        problem: "line \(row.line) (row \(number)) has \(row.count) field\(row.count == 1 ? "" : "s") "
          + "where \(columns) were expected",
        remedy: "Give each row as many fields as the first, and put fields with \(quoted(String(delimiter))) in quotes")
    }
    return row
  }

  private func findHeader(_ said: Bool?) throws {
    // As many rows as tell numbers from names; what is wrong in later ones is told when they are read.
    while ahead.count < 20, let row = try ahead.isEmpty ? parser.next() : (try? parser.peekNext()) { ahead.append(row) }
    guard let first = ahead.first else { return }
    if said == nil, let heading = CSVHeading.scikitLearn(ahead) {
      labelNames = heading.names
      columns = heading.columns
      ahead.removeFirst()
      return
    }
    guard said ?? CSVHeading.isHeader(ahead) else { return }
    columns = first.count
    header = CSVHeading.unique(first.fields)
    ahead.removeFirst()
  }
}
