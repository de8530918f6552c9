import CajalFormats
import Foundation

extension Preprocessing {
  /// What is to be learned.
  public enum Task: String, Sendable, CaseIterable {
    case classification, regression
  }

  /// How columns are encoded.
  public struct Options: Sendable {
    public enum Numbers: String, Sendable, CaseIterable {
      /// Mean 0 and deviation 1; columns with far outliers are drawn together first, by asinh: about 0 where no number
      /// is negative, about the median otherwise. Where there are thousands of rows, each number also comes in pieces
      /// between quantiles.
      case automatic
      /// Mean 0 and deviation 1.
      case standardized
      /// From 0 to 1.
      case minMax
      /// Median 0, drawn together by asinh, then mean 0 and deviation 1.
      case robust
      /// As they are.
      case unscaled
    }

    public enum Categories: String, Sendable, CaseIterable { case oneHot, ordinal }
    public enum Words: String, Sendable, CaseIterable { case counts, tfIdf }
    public enum Fill: String, Sendable, CaseIterable { case mean, median, mostFrequent }

    public var numbers = Numbers.automatic
    public var categories = Categories.oneHot
    public var words = Words.counts
    /// What takes the place of a missing number.
    public var missing = Fill.median
    /// Whether a column that has missing values gets one more, 1 where it is missing.
    public var flagsMissing = true
    /// Whether categories that training did not have are errors; else they become zeros.
    public var refusesUnknown = false
    /// Columns of more categories keep the most frequent ones, or become words where they hold sentences.
    public var maximumCategories = 64
    /// The most words of a column of sentences.
    public var maximumWords = 256

    public init() {}
  }

  /// The most distinct integers that are classes: as the textbooks' examples go, of which digits have 10.
  static let maximumIntegerClasses = 20

  /// Finds out how to encode the columns of `table`, the part to train on.
  ///
  /// - Parameters:
  ///   - target: the column to say: its name, or its number from 1, or −1 for the last.
  ///   - task: inferred if `nil`: text, truths and at most 20 distinct integers are classes.
  ///   - features: the columns to see; all others if `nil`.
  /// - Throws: ``FormatError`` where there is no such column, or nothing to learn.
  public static func fit(
    _ table: Table, target: String, task: Task? = nil, features: [String]? = nil, options: Options = Options()
  ) throws -> Preprocessing {
    let goal = try table.column(target)
    let seen = try features?.map(table.column) ?? Array(table.names.indices)
    var notes: [String] = []
    let encoded = seen.filter { $0 != goal }.compactMap { column -> Feature? in
      let fit = ColumnFit(table: table, column: column, options: options)
      if let reason = fit.uselessness {
        notes.append("\(table.names[column]): left out, \(reason)")
        return nil
      }
      return fit.feature
    }
    guard !encoded.isEmpty else {
      throw FormatError(
        path: table.path, problem: "no column beside \"\(table.names[goal])\" tells rows apart",
        remedy: "Give at least one column whose values differ")
    }
    return Preprocessing(
      features: encoded, target: try Target(table, goal, task), columnCount: table.names.count,
      refusesUnknown: options.refusesUnknown, notes: notes)
  }
}

/// One column of the part to train on.
private struct ColumnFit {
  let table: Table
  let column: Int
  let options: Preprocessing.Options
  private let numbers: [Double]
  private let isNumeric: Bool
  private let hasMissing: Bool

  init(table: Table, column: Int, options: Preprocessing.Options) {
    self.table = table
    self.column = column
    self.options = options
    isNumeric = table.kind(column) != .text
    numbers = isNumeric ? (0..<table.count).compactMap { table.number($0, column) } : []
    hasMissing = (0..<table.count).contains { table.isMissing($0, column) }
  }

  private var name: String { table.names[column] }

  /// Why the column tells nothing, if so.
  var uselessness: String? {
    if isNumeric {
      guard let first = numbers.first else { return "all values are missing" }
      if numbers.allSatisfy({ $0 == first }), !hasMissing { return "all values are \(table.text(0, column))" }
      let isNamedNumber = ["id", "index", "column 1", "row"].contains { name.lowercased().hasSuffix($0) }
      // A number of its own for each row is learned by heart and says nothing of another.
      if table.hasHeader, isNamedNumber, table.kind(column) == .integer, numbers.count > 20,
        Set(numbers).count == table.count
      {
        return "it numbers the rows"
      }
      return nil
    }
    let (codes, texts) = table.coded(column)
    let distinct = Set(codes)
    if distinct == [-1] { return "all values are missing" }
    if distinct.count == 1, let code = distinct.first { return "all values are \"\(texts[code])\"" }
    return feature.width == 0 ? "no value comes often enough" : nil
  }

  var feature: Preprocessing.Feature {
    Preprocessing.Feature(
      column: name, position: column, encoding: isNumeric ? numberEncoding : textEncoding,
      flagsMissing: hasMissing && options.flagsMissing)
  }

  // MARK: Numbers

  private var numberEncoding: Preprocessing.Encoding {
    let edges = options.numbers == .automatic ? quantiles : []
    return edges.count > Self.pieces / 2 ? .pieces(scaling, edges: edges) : .number(scaling)
  }

  private static let pieces = 16

  /// Edges of pieces with as many rows each: enough rows to learn a slope from.
  private var quantiles: [Double] {
    guard numbers.count >= 256 * Self.pieces else { return [] }
    let sorted = numbers.sorted()
    var edges: [Double] = []
    for piece in 0...Self.pieces {
      let edge = sorted[piece * (sorted.count - 1) / Self.pieces]
      if edges.last.map({ $0 < edge }) ?? true { edges.append(edge) }
    }
    return edges
  }

