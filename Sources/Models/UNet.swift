import CajalNN
import CajalTensor

/// A class for each pixel: an image made smaller and larger again, with what it was at each size beside it:
/// Ronneberger et al. 2015. Its convolutions keep the size and are normalised.
///
/// **Shapes**: `[N, H, W, C]` to `[N, H, W, classes]`; H and W are multiples of 2^levels.
public struct UNet: NetworkPlan {
  /// Channels at the full size; each level doubles them.
  public let width: Int
  /// How often the size is halved.
  public let levels: Int

  public init(width: Int = 64, levels: Int = 4) {
    self.width = width
    self.levels = levels
  }

  public func model(classes: Int) -> Sequential {
    Sequential(named: [("body", level(0)), ("head", Conv2D(classes, kernel: 1))])
  }

  private func level(_ depth: Int) -> Sequential {
    let filters = width << depth
    guard depth < levels else { return twice(filters) }
    let below = Sequential(named: [
      ("down", MaxPool2D(2)), ("level\(depth + 1)", level(depth + 1)),
      ("up", ConvTransposed2D(filters, kernel: 2, strides: 2)),
    ])
    return Sequential(named: [
      ("before", twice(filters)),
      (
        "across",
        Parallel(.concatenate) {
          Activation.identity
          below
        }
      ), ("after", twice(filters)),
    ])
  }

  private func twice(_ filters: Int) -> Sequential {
    Sequential(numbered: [Sequential.convNorm(filters, kernel: 3), Sequential.convNorm(filters, kernel: 3)])
  }
}
