import CajalVision
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
}
