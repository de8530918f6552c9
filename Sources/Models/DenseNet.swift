import CajalNN
import CajalTensor

/// Networks whose layers see what all before them gave: Huang et al. 2017.
public struct DenseNet: NetworkPlan {
  /// Layers of each block.
  public let depths: [Int]
  /// Channels that each layer adds.
  public let growth: Int

  public init(depths: [Int], growth: Int = 32) {
    self.depths = depths
    self.growth = growth
  }

  public static let densenet121 = DenseNet(depths: [6, 12, 24, 16])
  public static let densenet169 = DenseNet(depths: [6, 12, 32, 32])
  public static let densenet201 = DenseNet(depths: [6, 12, 48, 32])

  public func model(classes: Int) -> Sequential {
    var channels = 2 * growth
    var features: [(name: String, layer: any Layer)] = [
      ("conv0", conv(channels, 7, strides: 2)), ("norm0", BatchNorm()), ("relu0", Activation.relu),
      ("pool0", MaxPool2D(3, strides: 2, padding: 1)),
    ]
    for (index, depth) in depths.enumerated() {
      features.append(
        ("denseblock\(index + 1)", Sequential(named: (0..<depth).map { ("denselayer\($0 + 1)", denseLayer) })))
      channels += depth * growth
      guard index < depths.count - 1 else { break }
      channels /= 2
      features.append(("transition\(index + 1)", transition(channels)))
    }
    features += [("norm5", BatchNorm()), ("relu5", Activation.relu)]
    return Sequential(named: [
      ("features", Sequential(named: features)), ("avgpool", GlobalAveragePool()), ("classifier", Dense(classes)),
    ])
  }

  /// What comes in, and `growth` channels that are made of it, behind each other.
  private var denseLayer: any Layer {
    Parallel(.concatenate) {
      Activation.identity
      Sequential(named: [
        ("norm1", BatchNorm()), ("relu1", Activation.relu), ("conv1", conv(4 * growth, 1)), ("norm2", BatchNorm()),
        ("relu2", Activation.relu), ("conv2", conv(growth, 3)),
      ])
    }
  }

  private func transition(_ channels: Int) -> Sequential {
    Sequential(named: [
      ("norm", BatchNorm()), ("relu", Activation.relu), ("conv", conv(channels, 1)), ("pool", AveragePool2D(2)),
    ])
  }
}
