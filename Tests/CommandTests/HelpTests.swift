import Foundation
import Testing

@Suite struct HelpTests {
  private let folder = try! Folder()

  @Test(arguments: [[], ["train"], ["evaluate"], ["profile"], ["benchmark"], ["doctor"]]) func everyCommandHelps(
    _ command: [String]
  ) throws {
    let outcome = try Cajal.start(command + ["--help"], in: folder).wait()
    #expect(outcome.status == 0 && outcome.errors.isEmpty)
    #expect(outcome.output.contains("USAGE: cajal"))
    for flag in command == ["train"] ? trainFlags : [] { #expect(outcome.output.contains(flag), "\(flag)") }
  }

  private let trainFlags = [
    "--dataset", "--classes", "--epochs", "--batch-size", "--learning-rate", "--seed", "--threads", "--device",
    "--save", "--augment", "--label-smoothing",
    "--profile", "--json", "EXAMPLES", "Ctrl-C",
  ]

  @Test func theMainHelpTellsTheExitStatuses() throws {
    let outcome = try Cajal.run("--help", in: folder)
    for part in ["EXIT STATUS", "130", "64"] { #expect(outcome.output.contains(part)) }
    #expect(try Cajal.run(in: folder).output.contains("SUBCOMMANDS"))
    #expect(try Cajal.run("--version", in: folder).output == "0.1.0\n")
  }

  @Test(arguments: [
    ["train", "--epochs", "0"], ["train", "--epochs", "many"], ["train", "--batch-size", "0"],
    ["train", "--no-such-flag"],
    ["train", "--learning-rate", "0"], ["train", "--learning-rate", "nan"], ["train", "--learning-rate", "-1"],
    ["train", "--threads", "0"], ["train", "--device", "tpu"], ["train", "--classes", "1"],
    ["train", "--classes", "300"],
    ["train", "--seed", "-3"], ["train", "--classes", "7"], ["evaluate"], ["nonsense"], ["train", "extra", "more"],
    ["train", "--save", "no/such/folder/model.safetensors"], ["train", "--save", "."], ["train", "--dataset", ""],
    ["train", "--save", ""],
    ["train", "--augment", "fold"], ["train", "--augment", "crop,"], ["train", "--label-smoothing", "1"],
    ["train", "--model", "resnet99"],
    ["train", "--save", "new/"], ["train", "--save", "/"], ["train", "--save", ".."],
  ]) func wrongArgumentsAreRefusedBeforeAnyWork(_ arguments: [String]) throws {
    let outcome = try Cajal.start(arguments, in: folder).wait()
    expectFailure(outcome, status: 64)
    #expect(outcome.output.isEmpty)
    #expect(folder.files.isEmpty)
  }

  @Test func wrongArgumentsSayWhatWouldBeRight() throws {
    func errors(_ arguments: String...) throws -> String { try Cajal.start(arguments, in: folder).wait().errors }
    #expect(try errors("train", "--device", "tpu").contains("cpu, reference, fake"))
    #expect(try errors("train", "--epochs", "0").contains("at least 1"))
    #expect(try errors("train", "--save", "none/model").contains("Create it (mkdir -p)"))
    #expect(try errors("train", "--epoch", "3").contains("--epochs"))
  }

  @Test func settingsOfTheEnvironmentAreHeard() throws {
    let outcome = try Cajal.start(["train"], in: folder, environment: ["CAJAL_DEVICE": "tpu"]).wait()
    expectFailure(outcome, status: 64, "no device 'tpu'")
  }

  @Test func theDoctorKnowsThisMachine() throws {
    let outcome = try Cajal.run("doctor", in: folder)
    #expect(outcome.status == 0)
    for part in ["cpu:", "devices: cpu, reference, fake", "mnist: 60000 + 10000", "arithmetic: right"] {
      #expect(outcome.output.contains(part), "\(part)")
    }
  }
}
