import CajalFormats
import Foundation
import Testing

/// Calls `body` with the path of a folder that is gone afterwards.
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.path + "/cajal-formats-" + UUID().uuidString
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}

/// Calls `body` with the path of a file that holds `bytes`.
func withFile<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
  try withTemporaryFolder { folder in
    let path = folder + "/file"
    try put(bytes, at: path)
    return try body(path)
  }
}

func put(_ bytes: [UInt8], at path: String) throws {
  try Data(bytes).write(to: URL(fileURLWithPath: path))
}

func contents(of path: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
}

/// Expects a `FormatError` for `path` whose text has each of `parts`, and a
/// remedy.
func expectError(
  _ parts: String..., path: String? = nil, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws -> Void
) {
  let error = #expect(throws: FormatError.self, sourceLocation: sourceLocation) { try body() }
  guard let error else { return }
  for part in parts {
    #expect(error.description.contains(part), sourceLocation: sourceLocation)
  }
  if let path { #expect(error.path == path, sourceLocation: sourceLocation) }
  #expect(!error.remedy.isEmpty, sourceLocation: sourceLocation)
}

/// Little-endian bytes of a whole number.
func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// Whether the slow tests are wanted as well.
let isFull = ProcessInfo.processInfo.environment["CAJAL_FULL"] == "1"

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers in every run.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

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
