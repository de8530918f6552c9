import CajalFormats
import CajalVision
import Foundation
import Testing

/// What Pillow made of pictures, and the files beside it (`Golden/generate.py`).
struct Golden: Decodable {
  struct Picture: Decodable {
    let width: Int
    let height: Int
    let channels: Int
    let crc: UInt32
    let filter: String?
    let from: Int?
    let small: UInt32?
  }

  let files: [String: Picture]
  let resized: [Picture]
  let changed: [String: Picture]
  let natural: [String: Picture]

  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Golden/"

  static func read() throws -> Golden {
    try JSONDecoder().decode(Golden.self, from: try Data(contentsOf: URL(fileURLWithPath: folder + "pillow.json")))
  }
}

extension Image {
  var checksum: UInt32 { CRC32.ieee.of(bytes) }

  /// Whether it is what Pillow made, byte for byte.
  func isTold(by golden: Golden.Picture) -> Bool {
    (width, height, channels, checksum) == (golden.width, golden.height, golden.channels, golden.crc)
  }
}

/// The picture that the generator makes as well.
func sample(_ channels: Int, width: Int = 37, height: Int = 23) -> Image {
  var bytes: [UInt8] = []
  for y in 0..<height {
    for x in 0..<width {
      for c in 0..<channels { bytes.append(UInt8((3 * x * x + 17 * y + 53 * c + x * y) % 256)) }
    }
  }
  return try! Image(width: width, height: height, channels: channels, bytes: bytes)
}

/// Calls `body` with the path of a folder that is gone afterwards.
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.path + "/cajal-vision-" + UUID().uuidString
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
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

/// Expects an error that says each of `parts`.
func expectError(_ parts: String..., sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void) {
  let error = #expect(throws: (any Error).self, sourceLocation: sourceLocation) { try body() }
  for part in parts {
    #expect("\(error.map { "\($0)" } ?? "")".contains(part), sourceLocation: sourceLocation)
  }
}

/// Whether the slow tests are wanted as well.
let isFull = ProcessInfo.processInfo.environment["CAJAL_FULL"] == "1"

func contents(of path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

func put(_ bytes: [UInt8], at path: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
