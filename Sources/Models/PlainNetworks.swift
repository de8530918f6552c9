import CajalNN
import CajalTensor

// Convolutions and pools behind each other, then layers of neurons.

/// LeNet-5 with the units of today, relu and max pooling: LeCun et al. 1998.
public struct LeNet: NetworkPlan {
  public init() {}

  public func model(classes: Int) -> Sequential {
    Sequential(named: [
      ("conv1", Conv2D(6, kernel: 5, padding: 2, activation: .relu)), ("pool1", MaxPool2D(2)),
      ("conv2", Conv2D(16, kernel: 5, activation: .relu)), ("pool2", MaxPool2D(2)),
      ("flatten", Flatten()),
      ("fc1", Dense(120, activation: .relu)), ("fc2", Dense(84, activation: .relu)), ("fc3", Dense(classes)),
    ])
  }
}

/// AlexNet in its form for one device: Krizhevsky 2014.
public struct AlexNet: NetworkPlan {
  public init() {}

  public func model(classes: Int) -> Sequential {
    let features: [any Layer] = [
      Conv2D(64, kernel: 11, strides: 4, padding: 2), Activation.relu, MaxPool2D(3, strides: 2),
      Conv2D(192, kernel: 5, padding: 2), Activation.relu, MaxPool2D(3, strides: 2),
      Conv2D(384, kernel: 3, padding: 1), Activation.relu,
      Conv2D(256, kernel: 3, padding: 1), Activation.relu,
      Conv2D(256, kernel: 3, padding: 1), Activation.relu, MaxPool2D(3, strides: 2),
    ]
    let classifier: [any Layer] = [
      Dropout(0.5), Dense(4096), Activation.relu, Dropout(0.5), Dense(4096), Activation.relu, Dense(classes),
    ]
    return Sequential(named: [
      ("features", Sequential(numbered: features)), ("avgpool", AdaptiveAveragePool(6)), ("flatten", Flatten()),
      ("classifier", Sequential(numbered: classifier)),
    ])
  }
}

/// Windows of 3×3, ever more of them on ever smaller images: Simonyan and Zisserman 2015.
public struct VGG: NetworkPlan {
  /// Convolutions of 64, 128, 256, 512 and 512 channels before each pool.
  public let stages: [Int]
  /// Whether each convolution is followed by a batch normalisation.
  public let isNormalized: Bool

  public init(stages: [Int], isNormalized: Bool = false) {
    self.stages = stages
    self.isNormalized = isNormalized
  }

  /// The paper's networks of 11, 13, 16 or 19 layers.
  init(_ depth: Int, isNormalized: Bool = false) {
    let deep = (depth - 7) / 3
    self.init(
      stages: depth == 11 ? [1, 1, 2, 2, 2] : [2, 2, deep, deep, deep], isNormalized: isNormalized)
  }

  public func model(classes: Int) -> Sequential {
    var features: [any Layer] = []
    for (stage, count) in stages.enumerated() {
      for _ in 0..<count {
        let filters = min(512, 64 << stage)
        features.append(Conv2D(filters, kernel: 3, padding: 1, kernelInitializer: .heNormal))
        if isNormalized { features.append(BatchNorm()) }
        features.append(Activation.relu)
      }
      features.append(MaxPool2D(2))
    }
    let classifier: [any Layer] = [
      Dense(4096), Activation.relu, Dropout(0.5), Dense(4096), Activation.relu, Dropout(0.5), Dense(classes),
    ]
    return Sequential(named: [
      ("features", Sequential(numbered: features)), ("avgpool", AdaptiveAveragePool(7)), ("flatten", Flatten()),
      ("classifier", Sequential(numbered: classifier)),
    ])
  }
}
