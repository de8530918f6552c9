import CajalNN
import CajalOperations
import CajalTensor

// What the networks are made of. Layers stand under the names that torchvision gives them.

/// A batch normalisation's constants.
struct Norm: Sendable {
  var epsilon = 1e-5
  var momentum = 0.1

  var layer: BatchNorm { BatchNorm(momentum: momentum, epsilon: epsilon) }
}

/// A convolution without bias, which a normalisation follows.
func conv(_ filters: Int, _ kernel: Int, strides: Int = 1) -> Conv2D {
  Conv2D(
    filters, kernel: kernel, strides: strides, padding: .explicit(kernel / 2), usesBias: false,
    kernelInitializer: .heNormal)
}

extension Sequential {
  /// Layers under their numbers: `0`, `1`, ….
  init(numbered layers: [any Layer]) {
    self.init(named: layers.enumerated().map { ("\($0)", $1) })
  }

  /// A convolution, its normalisation, its activation.
  ///
  /// - Parameter padding: as much as keeps the size at stride 1 if `nil`.
  static func convNorm(
    _ filters: Int, kernel: Int, strides: Int = 1, padding: Padding? = nil, isDepthwise: Bool = false,
    norm: Norm = Norm(), _ activation: Activation = .relu
  ) -> Sequential {
    let padding = padding ?? .explicit(kernel / 2)
    let convolution: any Layer =
      isDepthwise
      ? DepthwiseConv2D(
        kernel: kernel, strides: strides, padding: padding, usesBias: false, kernelInitializer: .heNormal)
      : Conv2D(
        filters, kernel: kernel, strides: strides, padding: padding, usesBias: false, kernelInitializer: .heNormal)
    let isLinear = activation.name == Activation.identity.name
    return Sequential(numbered: [convolution, norm.layer] + (isLinear ? [] : [activation]))
  }
}

/// The nearest multiple of 8, not less than nine tenths of the number: what MobileNets round channels to.
func roundedChannels(_ number: Double) -> Int {
  let rounded = max(8, Int(number + 4) / 8 * 8)
  return Double(rounded) < 0.9 * number ? rounded + 8 : rounded
}
