import CajalBase
import CajalNN

/// The numbers of a family of networks, from which its members are made.
public protocol NetworkPlan: Sendable {
  /// The network, its weights yet to be drawn.
  func model(classes: Int) -> Sequential
}

/// A network for images, by name: what `cajal summary resnet50` shows.
///
/// ```swift
/// let model = ImageModel(named: "resnet18")!.model(classes: 10)
/// ```
public struct ImageModel: Sendable {
  public let name: String
  /// What was published under that name.
  public let paper: String
  /// One example: `[H, W, C]`.
  public let input: Shape
  /// As published.
  public let classes: Int
  public let plan: any NetworkPlan

  init(_ name: String, _ plan: any NetworkPlan, _ paper: String, input: Shape = [224, 224, 3], classes: Int = 1000) {
    self.name = name
    self.plan = plan
    self.paper = paper
    self.input = input
    self.classes = classes
  }

  /// The network of that name; `nil` where there is none.
  public init?(named name: String) {
    guard let found = ImageModel.all.first(where: { $0.name == name }) else { return nil }
    self = found
  }

  /// The network, its weights yet to be drawn.
  public func model(classes: Int? = nil) -> Sequential { plan.model(classes: classes ?? self.classes) }

  /// Every network there is a name for.
  public static let all: [ImageModel] =
    digits + plain + residual + dense + mobile + [
      ImageModel("convnext_tiny", ConvNeXt.tiny, "Liu et al. 2022"),
      ImageModel("unet", UNet(), "Ronneberger et al. 2015", input: [256, 256, 3], classes: 2),
    ]

  private static let digits = [
    ImageModel("lenet5", LeNet(), "LeCun et al. 1998", input: [28, 28, 1], classes: 10)
  ]

  private static let plain: [ImageModel] =
    [ImageModel("alexnet", AlexNet(), "Krizhevsky et al. 2012")]
    + [11, 13, 16, 19].flatMap { depth in
      [
        ImageModel("vgg\(depth)", VGG(depth), "Simonyan and Zisserman 2015"),
        ImageModel("vgg\(depth)_bn", VGG(depth, isNormalized: true), "Simonyan and Zisserman 2015"),
      ]
    }

  private static let residual: [ImageModel] = [
    ImageModel("resnet18", ResNet.resnet18, "He et al. 2016"),
    ImageModel("resnet34", ResNet.resnet34, "He et al. 2016"),
    ImageModel("resnet50", ResNet.resnet50, "He et al. 2016"),
    ImageModel("resnet101", ResNet.resnet101, "He et al. 2016"),
    ImageModel("resnet18_cifar", ResNet.resnet18.forSmallImages, "He et al. 2016", input: [32, 32, 3], classes: 10),
    ImageModel("resnet20_cifar", ResNet.resnet20, "He et al. 2016", input: [32, 32, 3], classes: 10),
    ImageModel("wide_resnet50_2", ResNet.wideResnet50, "Zagoruyko and Komodakis 2016"),
    ImageModel(
      "wide_resnet10_2", WideResNet(depth: 10, widening: 2), "Zagoruyko and Komodakis 2016", input: [32, 32, 3],
      classes: 10),
    ImageModel(
      "wide_resnet28_10", WideResNet(), "Zagoruyko and Komodakis 2016", input: [32, 32, 3], classes: 10),
  ]

  private static let dense: [ImageModel] = [
    ImageModel("densenet121", DenseNet.densenet121, "Huang et al. 2017"),
    ImageModel("densenet169", DenseNet.densenet169, "Huang et al. 2017"),
    ImageModel("densenet201", DenseNet.densenet201, "Huang et al. 2017"),
  ]

  private static let mobile: [ImageModel] = [
    ImageModel("mobilenet_v2", MobileNet.v2, "Sandler et al. 2018"),
    ImageModel("mobilenet_v3_small", MobileNet.v3Small, "Howard et al. 2019"),
    ImageModel("mobilenet_v3_large", MobileNet.v3Large, "Howard et al. 2019"),
    ImageModel("efficientnet_b0", MobileNet.efficientNetB0, "Tan and Le 2019"),
    ImageModel("efficientnet_lite0", MobileNet.efficientNetLite0, "Liu 2020"),
  ]
}
