import ArgumentParser
import Foundation

/// `--config FILE`: flags in a JSON object, as `{"epochs": 20, "hidden": "64,64", "resume": true}`.
enum ConfigFile {
  /// `arguments` with the file's flags in the place of `--config FILE`, so that flags behind it count.
  static func expanded(_ arguments: [String]) throws -> [String] {
    guard let place = arguments.firstIndex(where: { $0 == "--config" || $0.hasPrefix("--config=") }) else {
      return arguments
    }
    var rest = arguments
    let word = rest.remove(at: place)
    let path: String
    if word == "--config" {
      guard place < rest.count else { throw ValidationError("--config names nothing. Name a JSON file of flags.") }
      path = rest.remove(at: place)
    } else {
      path = String(word.dropFirst("--config=".count))
    }
    // First of all flags, so that any that is given counts more.
    let words = rest.firstIndex { $0.hasPrefix("-") } ?? rest.count
    rest.insert(contentsOf: try flags(path), at: words)
    return rest
  }

  private static func flags(_ path: String) throws -> [String] {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw ValidationError("--config \(path): there is no such file. Write a JSON object of flags and values there.")
    }
    guard let object = try? JSONDecoder().decode([String: Value].self, from: data) else {
      throw ValidationError(
        "--config \(path): it is no JSON object of flags and values, such as {\"epochs\": 20, \"hidden\": \"64,64\"}.")
    }
    return object.sorted { $0.key < $1.key }.flatMap { name, value -> [String] in
      let flag = "--" + name.replacingOccurrences(of: "_", with: "-")
      return switch value {
      case .flag(let isOn): [isOn ? flag : "--no-" + flag.dropFirst(2)].filter { isOn || $0 == "--no-header" }
      case .text(let text): [flag + "=" + text]
      case .list(let texts): texts.map { flag + "=" + $0 }
      }
    }
  }

  private enum Value: Decodable {
    case flag(Bool)
    case text(String)
    case list([String])

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let isOn = try? container.decode(Bool.self) {
        self = .flag(isOn)
      } else if let number = try? container.decode(Int.self) {
        self = .text("\(number)")
      } else if let number = try? container.decode(Double.self) {
        self = .text("\(number)")
      } else if let numbers = try? container.decode([Int].self) {
        self = .text(numbers.map { "\($0)" }.joined(separator: ","))
      } else if let texts = try? container.decode([String].self) {
        self = .list(texts)
      } else {
        self = .text(try container.decode(String.self))
      }
    }
  }
}
