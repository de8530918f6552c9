import CajalNN
import CajalOperations
import CajalTensor

/// Networks of inverted residuals: channels are multiplied, each is convolved alone, and they are brought together
/// again. MobileNetV2 (Sandler et al. 2018), V3 (Howard et al. 2019), EfficientNet (Tan and Le 2019).
public struct MobileNet: NetworkPlan {
  /// Blocks of one form.
  struct Stage: Sendable {
    var kernel: Int
    /// Channels between, absolute or as multiples of those that come in.
    var expansion: Expansion
    var filters: Int
    /// Of the first block; the others keep the size.
    var strides: Int
    var count = 1
    var squeeze = Squeeze.none
    var activation: Activation
  }

  enum Expansion: Sendable {
    case times(Int)
    case channels(Int)
  }

  /// How many units a squeeze-and-excitation has.
  enum Squeeze: Sendable {
    case none
    /// A quarter of the channels between, to a multiple of 8.
    case expanded
    /// A quarter of the channels that come in.
    case incoming
  }

  let stem: Int
  let stages: [Stage]
  /// Channels of the last convolution, and of a layer of neurons behind the pool.
  let last: Int
  var hidden: Int?
  /// Of the stem and the last convolution.
  let activation: Activation
  var gate = Activation.sigmoid
  var norm = Norm()
  /// How images keep their size; `nil` for as many zeros before as behind.
  var padding: Padding?
  let dropout: Double
  /// How often the last block is not there while training; those before it less often.
  var dropPath = 0.0

  public func model(classes: Int) -> Sequential {
    var features: [any Layer] = [
      Sequential.convNorm(stem, kernel: 3, strides: 2, padding: padding, norm: norm, activation)
    ]
    var channels = stem
    let blocks = stages.reduce(0) { $0 + $1.count }
    for stage in stages {
      for index in 0..<stage.count {
        let rate = dropPath * Double(features.count - 1) / Double(blocks)
        features.append(block(stage, from: channels, strides: index == 0 ? stage.strides : 1, rate))
        channels = stage.filters
      }
    }
    features.append(Sequential.convNorm(last, kernel: 1, norm: norm, activation))
    let neurons: [any Layer] = hidden.map { [Dense($0), activation] } ?? []
    return Sequential(named: [
      ("features", Sequential(numbered: features)), ("avgpool", GlobalAveragePool()),
      ("classifier", Sequential(numbered: neurons + [Dropout(dropout), Dense(classes)])),
    ])
  }

  private func block(_ stage: Stage, from channels: Int, strides: Int, _ rate: Double) -> any Layer {
    let expanded =
      switch stage.expansion {
      case .times(let factor): channels * factor
      case .channels(let count): count
      }
    var layers: [any Layer] = []
    if expanded != channels { layers.append(Sequential.convNorm(expanded, kernel: 1, norm: norm, stage.activation)) }
    layers.append(
      Sequential.convNorm(
        expanded, kernel: stage.kernel, strides: strides, padding: padding, isDepthwise: true, norm: norm,
        stage.activation))
    switch stage.squeeze {
    case .none: break
    case .expanded:
      layers.append(
        SqueezeExcitation(channels: expanded, squeezed: roundedChannels(Double(expanded) / 4), gate: gate))
    case .incoming:
      layers.append(
        SqueezeExcitation(
          channels: expanded, squeezed: max(1, channels / 4), activation: stage.activation, gate: gate))
    }
    layers.append(Sequential.convNorm(stage.filters, kernel: 1, norm: norm, .identity))
    let isResidual = strides == 1 && channels == stage.filters
    if isResidual, rate > 0 { layers.append(DropPath(rate)) }
    let body = Sequential(numbered: layers)
    return isResidual ? Residual(body) : Sequential(named: [("body", body)])
  }
}

// MARK: The networks

extension MobileNet {
  public static let v2 = MobileNet(
    stem: 32,
    stages: [
      [1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1],
    ].map {
      Stage(kernel: 3, expansion: .times($0[0]), filters: $0[1], strides: $0[3], count: $0[2], activation: .relu6)
    }, last: 1280, activation: .relu6, dropout: 0.2)

  public static let v3Large = v3(
    [
      ([3, 16, 16, 1], false, .relu), ([3, 64, 24, 2], false, .relu), ([3, 72, 24, 1], false, .relu),
      ([5, 72, 40, 2], true, .relu), ([5, 120, 40, 1], true, .relu), ([5, 120, 40, 1], true, .relu),
      ([3, 240, 80, 2], false, .hardSwish), ([3, 200, 80, 1], false, .hardSwish),
      ([3, 184, 80, 1], false, .hardSwish), ([3, 184, 80, 1], false, .hardSwish),
      ([3, 480, 112, 1], true, .hardSwish), ([3, 672, 112, 1], true, .hardSwish),
      ([5, 672, 160, 2], true, .hardSwish), ([5, 960, 160, 1], true, .hardSwish),
      ([5, 960, 160, 1], true, .hardSwish),
    ], last: 960, hidden: 1280)

  public static let v3Small = v3(
    [
      ([3, 16, 16, 2], true, .relu), ([3, 72, 24, 2], false, .relu), ([3, 88, 24, 1], false, .relu),
      ([5, 96, 40, 2], true, .hardSwish), ([5, 240, 40, 1], true, .hardSwish), ([5, 240, 40, 1], true, .hardSwish),
      ([5, 120, 48, 1], true, .hardSwish), ([5, 144, 48, 1], true, .hardSwish), ([5, 288, 96, 2], true, .hardSwish),
      ([5, 576, 96, 1], true, .hardSwish), ([5, 576, 96, 1], true, .hardSwish),
    ], last: 576, hidden: 1024)

  public static let efficientNetB0 = efficientNet(.silu, .incoming, dropPath: 0.2)

  /// Without what small devices do badly, its images padded as TensorFlow does.
  public static let efficientNetLite0 = {
    var plan = efficientNet(.relu6, .none, dropPath: 0.2)
    plan.padding = .same
    plan.norm = Norm(epsilon: 1e-3, momentum: 0.01)
    return plan
  }()

  /// - Parameter blocks: kernel, channels between, filters, stride; whether squeezed; the activation.
  private static func v3(_ blocks: [([Int], Bool, Activation)], last: Int, hidden: Int) -> MobileNet {
    let stages = blocks.map { numbers, isSqueezed, activation in
      Stage(
        kernel: numbers[0], expansion: .channels(numbers[1]), filters: numbers[2], strides: numbers[3],
        squeeze: isSqueezed ? .expanded : .none, activation: activation)
    }
    return MobileNet(
      stem: 16, stages: stages, last: last, hidden: hidden, activation: .hardSwish, gate: .hardSigmoid,
      norm: Norm(epsilon: 1e-3, momentum: 0.01), dropout: 0.2)
  }

  private static func efficientNet(_ activation: Activation, _ squeeze: Squeeze, dropPath: Double) -> MobileNet {
    // Multiple of the channels, kernel, stride, filters, blocks.
    let stages = [
      [1, 3, 1, 16, 1], [6, 3, 2, 24, 2], [6, 5, 2, 40, 2], [6, 3, 2, 80, 3], [6, 5, 1, 112, 3], [6, 5, 2, 192, 4],
      [6, 3, 1, 320, 1],
    ].map {
      Stage(
        kernel: $0[1], expansion: .times($0[0]), filters: $0[3], strides: $0[2], count: $0[4], squeeze: squeeze,
        activation: activation)
    }
    return MobileNet(
      stem: 32, stages: stages, last: 1280, activation: activation, dropout: 0.2, dropPath: dropPath)
  }
}
