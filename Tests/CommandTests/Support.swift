import Foundation
import Testing

/// How a run of `cajal` ended.
struct Outcome: Sendable {
  var status: Int32
  var wasSignalled: Bool
  var output: String
  var errors: String

  /// The lines of standard output as JSON objects; `nil` for a line that is none.
  var events: [[String: Any]?] {
    output.split(separator: "\n").map { line in
      (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any]
    }
  }
}

/// The command, which the build puts beside the tests.
enum Cajal {
  static let path: String = {
    #if os(macOS)
      let tests = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") } ?? Bundle.main
      let folder = tests.bundleURL.deletingLastPathComponent()
    #else
      let folder = Bundle.main.bundleURL
    #endif
    return folder.appendingPathComponent("cajal").path
  }()

  /// Starts the command; its streams go to files, so that no pipe fills up.
  static func start(_ arguments: [String], in folder: Folder, environment: [String: String] = [:]) throws -> Running {
    try Running(arguments, folder, environment)
  }

  static func run(_ arguments: String..., in folder: Folder, environment: [String: String] = [:]) throws -> Outcome {
    try start(arguments, in: folder, environment: environment).wait()
  }
}

/// A process under way.
final class Running {
  let process = Process()
  private let streams: [URL]

  init(_ arguments: [String], _ folder: Folder, _ environment: [String: String]) throws {
    let id = UUID().uuidString
    streams = ["out", "err"].map { URL(fileURLWithPath: "\(folder.streams)/\(id).\($0)") }
    for stream in streams { _ = FileManager.default.createFile(atPath: stream.path, contents: nil) }
    process.executableURL = URL(fileURLWithPath: Cajal.path)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: streams[0])
    process.standardError = try FileHandle(forWritingTo: streams[1])
    try process.run()
  }

  var output: String { (try? String(contentsOf: streams[0], encoding: .utf8)) ?? "" }

  func wait() throws -> Outcome {
    process.waitUntilExit()
    return Outcome(
      status: process.terminationStatus, wasSignalled: process.terminationReason == .uncaughtSignal, output: output,
      errors: try String(contentsOf: streams[1], encoding: .utf8))
  }
}

/// A folder that is gone when nobody holds this.
final class Folder: Sendable {
  let path: String
  /// Where the streams of processes go: not in the folder, whose files tests count.
  let streams: String

  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/cajal-command-" + UUID().uuidString
    streams = path + ".streams"
    for folder in [path, streams] {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    }
  }

  deinit {
    for folder in [path, streams] { try? FileManager.default.removeItem(atPath: folder) }
  }

  func put(_ name: String, _ bytes: [UInt8]) throws {
    let url = URL(fileURLWithPath: path).appendingPathComponent(name)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
  }

  func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path).appendingPathComponent(name)))
  }

  var files: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}

/// Pictures of `side`×`side`, a multiple of 8, with one bright eighth of the rows, whose number is the label.
enum Rows {
  static func write(to folder: Folder, _ name: String = "rows", train: Int = 200, test: Int = 60, side: Int = 8) throws
  {
    try part("train", train, folder, name, side)
    try part("t10k", test, folder, name, side)
  }

  private static func part(_ prefix: String, _ count: Int, _ folder: Folder, _ name: String, _ side: Int) throws {
    var pictures = header(3, [count, side, side])
    var labels = header(1, [count])
    for index in 0..<count {
      let row = (index * 5 + index / 7) % 8
      pictures += (0..<side * side).map { pixel in
        pixel * 8 / (side * side) == row ? UInt8(200 + (index + pixel) % 50) : UInt8((index * 31 + pixel * 17) % 90)
      }
      labels.append(UInt8(row))
    }
    try folder.put("\(name)/\(prefix)-images-idx3-ubyte", pictures)
    try folder.put("\(name)/\(prefix)-labels-idx1-ubyte", labels)
  }

  static func header(_ rank: UInt8, _ extents: [Int]) -> [UInt8] {
    [0, 0, 8, rank] + extents.flatMap { extent in withUnsafeBytes(of: UInt32(extent).bigEndian) { Array($0) } }
  }
}

/// Expects a run that failed well: one clear error with each of `parts`, no crash, nothing else on
/// standard output than events.
func expectFailure(
  _ outcome: Outcome, status: Int32 = 1, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(!outcome.wasSignalled, "\(outcome)", sourceLocation: sourceLocation)
  #expect(outcome.status == status, "\(outcome)", sourceLocation: sourceLocation)
  let errors = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("error: ") }
  #expect(errors.count == 1, "\(outcome)", sourceLocation: sourceLocation)
  if status == 1 {
    #expect(outcome.errors.split(separator: "\n").last?.hasPrefix("error: ") == true, sourceLocation: sourceLocation)
    // A cause and a remedy, each a sentence.
    #expect(
      errors.first.map { $0.hasSuffix(".") && $0.contains(". ") } == true, "\(outcome)", sourceLocation: sourceLocation)
  }
  for part in parts { #expect(outcome.errors.contains(part), "\(outcome)", sourceLocation: sourceLocation) }
  #expect(!outcome.output.contains("finished"), sourceLocation: sourceLocation)
}
