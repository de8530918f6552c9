import Cajal
import Foundation
import Testing

/// A Python that has TensorBoard, where there is one: see `TensorBoard/read.py`.
private let python: String? = {
  if let path = ProcessInfo.processInfo.environment["CAJAL_TENSORBOARD_PYTHON"] { return path }
  print("SKIPPED: TensorBoard's own reader; name a Python that has it in CAJAL_TENSORBOARD_PYTHON")
  return nil
}()

@Suite struct TensorBoardTests {
  /// What TensorBoard's reader finds.
  private struct Found: Decodable {
    struct Histogram: Decodable {
      var step: Int
      var min, max, num, sum, squares: Double
      var limits, counts: [Double]
    }
    struct Picture: Decodable, Equatable {
      var step, width, height: Int
      var mode: String
      var pixels: [UInt8]
    }
    struct Text: Decodable, Equatable {
      var step: Int
      var text: String

      init(from decoder: any Decoder) throws {
        var values = try decoder.unkeyedContainer()
        (step, text) = (try values.decode(Int.self), try values.decode(String.self))
      }
    }
    var scalars: [String: [[Double]]]
    var histograms: [String: [Histogram]]
    var images: [String: [Picture]]
    var texts: [String: [Text]]

    init(_ folder: String) throws {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: python ?? "")
      let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("TensorBoard/read.py")
      process.arguments = [script.path, folder]
      let (output, errors) = (Pipe(), Pipe())
      (process.standardOutput, process.standardError) = (output, errors)
      try process.run()
      let data = output.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      self = try JSONDecoder().decode(Found.self, from: data)
    }
  }

  @Test(.enabled(if: python != nil, "no Python with TensorBoard")) func tensorBoardsOwnReaderReadsEverythingBack()
    throws
  {
    try withTemporaryFolder { folder in
      let board = try TensorBoardWriter(folder: folder)
      for step in 0..<3 { try board.add("train/loss", scalar: 1 / Double(step + 1), step: 1000 * step) }
      try board.add("spread", histogram: Tensor([[-3.0, 1.0, .nan], [2.0, 6.0, .infinity]]), step: 7)
      try board.add("one", histogram: Tensor([5, 5]), step: 1)
      try board.add("none", histogram: Tensor.zeros([0]), step: 1)
      try board.add("grey", image: Tensor([[0, 0.5], [1, 2], [-1, .nan]]), step: 1)
      try board.add("coloured", image: Tensor([[[0, 128, 255], [1, 2, 3]]], dtype: .uint8), step: 2)
      try board.add("glass", image: Tensor([[[10, 20, 30, 40]]], dtype: .uint8), step: 2)
      // Longer than one block of the compressed stream.
      try board.add("large", image: Tensor.full([300, 400], 1.0), step: 3)
      try board.add("note", text: "**bold** and ümläute", step: 4)
      let found = try Found(folder)
      #expect(found.scalars == ["train/loss": [[0, 1], [1000, 0.5], [2000, Double(Float(1) / 3)]]])
      let spread = try #require(found.histograms["spread"]?.first)
      #expect([spread.min, spread.max, spread.num, spread.sum, spread.squares] == [-3, 6, 4, 6, 50])
      #expect(spread.limits.count == 30 && spread.limits.last == 6 && spread.counts.reduce(0, +) == 4)
      for number in [-3.0, 1, 2] {
        let bucket = try #require(spread.limits.firstIndex { number < $0 })
        #expect(spread.counts[bucket] == 1)
      }
      #expect(found.histograms["one"]?.first?.counts == [2])
      #expect(found.histograms["none"]?.first?.num == 0)
      #expect(found.images["grey"]?.first?.pixels == [0, 128, 255, 255, 0, 0])
      #expect(found.images["grey"].map { [$0[0].width, $0[0].height] } == [2, 3])
      #expect(found.images["coloured"]?.first?.pixels == [0, 128, 255, 1, 2, 3])
      #expect(found.images["glass"]?.first?.mode == "RGBA" && found.images["glass"]?.first?.pixels == [10, 20, 30, 40])
      #expect(found.images["large"]?.first?.pixels == [UInt8](repeating: 255, count: 120_000))
      #expect(found.texts["note"]?.map(\.text) == ["**bold** and ümläute"])
      #expect(found.texts["note"]?.map(\.step) == [4])
    }
  }

  @Test func recordsAreFramedWithTheirChecksums() throws {
    try withTemporaryFolder { folder in
      let board = try TensorBoardWriter(folder: folder)
      try board.add("loss", scalar: 0.5, step: 300)
      let records = try records(board.path)
      #expect(records.count == 2)
      // Field 3, 13 bytes.
      #expect(records[0].suffix(15) == [0x1a, 13] + Array("brain.Event:2".utf8))
      // Step 300 as a varint; the summary, its value, tag and number.
      let expected: [UInt8] = [0x10, 0xac, 0x02, 0x2a, 13, 0x0a, 11, 0x0a, 4] + "loss".utf8 + [0x15, 0, 0, 0, 0x3f]
      #expect(Array(records[1].dropFirst(9)) == expected)
    }
  }

  /// The data of each record; a wrong checksum fails.
  private func records(_ path: String) throws -> [[UInt8]] {
    func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
      var sum = UInt32.max
      for byte in bytes {
        sum ^= UInt32(byte)
        for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0x82f6_3b78 : sum >> 1 }
      }
      sum = ~sum
      return (sum >> 15 | sum << 17) &+ 0xa282_ead8
    }
    #expect(checksum([]) == 0xa282_ead8)
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    func number(_ range: Range<Int>) -> UInt64 { bytes[range].reversed().reduce(0) { $0 << 8 | UInt64($1) } }
    var (start, found) = (0, [[UInt8]]())
    while start < bytes.count {
      let end = start + 12 + Int(number(start..<start + 8))
      #expect(number(start + 8..<start + 12) == UInt64(checksum(bytes[start..<start + 8])))
      #expect(number(end..<end + 4) == UInt64(checksum(bytes[start + 12..<end])))
      found.append(Array(bytes[start + 12..<end]))
      start = end + 4
    }
    return found
  }

  @Test func writersOfOneFolderHaveFilesOfTheirOwn() throws {
    try withTemporaryFolder { folder in
      let inner = folder + "/runs/1"
      let boards = try (0..<2).map { _ in try TensorBoardWriter(folder: inner) }
      #expect(Set(boards.map(\.path)).count == 2)
      #expect(files(in: inner)?.count == 2)
      #expect(files(in: inner)?.allSatisfy { $0.hasPrefix("events.out.tfevents.") } == true)
    }
  }

  @Test func whatIsNoPictureIsRefused() throws {
    try withTemporaryFolder { folder in
      let board = try TensorBoardWriter(folder: folder)
      for shape in [[], [3], [2, 2, 5], [1, 2, 2, 3], [0, 3]] as [Shape] {
        expectError("no picture", "[H, W]") { try board.add("x", image: Tensor.zeros(shape), step: 1) }
      }
      expectError("matmul") { try board.add("x", image: Tensor.zeros([2, 3]).matmul(Tensor.zeros([2, 3])), step: 1) }
      #expect(try records(board.path).count == 1)
    }
  }

  @Test func aFolderThatCannotBeMadeIsAnError() throws {
    try withTemporaryFolder { folder in
      try Data().write(to: URL(fileURLWithPath: folder + "/file"))
      expectError(folder + "/file/runs", "cannot be written") {
        _ = try TensorBoardWriter(folder: folder + "/file/runs")
      }
    }
  }
}
