import CajalBase
import CajalFormats
import CajalTensor
import Foundation

/// How the rows of a table become numbers for a network: fitted on the part to train on, applied to any other, and
/// saved inside the model file (under the metadata key ``metadataKey``).
///
/// ```swift
/// let table = try Table(contentsOf: "wine.csv")
/// let parts = try table.split([0.8, 0.2], stratifiedBy: table.column("-1"), seed: 1)
/// let preprocessing = try Preprocessing.fit(parts[0], target: "-1")
/// let (train, test) = (try preprocessing.data(parts[0]), try preprocessing.data(parts[1]))
/// ```
public struct Preprocessing: Codable, Sendable, Equatable {
  /// Where the metadata of a model file keeps the JSON.
  public static let metadataKey = "cajal.preprocessing"

  /// The columns that are seen, in the order of the file.
  public internal(set) var features: [Feature]
  /// The column that is to be said.
  public internal(set) var target: Target
  /// How many columns the table had.
  let columnCount: Int
  /// Whether categories that training did not have are errors; zeros otherwise.
  let refusesUnknown: Bool
  /// What a user should know: columns that were left out, and why.
  public internal(set) var notes: [String]

  /// How many numbers a row becomes.
  public var width: Int { features.map(\.width).reduce(0, +) }

  /// What each number of a row is: `age`, `color=red`, `age is missing`.
  public var featureNames: [String] { features.flatMap(\.names) }

  /// One column and what becomes of it.
  public struct Feature: Codable, Sendable, Equatable {
    public let column: String
    /// From 0, for tables without a header.
    let position: Int
    public let encoding: Encoding
    /// Whether one more number says that the value is missing.
    let flagsMissing: Bool

    var width: Int { encoding.width + (flagsMissing ? 1 : 0) }

    var names: [String] {
      let values =
        switch encoding {
        case .number, .ordinal: [column]
        case .pieces(_, let edges): [column] + edges.dropFirst().map { "\(column) up to \($0)" }
        case .oneHot(let categories): categories.map { "\(column)=\($0)" }
        case .words(let vocabulary, _, _): vocabulary.map { "\(column):\($0)" }
        }
      return values + (flagsMissing ? ["\(column) is missing"] : [])
    }
  }

  /// What a value becomes.
  public enum Encoding: Codable, Sendable, Equatable {
    case number(Scaling)
    /// A number as above, and then for each piece between two edges, from 0 to 1, how much of it lies below the number: a
    /// layer of weights makes any function of straight pieces of it (Gorishniy, Rubachev and Babenko 2022).
    case pieces(Scaling, edges: [Double])
    /// 1 for its own category, 0 for the others; zeros for none of them.
    case oneHot(categories: [String])
    /// The category's number; −1 for none of them.
    case ordinal(categories: [String])
    /// How often each word comes, times its weight; of length 1 if normalised.
    case words(vocabulary: [String], weights: [Double], isNormalized: Bool)

    var width: Int {
      switch self {
      case .number, .ordinal: 1
      case .pieces(_, let edges): edges.count
      case .oneHot(let categories): categories.count
      case .words(let vocabulary, _, _): vocabulary.count
      }
    }
  }

  /// `(x − offset) · factor`, kept in ±`limit`; where `spread` is not 0, of `asinh((x − center) / spread)` instead of x.
  public struct Scaling: Codable, Sendable, Equatable {
    /// What a missing value counts as.
    var fill: Double
    var center = 0.0
    var spread = 0.0
    var offset = 0.0
    var factor = 1.0
    var limit: Double?

    var isSound: Bool {
      [fill, center, spread, offset, factor, limit ?? 1].allSatisfy(\.isFinite) && spread >= 0 && limit ?? 1 > 0
    }

    func callAsFunction(_ number: Double) -> Double {
      // In halves, which round as the whole does: differences of numbers up to 1.8e308 have no other place.
      let ratio = spread > 0 ? (number / 2 - center / 2) / spread * 2 : 0
      let curved = spread > 0 ? asinh(min(max(ratio, -.greatestFiniteMagnitude), .greatestFiniteMagnitude)) : number
      let scaled = (curved / 2 - offset / 2) * factor * 2
      guard let limit else { return scaled }
      return min(max(scaled, -limit), limit)
    }

    /// 1 / (2 `half`), or 1 where that is no number.
    static func factor(half: Double) -> Double {
      let factor = 0.5 / half
      return factor.isFinite ? factor : 1
    }
  }

  /// What is to be said of each row.
  public struct Target: Codable, Sendable, Equatable {
    public let column: String
    let position: Int
    /// The classes' texts in the table, in the order of their numbers; `nil` for a number.
    public let classes: [String]?
    /// What the classes are called: their texts, or the names that the file's heading gives.
    public let labels: [String]?
    /// Of numbers: the mean and the standard deviation, which become 0 and 1.
    let mean: Double
    let deviation: Double
  }
}

// MARK: JSON

extension Preprocessing {
  /// As the model file keeps it.
  public func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  /// Reads what ``json()`` gave.
  ///
  /// - Parameter path: the file that it stands in, for errors.
  /// - Throws: ``FormatError`` for anything else, whatever it is.
  public init(json: String, path: String = "preprocessing") throws {
    do {
      self = try JSONDecoder().decode(Preprocessing.self, from: Data(json.utf8))
    } catch {
      throw FormatError(
        path: path, problem: "its preprocessing cannot be read (\(Self.summary(error)))", remedy: Self.again)
    }
    if let problem {
      throw FormatError(path: path, problem: "its preprocessing is corrupt: \(problem)", remedy: Self.again)
    }
  }

  private static let again = "Train and save the model again"

  private static func summary(_ error: any Error) -> String {
    switch error as? DecodingError {
    case .keyNotFound(let key, _)?: "no \(key.stringValue)"
    case .typeMismatch(_, let context)?, .valueNotFound(_, let context)?, .dataCorrupted(let context)?:
      context.codingPath.isEmpty
        ? "no JSON" : "a wrong value of " + context.codingPath.map(\.stringValue).joined(separator: ".")
    default: "no JSON"
    }
  }

  /// What numbers that fit no table tell of.
  private var problem: String? {
    // As many columns as a file could have; more would only eat memory.
    guard 1...(1 << 20) ~= columnCount, features.allSatisfy({ 0..<columnCount ~= $0.position }),
      0..<columnCount ~= target.position
    else { return "a column is out of range" }
    for feature in features {
      switch feature.encoding {
      case .number(let scaling):
        guard scaling.isSound else { return "a scale of \(feature.column)" }
      case .pieces(let scaling, let edges):
        let isRising = edges.allSatisfy(\.isFinite) && zip(edges, edges.dropFirst()).allSatisfy { $0 < $1 }
        guard scaling.isSound, edges.count >= 2, isRising else { return "the pieces of \(feature.column)" }
      case .oneHot(let categories), .ordinal(let categories):
        guard Set(categories).count == categories.count else { return "the categories of \(feature.column)" }
      case .words(let vocabulary, let weights, _):
        guard Set(vocabulary).count == vocabulary.count, weights.count == vocabulary.count,
          weights.allSatisfy(\.isFinite)
        else { return "the vocabulary of \(feature.column)" }
      }
    }
    if let classes = target.classes {
      guard classes.count >= 2, Set(classes).count == classes.count, target.labels?.count == classes.count else {
        return "the classes of \(target.column)"
      }
    }
    return target.mean.isFinite && target.deviation.isFinite && target.deviation > 0 ? nil : "the target's scale"
  }
}
