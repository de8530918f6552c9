import Foundation

/// Named numbers in an order: `loss`, `accuracy`, `val_loss`, `val_accuracy`.
public struct Measures: Sendable, Hashable, ExpressibleByDictionaryLiteral {
  public private(set) var names: [String] = []
  private var values: [String: Double] = [:]

  public init() {}

  public init(dictionaryLiteral elements: (String, Double)...) {
    for (name, value) in elements { self[name] = value }
  }

  /// The number of that name; a new one comes last.
  public subscript(name: String) -> Double? {
    get { values[name] }
    set {
      if newValue == nil { names.removeAll { $0 == name } } else if values[name] == nil { names.append(name) }
      values[name] = newValue
    }
  }

  /// These, and behind them `others` with `prefix` before their names.
  public func adding(_ others: Measures, prefix: String = "") -> Measures {
    var all = self
    for (name, value) in others { all[prefix + name] = value }
    return all
  }

  /// `loss 0.3127  accuracy 0.9130`.
  public var text: String { map { "\($0.name) \(Measures.digits($0.value))" }.joined(separator: "  ") }

  /// Four digits, whatever the size.
  static func digits(_ value: Double) -> String {
    let size = abs(value)
    let isPlain = size == 0 || (size >= 1e-3 && size < 1e6)
    return String(format: isPlain ? "%.4f" : "%.3e", value)
  }
}

extension Measures: Sequence {
  public func makeIterator() -> some IteratorProtocol<(name: String, value: Double)> {
    names.lazy.map { (name: $0, value: values[$0] ?? .nan) }.makeIterator()
  }
}

extension Measures: Codable {
  private struct Entry: Codable {
    let name: String
    /// As its bits, for JSON has no infinities and rounds what it has.
    let bits: UInt64
  }

  public init(from decoder: any Decoder) throws {
    for entry in try [Entry](from: decoder) { self[entry.name] = Double(bitPattern: entry.bits) }
  }

  public func encode(to encoder: any Encoder) throws {
    try map { Entry(name: $0.name, bits: $0.value.bitPattern) }.encode(to: encoder)
  }
}
