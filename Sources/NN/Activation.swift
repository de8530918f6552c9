import CajalTensor

/// A function applied to every element: what makes layers more than one matrix.
public struct Activation: Layer {
  private let function: @Sendable (Tensor) -> Tensor
  /// Whether about half of its outputs are 0: what initialisers want to know.
  let isRectifying: Bool

  /// A function of your own.
  public init(_ function: @escaping @Sendable (Tensor) -> Tensor) { self.init(isRectifying: false, function) }

  private init(isRectifying: Bool, _ function: @escaping @Sendable (Tensor) -> Tensor) {
    self.function = function
    self.isRectifying = isRectifying
  }

  public func callAsFunction(_ input: Tensor) -> Tensor { function(input) }

  public static let identity = Activation { $0 }
  public static let relu = Activation(isRectifying: true) { $0.relu() }
  public static let leakyRelu = Activation(isRectifying: true) { $0.leakyRelu() }
  public static let elu = Activation(isRectifying: true) { $0.elu() }
  public static let gelu = Activation(isRectifying: true) { $0.gelu() }
  public static let silu = Activation(isRectifying: true) { $0.silu() }
  public static let mish = Activation(isRectifying: true) { $0.mish() }
  public static let selu = Activation { $0.selu() }
  public static let sigmoid = Activation { $0.sigmoid() }
  public static let tanh = Activation { $0.tanh() }
  public static let softplus = Activation { $0.softplus() }
  public static let softsign = Activation { $0.softsign() }
  public static let softmax = Activation { $0.softmax() }
  /// 1 where positive, 0 elsewhere: the first artificial neurons (McCulloch and Pitts 1943). Has no gradient.
  public static let step = Activation { ($0 .> 0).cast(to: .float32) }
}
