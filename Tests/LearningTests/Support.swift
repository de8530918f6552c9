import Cajal
import Foundation
import Testing

/// Whether the slow tests are wanted as well.
let isFull = ProcessInfo.processInfo.environment["CAJAL_FULL"] == "1"

/// Calls `body` with the path of a folder that is gone afterwards.
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.path + "/cajal-learning-" + UUID().uuidString
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}

func files(in folder: String) -> [String]? { try? FileManager.default.contentsOfDirectory(atPath: folder) }

/// A file of the shared test data; `nil`, and a loud line, where there is none.
func testData(_ name: String) -> String? {
  let checkout = URL(fileURLWithPath: #filePath).appendingPathComponent("../../..").standardized
  let beside = checkout.appendingPathComponent("../shared/data").standardized.path
  let folder = ProcessInfo.processInfo.environment["CAJAL_TEST_DATA"] ?? beside
  let path = folder + "/" + name
  if FileManager.default.fileExists(atPath: path) { return path }
  print("SKIPPED: there is no \(path); name its folder in CAJAL_TEST_DATA")
  return nil
}

/// Four points and whether their coordinates differ.
enum XOR {
  static let x = Tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
  static let y = Tensor([0, 1, 1, 0])
  static let data = LabeledData(inputs: x, labels: y, classes: 2)
}

extension Tensor {
  /// The elements, or none where there is an error.
  var numbers: [Double] { (try? scalars(Double.self)) ?? [] }
}

/// Expects an error that says each of `parts`.
func expectError(_ parts: String..., sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void) {
  let error = #expect(throws: (any Error).self, sourceLocation: sourceLocation) { try body() }
  for part in parts {
    #expect("\(error.map { "\($0)" } ?? "")".contains(part), sourceLocation: sourceLocation)
  }
}
