import CajalVision
import Foundation
import Testing

@Suite struct PictureTests {
  @Test func aTrainedNetworkNamesAPicture() throws {
    let folder = try Folder()
    try Rows.write(to: folder)
    let trained = try Cajal.run(
      "train", "rows", "--classes", "8", "--epochs", "30", "--save", "m.safetensors", in: folder)
    #expect(trained.status == 0, "\(trained)")
    // Row 3 bright, at twice the size; and the same in black on white.
    let bytes = (0..<64).map { UInt8($0 / 8 == 3 ? 220 : 40) }
    let picture = try Image(width: 8, height: 8, channels: 1, bytes: bytes).enlarged(2)
    try folder.put("a.png", try picture.encoded(.png))
    try folder.put("b.jpg", try picture.inverted.rgb.encoded(.jpeg, quality: 100))
    for arguments in [["a.png"], ["b.jpg", "--inverted"]] {
      let said = try Cajal.start(["predict", "m.safetensors"] + arguments + ["--json"], in: folder).wait()
      #expect(said.events.count == 5 && said.events.first??["prediction"] as? String == "3", "\(said)")
    }
    let lines = try Cajal.run("predict", "m.safetensors", "a.png", in: folder).output.split(separator: "\n")
    #expect(lines.count == 6 && lines[0] == "predicted,probability" && lines[1].hasPrefix("3,0."))
    // An idx file of the same two: white on black, and black on white.
    try folder.put("a-idx3-ubyte", Rows.header(3, [1, 8, 8]) + bytes)
    try folder.put("b-idx3-ubyte", Rows.header(3, [1, 8, 8]) + bytes.map { 255 - $0 })
    let plain = try Cajal.run("predict", "m.safetensors", "a-idx3-ubyte", in: folder)
    let inverted = try Cajal.run("predict", "m.safetensors", "b-idx3-ubyte", "--inverted", in: folder)
    #expect(plain.output.contains("\n0,3,0.") && inverted.output.contains("\n0,3,0."), "\(plain) \(inverted)")
    try folder.put("table.csv", Array("a,b\n1,2\n".utf8))
    let table = try Cajal.run("predict", "m.safetensors", "table.csv", "--inverted", in: folder)
    expectFailure(table, status: 64, "--inverted is about pictures")
    try folder.put("broken.png", [0x89, 0x50, 0x4e, 0x47, 1, 2])
    expectFailure(try Cajal.run("predict", "m.safetensors", "broken.png", in: folder), "no whole PNG picture")
  }

  @Test func aConvolutionalNetworkSaysTheSameOfAnIdxFileAndOfAPicture() throws {
    let folder = try Folder()
    try Rows.write(to: folder, train: 64, test: 16, side: 16)
    let trained = try Cajal.run(
      "train", "rows", "--classes", "8", "--model", "lenet", "--epochs", "1", "--run", "run", "--save", "m.safetensors",
      in: folder)
    #expect(trained.status == 0, "\(trained)")
    let bytes = (0..<256).map { UInt8($0 / 32 == 3 ? 220 : 40) }
    try folder.put("a.png", try Image(width: 16, height: 16, channels: 1, bytes: bytes).encoded(.png))
    try folder.put("a-idx3-ubyte", Rows.header(3, [1, 16, 16]) + bytes)
    let picture = try Cajal.run("predict", "m.safetensors", "a.png", in: folder).output.split(separator: "\n")
    let idx = try Cajal.run("predict", "m.safetensors", "a-idx3-ubyte", in: folder)
    #expect(picture.count == 6 && idx.output.contains("\n0,\(picture.dropFirst().first ?? "none")\n"), "\(idx)")
    try folder.put("b-idx3-ubyte", Rows.header(3, [1, 8, 8]) + bytes.prefix(64))
    expectFailure(try Cajal.run("predict", "m.safetensors", "b-idx3-ubyte", in: folder), "takes 256 bytes")
    // What it has of its own is no setting of the run.
    let kept = String(decoding: try folder.bytes("run/run.json") + folder.bytes("run/README.md"), as: UTF8.self)
    #expect(kept.contains("lenet5") && !kept.contains("activation"))
  }

  /// Records of CIFAR-10's form: red or blue, the label 3 or 8.
  private func records(_ count: Int) -> [UInt8] {
    (0..<count).flatMap { index -> [UInt8] in
      let planes = [index % 2 == 0, false, index % 2 == 1].map { isBright in
        (0..<1024).map { UInt8((index * 7 + $0 * 13) % 60) + (isBright ? 180 : 0) }
      }
      return [index % 2 == 0 ? 3 : 8] + planes.joined()
    }
  }

