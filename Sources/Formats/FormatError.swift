/// A file that could not be read or written: which one, what is wrong and
/// where, and what to do about it.
public struct FormatError: Error, CustomStringConvertible, Sendable, Equatable {
  /// The file, as the caller named it.
  public let path: String
  /// What is wrong, with its place: a byte offset, or the key of a header.
  public let problem: String
  /// What the user can do.
  public let remedy: String

  public init(path: String, problem: String, remedy: String) {
    self.path = path
    self.problem = problem
    self.remedy = remedy
  }

  public var description: String { "\(path): \(problem). \(remedy)." }
}

/// `text` from a file, as an error message may print it: in quotes, without
/// control characters, cut where it is long.
func quoted(_ text: String) -> String {
  let limit = 80
  var result = "\""
  for (index, scalar) in text.unicodeScalars.enumerated() {
    if index == limit {
      result += "…"
      break
    }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
      result += "\\u{" + String(scalar.value, radix: 16) + "}"
    default:
      result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}

/// The product of `factors`, or nil where it is beyond `Int`.
func checkedProduct(_ factors: some Sequence<Int>) -> Int? {
  var product = 1
  for factor in factors {
    let (next, overflow) = product.multipliedReportingOverflow(by: factor)
    if overflow { return nil }
    product = next
  }
  return product
}
