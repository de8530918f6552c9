import CajalFormats
import CajalTensor

extension Preprocessing {
  /// What is learned.
  public var task: Task { target.classes == nil ? .regression : .classification }

  /// What a task would be inferred from `column` of a table as.
  public static func inferredTask(_ table: Table, _ column: Int) -> Task {
    switch table.kind(column) {
    case .text, .boolean: .classification
    case .number: .regression
    case .integer:
      Set((0..<table.count).compactMap { table.number($0, column) }).count <= maximumIntegerClasses
        ? .classification : .regression
    }
  }
}

extension Preprocessing.Target {
  init(_ table: Table, _ column: Int, _ task: Preprocessing.Task?) throws {
    self.column = table.names[column]
    position = column
    let isInferred = task == nil
    switch task ?? Preprocessing.inferredTask(table, column) {
    case .classification:
      let classes = try Self.classes(table, column, isInferred: isInferred)
      self.classes = classes
      let names = column == table.names.count - 1 ? table.labelNames : nil
      labels = classes.map { text in
        guard let names, let number = Int(text), names.indices ~= number else { return text }
        return names[number]
      }
      (mean, deviation) = (0, 1)
    case .regression:
      guard table.kind(column) != .text else {
        let row = (0..<table.count).first {
          FieldParser.number(table.text($0, column)) == nil && !table.isMissing($0, column)
        }
        throw FormatError(
          path: table.path,
          problem: "column \"\(table.names[column])\" is to be a number and holds "
            + "\"\(row.map { table.text($0, column) } ?? "")\" in \(row.map(table.place) ?? "a row")",
          remedy: "Mend the row, or learn classes")
      }
      let numbers = (0..<table.count).compactMap { table.number($0, column) }
      deviation = numbers.deviation
      mean = numbers.mean
      guard deviation > 0, deviation.isFinite else { throw Self.constant(table, column) }
      (classes, labels) = (nil, nil)
    }
  }

  /// The distinct texts of the column: numbers in their order, truths with the false one first, others by alphabet.
  private static func classes(_ table: Table, _ column: Int, isInferred: Bool) throws -> [String] {
    let (codes, texts) = table.coded(column)
    let present = Set(codes).filter { $0 >= 0 }.map { texts[$0] }
    guard present.count >= 2 else { throw constant(table, column) }
    let isName = table.kind(column) == .text && isInferred && present.count > max(20, table.count / 2)
    guard !isName else {
      throw FormatError(
        path: table.path,
        problem:
          "column \"\(table.names[column])\" has \(present.count) different texts in \(table.count) rows: no classes",
        remedy: "Choose another target")
    }
    guard table.kind(column) != .text else { return present.sorted() }
    let numbers = Dictionary(uniqueKeysWithValues: present.map { ($0, Table.number($0) ?? 0) })
    return present.sorted { (numbers[$0] ?? 0, $0) < (numbers[$1] ?? 0, $1) }
  }

  private static func constant(_ table: Table, _ column: Int) -> FormatError {
    let row = (0..<table.count).first { !table.isMissing($0, column) }
    return FormatError(
      path: table.path,
      problem: "column \"\(table.names[column])\" is to be learned and "
        + (row.map { "always is \"\(table.text($0, column))\"" } ?? "has no values"),
      remedy: "Choose another target, or add rows with other values")
  }

  /// The number of a label's class.
  func number(of label: String, numbers: [String: Int]) -> Int? {
    if let number = numbers[label] { return number }
    // Another way to write a number or a truth: 1.0 for 1, yes for True.
    let meaning = Table.Meaning(label)
    if case .number = meaning, let number = classes?.firstIndex(where: { Table.Meaning($0) == meaning }) {
      return number
    }
    // The test part of the adult income data ends its labels with a point.
    return label.hasSuffix(".") ? numbers[String(label.dropLast())] : nil
  }
}
