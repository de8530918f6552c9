import CajalBase
import CajalFormats
import Foundation

/// Named columns of numbers, truths and texts, in memory.
///
/// What a column holds is inferred from all its fields; a field that is empty, `?`, `NA`, `NaN`, `null` or `None` is
/// missing. Every field keeps its text as it stands in the file.
///
/// ```swift
/// let table = try Table(contentsOf: "titanic.csv")
/// let target = try table.column("Survived")
/// ```
public struct Table: Sendable {
  /// What all fields of a column can be read as.
  public enum Kind: String, Codable, Sendable {
    /// Digits alone, with a sign.
    case integer
    case number
    /// `true` and `false`, or `yes` and `no`, in any case.
    case boolean
    case text
  }

  /// The file that it came from, for errors.
  public var path: String { storage.heading.path }
  /// The names of the columns; `column 1` and so on where the file has none.
  public internal(set) var names: [String]
  /// Whether the file names its columns.
  public internal(set) var hasHeader: Bool
  /// The names of the classes 0, 1, … of the last column, where the file's heading gives them.
  public var labelNames: [String]? { storage.heading.labelNames }
  /// How many rows.
  public var count: Int { rows.count }

  let storage: Storage
  /// Which rows of the storage these are.
  private(set) var rows: [Int]

  init(_ storage: Storage) {
    self.storage = storage
    names = storage.names
    hasHeader = storage.heading.names != nil
    rows = Array(0..<storage.count)
  }

  /// Reads a whole file: CSV, or JSON lines where it begins with `{`; gzip or not.
  ///
  /// - Throws: ``FormatError`` with file, line and row, also where there is no row.
  public init(contentsOf path: String, options: CSVReader.Options = .init()) throws {
    self = try JSONLinesReader.isJSON(path) ? Table(jsonLines: path) : Table(csv: path, options: options)
  }

  /// Reads a whole CSV file; see `CSVReader`.
  public init(csv path: String, options: CSVReader.Options = .init()) throws {
    let file = try CSVReader(path, options)
    var builder = Storage.Builder(Heading(file))
    while let row = try file.next() { builder.append(row) }
    self.init(try builder.storage())
  }

  /// Reads a whole file of JSON lines: a column for each key, missing where a line does not have it.
  public init(jsonLines path: String) throws {
    let file = try JSONLinesReader(path)
    var lines: [(line: Int, row: JSONLinesReader.Row)] = []
    var (names, places) = ([String](), [String: Int]())
    while let row = try file.next() {
      for (key, _) in row where places[key] == nil {
        places[key] = names.count
        names.append(key)
      }
      lines.append((file.line, row))
    }
    var builder = Storage.Builder(Heading(path: path, names: names))
    for (number, (line, row)) in lines.enumerated() {
      var fields = [String](repeating: "", count: names.count)
      for (key, value) in row { if let place = places[key] { fields[place] = value.field } }
      builder.append(fields, number: number + 1, line: line)
    }
    self.init(try builder.storage())
  }

  /// Some rows of a file.
  init(_ rows: [CSVRow], _ heading: Heading) throws {
    var builder = Storage.Builder(heading)
    for row in rows { builder.append(row) }
    self.init(try builder.storage())
  }

  /// Columns of texts, for tables that are in no file.
  ///
  /// - Throws: ``FormatError`` where rows differ in length from `names`, or there is none.
  public init(names: [String], rows: [[String]]) throws {
    var builder = Storage.Builder(Heading(names: names))
    for (index, row) in rows.enumerated() {
      guard row.count == names.count else {
        throw FormatError(
          path: builder.heading.path,
          problem: "row \(index + 1) has \(row.count) fields where \(names.count) are named",
          remedy: "Give each row a field for each name")
      }
      builder.append(row, number: index + 1, line: index + 1)
    }
    self.init(try builder.storage())
  }

  // MARK: Fields

  /// What all fields of a column, in the whole file, can be read as.
  public func kind(_ column: Int) -> Kind { storage.columns[column].kind }

  /// The text of a field.
  public func text(_ row: Int, _ column: Int) -> String { storage.text(rows[row], column) }

