import Cajal
import Testing

/// The networks that have names against what was published of them.
@Suite struct ImageModelTests {
  /// Of torchvision 0.15 where it has the network; WRN-28-10 and the networks for CIFAR-10 of their papers' codes,
  /// efficientnet-lite0 of timm, U-Net of github.com/milesial/Pytorch-UNet (3 channels, 2 classes).
  static let published = [
    "lenet5": 61_706, "alexnet": 61_100_840,
    "vgg11": 132_863_336, "vgg13": 133_047_848, "vgg16": 138_357_544, "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840, "vgg13_bn": 133_053_736, "vgg16_bn": 138_365_992, "vgg19_bn": 143_678_248,
    "resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032, "resnet101": 44_549_160,
    "wide_resnet10_2": 303_706, "wide_resnet50_2": 68_883_240,
    "wide_resnet28_10": 36_479_194,
    "resnet18_cifar": 11_173_962, "resnet20_cifar": 272_474,
    "densenet121": 7_978_856, "densenet169": 14_149_480, "densenet201": 20_013_928,
    "mobilenet_v2": 3_504_872, "mobilenet_v3_small": 2_542_856, "mobilenet_v3_large": 5_483_032,
    "efficientnet_b0": 5_288_548, "efficientnet_lite0": 4_652_008,
    "convnext_tiny": 28_589_128, "unet": 31_037_698,
  ]

  @Test func everyNetworkHasItsPublishedCount() {
    #expect(Set(ImageModel.all.map(\.name)) == Set(ImageModelTests.published.keys))
  }

  @Test(arguments: ImageModel.all.map(\.name))
  func aNetworkHasAsManyParametersAsPublished(_ name: String) throws {
    let network = try #require(ImageModel(named: name))
    let summary = network.model().summary(input: Shape([1] + network.input.array))
    #expect(summary.parameters == ImageModelTests.published[name])
    // The last row is what the network gives: one number a class.
    #expect(summary.rows.last?.output?[-1] == network.classes)
  }

  @Test(arguments: ["resnet18", "mobilenet_v3_small", "densenet121", "convnext_tiny", "unet", "wide_resnet28_10"])
  func aNetworkComesBackFromItsDescription(_ name: String) throws {
    let network = try #require(ImageModel(named: name))
    let model = network.model()
    _ = model.summary(input: Shape([1] + network.input.array))
    let text = try Architecture.text(of: model)
    let made = try Architecture.make(text)
    #expect(made.namedParameters.map(\.path) == model.namedParameters.map(\.path))
    #expect(made.namedParameters.map(\.parameter.shape) == model.namedParameters.map(\.parameter.shape))
  }

  @Test func layersStandUnderTorchvisionsNames() throws {
    let paths = try #require(ImageModel(named: "resnet50")).model().namedParameters.map(\.path)
    #expect(paths.contains("conv1.kernel") && paths.contains("fc.bias"))
    #expect(paths.contains("layer1.0.body.conv1.kernel") && paths.contains("layer4.0.shortcut.1.gain"))
  }

  @Test func aSmallNetworkLearns() throws {
    var plan = ResNet(depths: [1, 1]).forSmallImages
    plan.width = 4
    let model = withSeed(1) { plan.model(classes: 2) }
    // Bright above, or bright below.
    let half = Tensor.concatenate([Tensor.ones([1, 4, 8, 1]), Tensor.zeros([1, 4, 8, 1])], axis: 1)
    let images = Tensor.concatenate([half, half.flipped(1), half * 0.7, half.flipped(1) * 0.7])
    let labels = Tensor([0, 1, 0, 1])
    let optimizer = Adam(learningRate: 0.02)
    var losses: [Double] = []
    for _ in 0..<20 {
      let (loss, gradients) = valueAndGradient(of: model) { softmaxCrossEntropy(model(images), labels) }
      optimizer.update(model, gradients)
      losses.append(try loss.item(as: Double.self))
    }
    #expect(losses[19] < 0.1 * losses[0])
  }
}
