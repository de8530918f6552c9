import CajalBase
import CajalTensor

/// How a parameter's first numbers are drawn.
public struct Initializer: Sendable {
  let make: @Sendable (Shape, DType) -> Tensor

  /// A rule of your own: a tensor of this shape and dtype.
  public init(_ make: @escaping @Sendable (Shape, DType) -> Tensor) { self.make = make }

  public static let zeros = Initializer { Tensor.zeros($0, dtype: $1) }
  public static let ones = Initializer { Tensor.ones($0, dtype: $1) }

  public static func uniform(from lower: Double, to upper: Double) -> Initializer {
    Initializer { Tensor.uniform($0, from: lower, to: upper, dtype: $1) }
  }

  public static func normal(standardDeviation: Double) -> Initializer {
    Initializer { Tensor.normal($0, standardDeviation: standardDeviation, dtype: $1) }
  }

  /// Uniform in ±√(6 / (inputs + outputs)): Glorot and Bengio 2010. For tanh, sigmoid, softmax.
  public static let glorotUniform = Initializer { shape, dtype in
    let (inputs, outputs) = fans(shape)
    let limit = (6 / Double(max(1, inputs + outputs))).squareRoot()
    return Tensor.uniform(shape, from: -limit, to: limit, dtype: dtype)
  }

  /// Uniform in ±√(6 / inputs): He et al. 2015. For relu and its kin.
  public static let heUniform = Initializer { shape, dtype in
    let limit = (6 / Double(max(1, fans(shape).inputs))).squareRoot()
    return Tensor.uniform(shape, from: -limit, to: limit, dtype: dtype)
  }

  /// Inputs and outputs of one unit: the last two axes, times what a kernel covers before them.
  private static func fans(_ shape: Shape) -> (inputs: Int, outputs: Int) {
    if shape.rank < 2 { return (shape.count, shape.count) }
    let covered = shape.prefix(shape.rank - 2).count
    return (covered * shape[-2], covered * shape[-1])
  }
}
