import Foundation
import Testing

/// Runs that are killed, and go on.
@Suite struct KillTests {
  private let folder: Folder

  init() throws {
    folder = try Folder()
    try Rows.write(to: folder, "many", train: 600, test: 8)
  }

  private func arguments(_ run: String) -> [String] {
    [
      "train", "--dataset", "many", "--epochs", "12", "--batch-size", "16", "--hidden", "24", "--dropout", "0.1",
      "--seed", "5", "--run", run, "--resume", "--checkpoint-steps", "1", "--threads", "1",
    ]
  }

  /// A run that checkpoints every step is mostly saving: many of the kills fall into that.
  @Test func fiftyKillsAtRandomMomentsChangeNoBit() throws {
    let undisturbed = try Cajal.start(arguments("whole"), in: folder).wait()
    #expect(undisturbed.status == 0, "\(undisturbed)")
    var kills = 0
    var random = SystemRandomNumberGenerator()
    var rounds = 0
    while kills < 50, rounds < 400 {
      rounds += 1
      let running = try Cajal.start(arguments("killed"), in: folder)
      usleep(UInt32.random(in: 20_000...250_000, using: &random))
      kill(running.process.processIdentifier, SIGKILL)
      let outcome = try running.wait()
      if outcome.wasSignalled {
        kills += 1
      } else {
        // It had ended by itself, and what it printed says whether it could read what it found.
        #expect(outcome.status == 0, "\(outcome)")
        if kills < 50 { try FileManager.default.removeItem(atPath: folder.path + "/killed") }
      }
    }
    #expect(kills == 50)
    let last = try Cajal.start(arguments("killed"), in: folder).wait()
    #expect(last.status == 0, "\(last)")
    #expect(try folder.bytes("killed/model.safetensors") == folder.bytes("whole/model.safetensors"))
    #expect(try losses("killed") == losses("whole"))
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/killed/checkpoints")
    #expect(names.count == 2 && names.allSatisfy { $0.hasPrefix("step-") }, "\(names)")
  }

  /// The history without its times.
  private func losses(_ run: String) throws -> [String] {
    String(decoding: try folder.bytes("\(run)/history.csv"), as: UTF8.self).split(separator: "\n").map { line in
      let fields = line.split(separator: ",", omittingEmptySubsequences: false)
      return ([fields[0]] + fields.dropFirst(3)).joined(separator: ",")
    }
  }

  @Test func aFullDiskIsToldAndTrainingGoesOn() throws {
    let disk = folder.path + "/disk"
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
    guard SmallDisk.mount(kilobytes: 24, at: disk) else {
      return print("SKIPPED: this process may not mount a small disk")
    }
    defer { SmallDisk.unmount(disk) }
    let outcome = try Cajal.start(arguments("disk/run"), in: folder).wait()
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.errors.contains("warning: ") && outcome.errors.contains("the disk is full"), "\(outcome.errors)")
    #expect(outcome.errors.contains("Training goes on"))
    #expect(outcome.output.split(separator: "\n").count { $0.hasPrefix("epoch ") } == 12)
  }

  @Test func ctrlCLeavesARunThatGoesOn() throws {
    let undisturbed = try Cajal.start(arguments("whole"), in: folder).wait()
    #expect(undisturbed.status == 0, "\(undisturbed)")
    let running = try Cajal.start(arguments("stopped"), in: folder)
    for _ in 0..<600 where running.output.split(separator: "\n").count < 4 { usleep(10_000) }
    running.process.interrupt()
    #expect(try running.wait().status == 130)
    let resumed = try Cajal.start(arguments("stopped"), in: folder).wait()
    #expect(resumed.status == 0 && resumed.output.contains("goes on"), "\(resumed)")
    #expect(try folder.bytes("stopped/model.safetensors") == folder.bytes("whole/model.safetensors"))
  }
}