  private func measure(_ outcome: Outcome, _ event: String, _ name: String) -> Double? {
    outcome.events.compactMap { $0 }.last { $0["event"] as? String == event }?[name] as? Double
  }

  @Test func colourPicturesAreLearnedWithAugmentationAndKeepTheirNames() throws {
    let folder = try Folder()
    try folder.put("colours/data_batch_1.bin", records(48))
    try folder.put("colours/test_batch.bin", records(16))
    func train(_ more: [String]) throws -> Outcome {
      let arguments = ["train", "colours", "--model", "wide_resnet10_2", "--batch-size", "16", "--json"]
      let outcome = try Cajal.start(arguments + more, in: folder).wait()
      #expect(outcome.status == 0, "\(outcome)")
      return outcome
    }
    let short = ["--epochs", "1"]
    func loss(_ more: String...) throws -> Double? { measure(try train(short + more), "epoch", "loss") }
    let usual = try loss()
    #expect(try usual != nil && loss("--threads", "1") == usual)
    #expect(try loss("--augment", "crop,mirror,cutout") == usual)
    #expect(try loss("--augment", "none") != usual)
    #expect(try loss("--label-smoothing", "0") != usual)

    let trained = try train(["--epochs", "6", "--schedule", "linear", "--save", "m.safetensors"])
    let accuracy = measure(trained, "finished", "test_accuracy")
    #expect(accuracy == 1, "\(trained)")
    let tested = try Cajal.run("evaluate", "m.safetensors", "colours", "--json", in: folder)
    #expect(measure(tested, "finished", "test_accuracy") == accuracy, "\(tested)")
    // The picture of a ship's class, at twice the size.
    let blue = try Image(
      width: 64, height: 64, channels: 3, bytes: (0..<64 * 64).flatMap { _ in [30, 30, 210] as [UInt8] })
    try folder.put("blue.png", try blue.encoded(.png))
    let said = try Cajal.run("predict", "m.safetensors", "blue.png", "--json", in: folder)
    #expect(said.events.first??["prediction"] as? String == "ship", "\(said)")
    // An older file has the name of its data instead of those of the classes.
    let names = Data("\"cajal.labels\":\"airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck\"".utf8)
    let older = Data("\"cajal.dataset\":\"cifar10\"".utf8)
    var file = Data(try folder.bytes("m.safetensors"))
    let place = try #require(file.range(of: names))
    file.replaceSubrange(place, with: older + Data(repeating: 0x20, count: names.count - older.count))
    try folder.put("older.safetensors", Array(file))
    #expect(try Cajal.run("predict", "older.safetensors", "blue.png", "--json", in: folder).output == said.output)
  }

  @Test func foldersThatLackAPartAndFlagsOfOtherDataAreRefused() throws {
    let folder = try Folder()
    try folder.put("colours/data_batch_1.bin", records(2))
    expectFailure(
      try Cajal.run("train", "colours", in: folder), "1 files to train on and 0 to test with", "test_batch.bin")
    try folder.put("table.csv", Array(("a,b\n" + (0..<40).map { "\($0),\($0 % 2)\n" }.joined()).utf8))
    let table = try Cajal.run("train", "table.csv", "--target", "b", "--augment", "crop", in: folder)
    expectFailure(table, status: 64, "--augment is about pictures")
    let model = try Cajal.run("train", "table.csv", "--target", "b", "--model", "lenet", in: folder)
    expectFailure(model, status: 64, "lenet5 is for pictures")
    let mistyped = try Cajal.run("train", "cifr10", "--augment", "crop", in: folder)
    expectFailure(mistyped, "cifr10", "no such file, folder or data set")
  }

  @Test func networksAndFlagsThatDoNotFitAreRefused() throws {
    let folder = try Folder()
    try Rows.write(to: folder)
    func train(_ arguments: String...) throws -> Outcome {
      try Cajal.start(["train", "rows", "--classes", "8"] + arguments, in: folder).wait()
    }
    for flag in [["--activation", "gelu"], ["--dropout", "0.5"]] {
      let outcome = try Cajal.start(["train", "rows", "--model", "lenet"] + flag, in: folder).wait()
      expectFailure(outcome, status: 64, "\(flag[0]) is for --model mlp")
    }
    expectFailure(try train("--model", "alexnet"), status: 64, "alexnet is for larger pictures than rows's of 8×8")
    expectFailure(try train("--model", "unet"), status: 64, "'unet' is invalid", "resnet20_cifar")
  }
}
