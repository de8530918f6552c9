import CajalBase
import Foundation
import Testing

@Suite struct BrokenInputTests {
  private let folder: Folder

  init() throws {
    folder = try Folder()
    try Rows.write(to: folder)
  }

  private func train(_ arguments: String...) throws -> Outcome {
    let all = ["train", "--dataset", "rows", "--epochs", "1", "--json", "--save", "out.safetensors"] + arguments
    return try Cajal.start(all, in: folder).wait()
  }

  private func evaluate(_ model: String) throws -> Outcome {
    try Cajal.run("evaluate", model, "--dataset", "rows", "--json", in: folder)
  }

  /// Nothing saved, nothing left over, and no half of an event.
  private func expectNothing(_ outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(!folder.files.contains { $0.hasPrefix("out") || $0.hasPrefix(".") }, sourceLocation: sourceLocation)
    #expect(outcome.events.allSatisfy { $0 != nil }, "\(outcome)", sourceLocation: sourceLocation)
  }

  @Test func labelsOutOfRangeAreRefusedWithTheirPlace() throws {
    let outcome = try train("--classes", "5")
    expectFailure(outcome, "rows/train-labels-idx1-ubyte", "0..<5", "position", "--classes")
    expectNothing(outcome)
    #expect(outcome.output.isEmpty)
  }

  @Test func aNetworkThatNobodyKnowsIsNoMissingFile() throws {
    let outcome = try Cajal.run("summary", "resnet51", in: folder)
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains("resnet51") && outcome.errors.contains("cajal help summary"), "\(outcome)")
  }

  @Test func emptyAndTruncatedGzipAreRefused() throws {
    let images = "rows/train-images-idx3-ubyte"
    try FileManager.default.removeItem(atPath: folder.path + "/" + images)
    try folder.put(images + ".gz", [])
    var outcome = try train()
    expectFailure(outcome, "train-images-idx3-ubyte.gz", "empty")
    expectNothing(outcome)
    // The magic number, deflate, no flags, and the beginning of a stream.
    try folder.put(images + ".gz", [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0x63, 0x60])
    outcome = try train()
    expectFailure(outcome, "train-images-idx3-ubyte.gz")
    expectNothing(outcome)
  }

  @Test func missingAndTornFilesAreRefused() throws {
    for path in ["nowhere", "~nobody", "~/cajal-has-no-such-folder", "rows/t10k-labels-idx1-ubyte"] {
      let name = path.replacingOccurrences(of: "~/", with: "/")
      expectFailure(try Cajal.run("train", "--dataset", path, in: folder), name, "no such folder")
    }
    for path in [".", "..", "/", "//"] {
      expectFailure(try Cajal.run("train", "--dataset", path, in: folder), "it has no")
    }
    try folder.put("rows/t10k-labels-idx1-ubyte", Rows.header(1, [60]) + [1, 2, 3])
    expectFailure(try train(), "t10k-labels-idx1-ubyte")
    try FileManager.default.removeItem(atPath: folder.path + "/rows/t10k-labels-idx1-ubyte")
    expectFailure(try train(), "it has no t10k-labels-idx1-ubyte")
    try folder.put("rows/t10k-labels-idx1-ubyte", [0, 0, 8, 1, 0xFF, 0xFF, 0xFF, 0xFF])
    expectFailure(try train(), "t10k-labels-idx1-ubyte")
  }

  @Test func filesThatAreNoModelAreRefused() throws {
    expectFailure(try evaluate("none.safetensors"), "none.safetensors")
    try folder.put("text.safetensors", Array("This is no model, but it is long enough to be one.\n".utf8))
    expectFailure(try evaluate("text.safetensors"), "text.safetensors")
    try folder.put("empty.safetensors", [])
    expectFailure(try evaluate("empty.safetensors"), "empty.safetensors")
    try folder.put("huge.safetensors", [0, 0, 0, 0, 0, 0, 0, 0x10] + Array("{}".utf8))
    expectFailure(try evaluate("huge.safetensors"), "huge.safetensors", "1152921504606846976")
    try folder.put("nothing.safetensors", [2, 0, 0, 0, 0, 0, 0, 0] + Array("{}".utf8))
    expectFailure(try evaluate("nothing.safetensors"), "holds weights, but not what model")
    expectFailure(try evaluate("rows"), "rows")
  }

  @Test func modelsOfOtherDataAreRefused() throws {
    #expect(try train().status == 0)
    let outcome = try Cajal.run("evaluate", "out.safetensors", "--dataset", "rows", "--classes", "12", in: folder)
    expectFailure(outcome, "knows 10 classes", "12 classes")
    let header = #"{"layers.0.kernel":{"dtype":"F32","shape":[0,1000000000000],"data_offsets":[0,0]}}"#
    try folder.put("wide", [UInt8(header.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8))
    expectFailure(try evaluate("wide"), "wide")
  }

  @Test func aLossThatIsNoNumberEndsTheRun() throws {
    let outcome = try train("--learning-rate", "1e30", "--epochs", "3")
    expectFailure(outcome, "the loss became", "epoch", "learning rate")
    expectNothing(outcome)
  }

  @Test func aFullStandardOutputIsAnError() throws {
    guard let full = FileHandle(forWritingAtPath: "/dev/full") else { return print("SKIPPED: there is no /dev/full") }
    let process = Process()
    let errors = Pipe()
    process.executableURL = URL(fileURLWithPath: Cajal.path)
    process.arguments = ["train", "--dataset", folder.path + "/rows", "--epochs", "1"]
    process.standardOutput = full
    process.standardError = errors
    try process.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 1)
    #expect(text == "error: standard output cannot be written. Free space there, or direct it elsewhere.\n")
  }

  @Test func aFullDiskWhileSavingIsAnErrorAndLeavesNothing() throws {
    let disk = folder.path + "/disk"
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
    guard SmallDisk.mount(kilobytes: 64, at: disk) else {
      return print("SKIPPED: this process may not mount a small disk")
    }
    defer { SmallDisk.unmount(disk) }
    let outcome = try Cajal.run(
      "train", "--dataset", "rows", "--epochs", "1", "--json", "--save", "disk/out.safetensors", in: folder)
    expectFailure(outcome, "disk/out.safetensors", "the disk is full", "Free space")
    #expect(try FileManager.default.contentsOfDirectory(atPath: disk).isEmpty)
  }
}
