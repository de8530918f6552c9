/// Names of parameters: a path in which `*` stands for any characters, dots too, and `?` for one.
///
/// `*.bias` are all biases, `layers.0.*` is everything in the first layer of a `Sequential`.
public struct PathPattern: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
  public let description: String

  public init(_ pattern: String) { description = pattern }
  public init(stringLiteral pattern: String) { description = pattern }

  /// Whether this is the pattern of `path`.
  public func matches(_ path: String) -> Bool {
    let (pattern, text) = (Array(description.utf8), Array(path.utf8))
    var (p, t) = (0, 0)
    // Where the last star stands, and how far it reaches by now.
    var star: (pattern: Int, text: Int)?
    while t < text.count {
      if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
        star = (p, t)
        p += 1
      } else if p < pattern.count, pattern[p] == text[t] || pattern[p] == UInt8(ascii: "?") {
        p += 1
        t += 1
      } else if let (position, reach) = star {
        star = (position, reach + 1)
        (p, t) = (position + 1, reach + 1)
      } else {
        return false
      }
    }
    return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}

extension Module {
  /// Lets the parameters that `pattern` names keep their values: they have no gradients, and optimizers pass them by.
  ///
  /// ```swift
  /// model.freeze("layers.0.*")
  /// ```
  /// - Returns: how many parameters it names; buffers, which never learn, do not count.
  @discardableResult
  public func freeze(_ pattern: PathPattern = "*") -> Int { setFrozen(true, pattern) }

  /// Lets the parameters that `pattern` names learn again.
  ///
  /// - Returns: how many parameters it names.
  @discardableResult
  public func unfreeze(_ pattern: PathPattern = "*") -> Int { setFrozen(false, pattern) }

  private func setFrozen(_ isFrozen: Bool, _ pattern: PathPattern) -> Int {
    let named = namedParameters.filter { !$0.parameter.isBuffer && pattern.matches($0.path) }
    for (_, parameter) in named where parameter.isFrozen != isFrozen { parameter.isFrozen = isFrozen }
    return named.count
  }
}
