import CajalBase
import CajalFormats
import CajalTensor
import Foundation

extension Preprocessing {
  /// The columns that are seen, as numbers.
  ///
  /// The columns are found by name; in a table without a header by place, also where it lacks the target.
  ///
  /// **Shapes**: `[rows, width]`, float32.
  /// - Throws: ``FormatError`` where a column is missing, a number is none, or a category is unknown and that is refused.
  public func transform(_ table: Table) throws -> Tensor {
    let width = width
    var numbers = [Float](repeating: 0, count: table.count * width)
    var start = 0
    for feature in features {
      let column = try place(of: feature.column, at: feature.position, in: table)
      try numbers.withUnsafeMutableBufferPointer {
        try fill(feature, from: table, column, into: Target2D(base: $0.baseAddress, width: width, start: start))
      }
      start += feature.width
    }
    return numbers.withUnsafeBytes { Tensor(bytes: $0, shape: [table.count, width], dtype: .float32) }
  }

  /// What is to be said of each row.
  ///
  /// **Shapes**: classes: `[rows]`, int32; numbers: `[rows, 1]`, float32, with mean 0 and deviation 1 in training.
  /// - Throws: ``FormatError`` where the column is missing, a value is, or a label was not among those trained on.
  public func targets(_ table: Table) throws -> Tensor {
    let column = try place(of: target.column, at: target.position, in: table)
    if let classes = target.classes { return Tensor(try labels(table, column, classes)) }
    let numbers = try (0..<table.count).map { row -> Float in
      guard let number = table.readNumber(row, column) else {
        throw misfit(table, row, column, table.isMissing(row, column) ? "a value is missing" : "it is no number")
      }
      return Float((number / 2 - target.mean / 2) / target.deviation * 2)
    }
    return Tensor(numbers, shape: [table.count, 1])
  }

  /// Inputs and targets.
  public func data(_ table: Table) throws -> LabeledData {
    LabeledData(inputs: try transform(table), targets: try targets(table), classes: target.classes?.count)
  }

  /// Numbers that a network said, in the table's own measure: float64, which holds whatever a table does.
  public func inverse(_ predictions: Tensor) -> Tensor {
    // In halves, as in ``Scaling``.
    let (deviation, mean): (Double, Double) = (target.deviation / 2, target.mean / 2)
    return (predictions.cast(to: .float64) * deviation + mean) * 2
  }

  /// To the seven digits of the target's deviation that float32 has.
  package func rounded(_ prediction: Double) -> Double {
    let digits = 6 - log10(target.deviation).rounded(.down)
    let scale = pow(10, abs(digits))
    let rounded =
      digits < 0 ? (prediction / scale).rounded() * scale : (prediction * scale).rounded() / scale
    return rounded.isFinite ? rounded : prediction
  }

  /// A stream of batches from a file that need not fit into memory.
  ///
  /// - Parameters:
  ///   - batchSize: rows of a batch.
  ///   - shuffleBuffer: how many rows are held to draw the next from; 0 keeps the file's order.
  ///   - workers: threads that make batches of rows ahead of the reader.
  ///
  /// ```swift
  /// let preprocessing = try Preprocessing.fit(Table(sampling: "large.csv.gz"), target: "-1")
  /// let batches = preprocessing.batches(csv: "large.csv.gz", batchSize: 128, shuffleBuffer: 10_000)
  /// ```
  public func batches(
    csv path: String, options: CSVReader.Options = .init(), batchSize: Int, shuffleBuffer: Int = 0, seed: UInt64 = 0,
    workers: Int = 2
  ) -> Dataset<Batch> {
    let rows = Dataset<(CSVRow, Table.Heading)> {
      let file = try CSVReader(path, options)
      let heading = Table.Heading(file)
      return { try file.next().map { ($0, heading) } }
    }
    let ordered = shuffleBuffer > 0 ? rows.shuffled(seed: seed, buffer: shuffleBuffer) : rows
    return ordered.batched(batchSize) { $0 }.map(workers: Swift.max(1, workers)) { rows in
      let table = try Table(rows.map { $0.0 }, rows[0].1)
      return Batch(inputs: try transform(table), targets: try targets(table))
    }
  }

  // MARK: Columns

  private func place(of name: String, at position: Int, in table: Table) throws -> Int {
    if table.hasHeader, let place = table.names.firstIndex(of: name) { return place }
    if !table.hasHeader || name == "column \(position + 1)" {
      if table.names.count == columnCount { return position }
      // A table to predict for lacks the target.
      if table.names.count == columnCount - 1, position != target.position {
        return position < target.position ? position : position - 1
      }
      throw FormatError(
        path: table.path, problem: "it has \(table.names.count) columns; the model was trained on \(columnCount)",
        remedy: "Give it the same columns, with the target or without")
    }
    return try table.column(name)
  }

