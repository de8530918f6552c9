import CajalNN
import CajalTensor

/// Residual networks: He et al. 2016. In bottlenecks the stride is at the window of 3×3, as torchvision has it.
public struct ResNet: NetworkPlan {
  /// Blocks of each stage; each halves the image and doubles the channels but the first.
  public var depths: [Int]
  /// Channels of the first stage.
  public var width = 64
  /// Whether blocks are a window of 3×3 between two of 1×1, which narrow and widen fourfold, or two of 3×3.
  public var isBottleneck = false
  /// A bottleneck's inner channels as multiples of the usual: 2 is a wide network's (Zagoruyko and Komodakis 2016).
  public var innerWidth = 1
  /// Whether it begins with one window of 3×3, as for images of 32×32, and not with 7×7 and a pool.
  public var isForSmallImages = false

  public init(depths: [Int], isBottleneck: Bool = false) {
    self.depths = depths
    self.isBottleneck = isBottleneck
  }

  public static let resnet18 = ResNet(depths: [2, 2, 2, 2])
  public static let resnet34 = ResNet(depths: [3, 4, 6, 3])
  public static let resnet50 = ResNet(depths: [3, 4, 6, 3], isBottleneck: true)
  public static let resnet101 = ResNet(depths: [3, 4, 23, 3], isBottleneck: true)

  public static let wideResnet50 = {
    var plan = resnet50
    plan.innerWidth = 2
    return plan
  }()

  /// The paper's own for CIFAR-10, with shortcuts that learn.
  public static let resnet20 = {
    var plan = ResNet(depths: [3, 3, 3]).forSmallImages
    plan.width = 16
    return plan
  }()

  public var forSmallImages: ResNet {
    var plan = self
    plan.isForSmallImages = true
    return plan
  }

  public func model(classes: Int) -> Sequential {
    var layers: [(name: String, layer: any Layer)] = [
      ("conv1", isForSmallImages ? conv(width, 3) : conv(width, 7, strides: 2)),
      ("bn1", BatchNorm()), ("relu", Activation.relu),
    ]
    if !isForSmallImages { layers.append(("maxpool", MaxPool2D(3, strides: 2, padding: 1))) }
    var channels = width
    for (stage, depth) in depths.enumerated() {
      let blocks = (0..<depth).map { index in
        block(width << stage, from: &channels, strides: index == 0 && stage > 0 ? 2 : 1)
      }
      layers.append(("layer\(stage + 1)", Sequential(numbered: blocks)))
    }
    layers += [("avgpool", GlobalAveragePool()), ("fc", Dense(classes))]
    return Sequential(named: layers)
  }

  private func block(_ filters: Int, from channels: inout Int, strides: Int) -> Residual {
    let outputs = isBottleneck ? 4 * filters : filters
    let body: [(name: String, layer: any Layer)] =
      if isBottleneck {
        [
          ("conv1", conv(filters * innerWidth, 1)), ("bn1", BatchNorm()), ("relu1", Activation.relu),
          ("conv2", conv(filters * innerWidth, 3, strides: strides)), ("bn2", BatchNorm()),
          ("relu2", Activation.relu), ("conv3", conv(outputs, 1)), ("bn3", BatchNorm()),
        ]
      } else {
        [
          ("conv1", conv(filters, 3, strides: strides)), ("bn1", BatchNorm()), ("relu1", Activation.relu),
          ("conv2", conv(filters, 3)), ("bn2", BatchNorm()),
        ]
      }
    let isSame = strides == 1 && channels == outputs
    channels = outputs
    return Residual(
      Sequential(named: body),
      shortcut: isSame ? nil : Sequential.convNorm(outputs, kernel: 1, strides: strides, .identity),
      activation: .relu)
  }
}

/// Residual networks with the activations before the convolutions, few layers and many channels: Zagoruyko and
/// Komodakis 2016. WRN-28-10 by default.
public struct WideResNet: NetworkPlan {
  public var depth = 28
  public var widening = 10
  public var dropout = 0.0

  public init(depth: Int = 28, widening: Int = 10, dropout: Double = 0) {
    self.depth = depth
    self.widening = widening
    self.dropout = dropout
  }

  public func model(classes: Int) -> Sequential {
    var layers: [(name: String, layer: any Layer)] = [("conv1", conv(16, 3))]
    var channels = 16
    for stage in 0..<3 {
      let filters = (16 << stage) * widening
      let blocks = (0..<(depth - 4) / 6).map { index in
        let strides = index == 0 && stage > 0 ? 2 : 1
        defer { channels = filters }
        return block(filters, strides: strides, isSame: strides == 1 && channels == filters)
      }
      layers.append(("block\(stage + 1)", Sequential(numbered: blocks)))
    }
    layers += [
      ("bn1", BatchNorm()), ("relu", Activation.relu), ("avgpool", GlobalAveragePool()), ("fc", Dense(classes)),
    ]
    return Sequential(named: layers)
  }

  /// Where the shape changes, the shortcut begins behind the first activation.
  private func block(_ filters: Int, strides: Int, isSame: Bool) -> any Layer {
    let start: [(name: String, layer: any Layer)] = [("bn1", BatchNorm()), ("relu1", Activation.relu)]
    var rest: [(name: String, layer: any Layer)] = [
      ("conv1", conv(filters, 3, strides: strides)), ("bn2", BatchNorm()), ("relu2", Activation.relu),
      ("conv2", conv(filters, 3)),
    ]
    if dropout > 0 { rest.insert(("dropout", Dropout(dropout)), at: 3) }
    if isSame { return Residual(Sequential(named: start + rest)) }
    let residual = Residual(Sequential(named: rest), shortcut: conv(filters, 1, strides: strides))
    return Sequential(named: start + [("residual", residual)])
  }
}