  private var scaling: Preprocessing.Scaling {
    let sorted = numbers.sorted()
    let median = sorted[sorted.count / 2]
    let fill =
      switch options.missing {
      case .mean: numbers.mean
      case .median: median
      case .mostFrequent: sorted.mostFrequent
      }
    var scaling = Preprocessing.Scaling(fill: fill)
    let isRobust = options.numbers == .robust || options.numbers == .automatic && hasFarOutliers
    switch options.numbers {
    case .unscaled: return scaling
    case .minMax:
      scaling.offset = sorted[0]
      scaling.factor = Preprocessing.Scaling.factor(half: sorted[sorted.count - 1] / 2 - sorted[0] / 2)
      return scaling
    case .automatic, .standardized, .robust: break
    }
    if options.numbers == .automatic, isRobust, sorted[0] >= 0, let least = sorted.first(where: { $0 > 0 }) {
      // Amounts: nearly their logarithms, so that ratios become differences.
      let positive = sorted.filter { $0 > 0 }
      scaling.spread = Swift.max(least, positive[positive.count / 20])
    } else if isRobust {
      let deviations = sorted.map { min(abs($0 - median), .greatestFiniteMagnitude) }.filter { $0 > 0 }.sorted()
      scaling.center = median
      scaling.spread = deviations.isEmpty ? 0 : deviations[deviations.count / 2]
    }
    let curved = numbers.map { scaling($0) }
    scaling.offset = curved.mean
    scaling.factor = Preprocessing.Scaling.factor(half: curved.deviation / 2)
    // Pixels that are hardly ever lit would come out as hundreds of deviations.
    scaling.limit = 8
    return scaling
  }

  /// Whether the third moment is large: the normal distribution has 0, the exponential 2, incomes of areas 1.6.
  private var hasFarOutliers: Bool {
    let (mean, deviation) = (numbers.mean, numbers.deviation)
    guard deviation > 0 else { return false }
    let skewness =
      numbers.reduce(0) { $0 + pow(($1 / 2 - mean / 2) / deviation * 2, 3) } / Double(numbers.count)
    return abs(skewness) > 1.5
  }

  // MARK: Text

  private var textEncoding: Preprocessing.Encoding {
    let (codes, texts) = table.coded(column)
    var counts = [Int](repeating: 0, count: texts.count)
    for code in codes where code >= 0 { counts[code] += 1 }
    var present = texts.indices.filter { counts[$0] > 0 }
    if present.count > options.maximumCategories {
      if isProse(present.map { texts[$0] }) { return words(codes, texts) }
      // What came rarely says nothing reliable.
      let rare = max(2, table.count / 200)
      present = present.filter { counts[$0] >= rare }.sorted { (counts[$1], $0) < (counts[$0], $1) }
      present = Array(present.prefix(options.maximumCategories))
    }
    let categories = present.map { texts[$0] }.sorted()
    return options.categories == .oneHot ? .oneHot(categories: categories) : .ordinal(categories: categories)
  }

  /// Whether texts are of two words or more on average.
  private func isProse(_ texts: [String]) -> Bool {
    texts.reduce(0) { $0 + Words.of($1).count } >= 2 * texts.count
  }

  private func words(_ codes: [Int], _ texts: [String]) -> Preprocessing.Encoding {
    var documents: [String: Int] = [:]
    let split = texts.map { Set(Words.of($0)) }
    for code in codes where code >= 0 { for word in split[code] { documents[word, default: 0] += 1 } }
    let rare = max(2, table.count / 200)
    let kept = documents.filter { $0.value >= rare }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    let vocabulary = kept.prefix(options.maximumWords).sorted { $0.key < $1.key }
    let isWeighted = options.words == .tfIdf
    // Smoothed as scikit-learn's TfidfVectorizer does: as if one more text had each word.
    let weights = vocabulary.map { isWeighted ? log(Double(1 + table.count) / Double(1 + $0.value)) + 1 : 1 }
    return .words(vocabulary: vocabulary.map(\.key), weights: weights, isNormalized: isWeighted)
  }
}

enum Words {
  /// Runs of letters and digits, in small letters.
  static func of(_ text: String) -> [String] {
    text.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
  }
}

extension [Double] {
  /// The power of two that the greatest is at least once and less than twice: numbers of up to 1.8e308 over it have
  /// sums and squares.
  private var unit: Double {
    let greatest = reduce(0) { Swift.max($0, abs($1)) }
    return greatest > 0 ? greatest.binade : 1
  }

  var mean: Double {
    // From the first number on, so that large ones that are all alike do not round.
    guard let first else { return 0 }
    let unit = unit
    return (first / unit + reduce(0) { $0 + ($1 / unit - first / unit) } / Double(count)) * unit
  }

  /// Of the whole population.
  var deviation: Double {
    let (unit, mean) = (unit, mean)
    let squares = reduce(0) { sum, number in
      let difference = number / unit - mean / unit
      return sum + difference * difference
    }
    // Rounding must not make infinity of the greatest number.
    return Swift.min((squares / Double(Swift.max(1, count))).squareRoot() * unit, .greatestFiniteMagnitude)
  }

  /// Of sorted numbers, the one that comes most often; the first of these.
  fileprivate var mostFrequent: Double {
    var (best, bestCount, run) = (self[0], 0, 0)
    for index in indices {
      run = index > 0 && self[index] == self[index - 1] ? run + 1 : 1
      if run > bestCount { (best, bestCount) = (self[index], run) }
    }
    return best
  }
}