  /// Where a feature's numbers go: rows of `width`, from `start` on.
  private struct Target2D {
    let base: UnsafeMutablePointer<Float>?
    let width: Int
    let start: Int

    func put(_ number: Double, _ row: Int, _ offset: Int = 0) { base?[row * width + start + offset] = Float(number) }
  }

  private func fill(_ feature: Feature, from table: Table, _ column: Int, into target: Target2D) throws {
    let flag = feature.encoding.width
    if feature.flagsMissing {
      for row in 0..<table.count where table.isMissing(row, column) { target.put(1, row, flag) }
    }
    switch feature.encoding {
    case .number(let scaling):
      try forEachNumber(table, column, scaling) { row, number in target.put(scaling(number), row) }
    case .pieces(let scaling, let edges):
      try forEachNumber(table, column, scaling) { row, number in
        target.put(scaling(number), row)
        for piece in 1..<edges.count where number > edges[piece - 1] {
          let (low, high) = (edges[piece - 1] / 2, edges[piece] / 2)
          target.put(min(1, (number / 2 - low) / (high - low)), row, piece)
        }
      }
    case .oneHot(let categories):
      try forEachCategory(table, column, categories) { row, place in if let place { target.put(1, row, place) } }
    case .ordinal(let categories):
      try forEachCategory(table, column, categories) { row, place in target.put(Double(place ?? -1), row) }
    case .words(let vocabulary, let weights, let isNormalized):
      let places = Dictionary(uniqueKeysWithValues: vocabulary.enumerated().map { ($1, $0) })
      let (codes, texts) = table.coded(column)
      let vectors = texts.map { text in vector(text, places, weights, isNormalized) }
      for row in 0..<table.count where codes[row] >= 0 {
        for (place, weight) in vectors[codes[row]] { target.put(weight, row, place) }
      }
    }
  }

  /// Calls `body` with each row's number, or what a missing one counts as.
  private func forEachNumber(
    _ table: Table, _ column: Int, _ scaling: Scaling, _ body: (_ row: Int, _ number: Double) -> Void
  ) throws {
    for row in 0..<table.count {
      let number = table.readNumber(row, column)
      guard number != nil || table.isMissing(row, column) else { throw misfit(table, row, column, "it is no number") }
      body(row, number ?? scaling.fill)
    }
  }

  /// The places that are not 0, in their order.
  private func vector(
    _ text: String, _ places: [String: Int], _ weights: [Double], _ isNormalized: Bool
  ) -> [(place: Int, weight: Double)] {
    var counts: [Int: Double] = [:]
    for place in Words.of(text).compactMap({ places[$0] }) { counts[place, default: 0] += weights[place] }
    let sorted = counts.sorted { $0.key < $1.key }
    let length = isNormalized ? sorted.reduce(0) { $0 + $1.value * $1.value }.squareRoot() : 1
    return sorted.map { ($0.key, length > 0 ? $0.value / length : 0) }
  }

  /// Calls `body` with the place of each row's category, `nil` where it is missing or not known.
  private func forEachCategory(
    _ table: Table, _ column: Int, _ categories: [String], _ body: (_ row: Int, _ place: Int?) -> Void
  ) throws {
    let known = Dictionary(uniqueKeysWithValues: categories.enumerated().map { ($1, $0) })
    let (codes, texts) = table.coded(column)
    let places = texts.map { known[$0] }
    for row in 0..<table.count {
      let place = codes[row] < 0 ? nil : places[codes[row]]
      if refusesUnknown, codes[row] >= 0, place == nil {
        throw misfit(table, row, column, "training had no such category")
      }
      body(row, place)
    }
  }

  private func labels(_ table: Table, _ column: Int, _ classes: [String]) throws -> [Int32] {
    let numbers = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, $0) })
    let (codes, texts) = table.coded(column)
    let places = texts.map { target.number(of: $0, numbers: numbers) }
    return try (0..<table.count).map { row in
      guard codes[row] >= 0 else { throw misfit(table, row, column, "a value is missing") }
      guard let place = places[codes[row]] else {
        let known = classes.prefix(10).map { "\"\($0)\"" }.joined(separator: ", ")
        throw misfit(table, row, column, "training had no such label, only \(known)\(classes.count > 10 ? ", …" : "")")
      }
      return Int32(place)
    }
  }

  private func misfit(_ table: Table, _ row: Int, _ column: Int, _ problem: String) -> FormatError {
    FormatError(
      path: table.path,
      problem: "\(table.place(row)): \"\(table.text(row, column))\" in column \"\(table.names[column])\": \(problem)",
      remedy: "Mend the row or leave it out")
  }
}