  public func isMissing(_ row: Int, _ column: Int) -> Bool { storage.isMissing(rows[row], column) }

  /// The number of a field, 0 and 1 of a truth; `nil` where it is missing, or text.
  public func number(_ row: Int, _ column: Int) -> Double? { storage.number(rows[row], column) }

  /// As ``number(_:_:)``, also of a column in which another field is text.
  func readNumber(_ row: Int, _ column: Int) -> Double? {
    if kind(column) != .text { return number(row, column) }
    return Table.number(text(row, column))
  }

  /// A number for each row, from 0: the same where fields hold the same; −1 where one is missing. Numbers are the same
  /// by value (`1` and `1.0`), truths by meaning (`yes` and `True`), texts as they are written.
  public func codes(_ column: Int) -> [Int] { coded(column).codes }

  /// ``codes(_:)``, and by them how each value was written first.
  func coded(_ column: Int) -> (codes: [Int], texts: [String]) {
    if case .codes(let codes, let texts) = storage.columns[column].values {
      return (rows.map { Int(codes[$0]) }, texts)
    }
    var (texts, known) = ([String](), [Meaning: Int]())
    let codes = (0..<count).map { row -> Int in
      guard let number = number(row, column) else { return -1 }
      let text = text(row, column).trimmingCharacters(in: .whitespaces)
      let meaning = Meaning(text, number)
      if let code = known[meaning] { return code }
      known[meaning] = texts.count
      texts.append(text)
      return texts.count - 1
    }
    return (codes, texts)
  }

  /// What makes fields the same.
  enum Meaning: Hashable {
    case number(Double)
    case text(String)

    /// - Parameter number: that of the text, if it has one.
    init(_ text: String, _ number: Double?) {
      // Doubles do not tell larger integers apart.
      if let number, abs(number) < 0x1p53 { self = .number(number) } else { self = .text(text) }
    }

    /// Numbers and truths by what they mean.
    init(_ text: String) { self.init(text, Table.number(text)) }
  }

  /// The number of a text, 0 and 1 of a truth.
  static func number(_ text: String) -> Double? { FieldParser.number(text) ?? text.withUTF8Bytes(Storage.truth) }

  /// Where a row stands in its file: `row 3 (line 4)`.
  public func place(_ row: Int) -> String {
    let (number, line) = storage.places[rows[row]]
    return number == line ? "row \(number)" : "row \(number) (line \(line))"
  }

  // MARK: Rows

  /// The rows that `indices` name, in their order.
  public func selecting(_ indices: [Int]) -> Table {
    var table = self
    table.rows = indices.map { rows[$0] }
    return table
  }

  /// The rows that have a value in `column`.
  public func droppingMissing(in column: Int) -> Table {
    selecting((0..<count).filter { !isMissing($0, column) })
  }

  /// Parts that share no row, each with the same share of every value of `stratum`, a column, if there is one.
  public func split(_ fractions: [Double], stratifiedBy stratum: Int? = nil, seed: UInt64) throws -> [Table] {
    try Partition.split(count, fractions, strata: stratum.map(codes), seed: seed).map(selecting)
  }

  /// `count` pairs of parts: each row is in one part to test with.
  public func folds(
    _ count: Int, stratifiedBy stratum: Int? = nil, seed: UInt64
  ) throws -> [(train: Table, test: Table)] {
    let folds = try Partition.folds(self.count, count, strata: stratum.map(codes), seed: seed)
    return folds.map { fold in
      let tested = Set(fold)
      return (selecting((0..<self.count).filter { !tested.contains($0) }), selecting(fold))
    }
  }
}

extension JSONScalar {
  /// As a table's field.
  fileprivate var field: String {
    switch self {
    case .null: ""
    case .bool(let truth): truth ? "true" : "false"
    case .string(let text): text
    case .number(let number): Int64(exactly: number).map { "\($0)" } ?? "\(number)"
    }
  }
}

extension String {
  fileprivate func withUTF8Bytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
    var text = self
    return text.withUTF8(body)
  }
}
