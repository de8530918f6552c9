import CajalNN
import CajalTensor

/// Convolutional networks with what transformers taught: Liu et al. 2022.
public struct ConvNeXt: NetworkPlan {
  /// Blocks and channels of each stage.
  public let depths: [Int]
  public let widths: [Int]
  /// How often the last block is not there while training; those before it less often.
  public let dropPath: Double

  public init(depths: [Int], widths: [Int], dropPath: Double) {
    self.depths = depths
    self.widths = widths
    self.dropPath = dropPath
  }

  public static let tiny = ConvNeXt(depths: [3, 3, 9, 3], widths: [96, 192, 384, 768], dropPath: 0.1)

  public func model(classes: Int) -> Sequential {
    var features: [any Layer] = []
    var done = 0
    let blocks = depths.reduce(0, +)
    for (depth, width) in zip(depths, widths) {
      features.append(
        Sequential(
          numbered: features.isEmpty
            ? [conv(width, 4), norm] : [norm, conv(width, 2)]))
      let stage = (0..<depth).map { index in
        block(width, dropPath * Double(done + index) / Double(max(1, blocks - 1)))
      }
      done += depth
      features.append(Sequential(numbered: stage))
    }
    return Sequential(named: [
      ("features", Sequential(numbered: features)), ("avgpool", GlobalAveragePool()),
      ("classifier", Sequential(numbered: [norm, Flatten(), Dense(classes)])),
    ])
  }

  private func block(_ width: Int, _ rate: Double) -> Residual {
    var layers: [any Layer] = [
      DepthwiseConv2D(kernel: 7, padding: 3, kernelInitializer: weights), norm,
      Dense(4 * width, activation: .gelu, kernelInitializer: weights), Dense(width, kernelInitializer: weights),
      LayerScale(),
    ]
    if rate > 0 { layers.append(DropPath(rate)) }
    return Residual(Sequential(numbered: layers))
  }

  /// Cuts the image into squares.
  private func conv(_ filters: Int, _ size: Int) -> Conv2D {
    Conv2D(filters, kernel: size, strides: size, kernelInitializer: weights)
  }

  private var norm: LayerNorm { LayerNorm(epsilon: 1e-6) }
  private var weights: Initializer { .truncatedNormal(standardDeviation: 0.02) }
}
