import CajalTensor

/// What a model is to make small: from its outputs and what they should be to one number.
///
/// ```swift
/// let mine = Loss("fourth powers") { outputs, targets in (outputs - targets).squared().squared().mean() }
/// ```
public struct Loss: Sendable {
  /// For tables and histories.
  public let name: String
  private let body: @Sendable (Tensor, Tensor) -> Tensor

  public init(_ name: String, _ body: @escaping @Sendable (_ outputs: Tensor, _ targets: Tensor) -> Tensor) {
    self.name = name
    self.body = body
  }

  public func callAsFunction(_ outputs: Tensor, _ targets: Tensor) -> Tensor { body(outputs, targets) }
}

// The functions of the same names say more.

extension Loss {
  public static let meanSquaredError = Loss("meanSquaredError") { CajalLosses.meanSquaredError($0, $1) }
  public static let meanAbsoluteError = Loss("meanAbsoluteError") { CajalLosses.meanAbsoluteError($0, $1) }
  public static let huber = huber(delta: 1)
  public static func huber(delta: Double) -> Loss { Loss("huber") { CajalLosses.huber($0, $1, delta: delta) } }
  public static let logCosh = Loss("logCosh") { CajalLosses.logCosh($0, $1) }
  public static let poissonNegativeLogLikelihood = Loss("poissonNegativeLogLikelihood") {
    CajalLosses.poissonNegativeLogLikelihood($0, $1)
  }
  /// Of outputs whose last axis has the means, then as many logarithms of variances.
  ///
  /// **Shapes**: outputs `[…, 2C]`, targets `[…, C]`, or `[…]` for C = 1.
  public static let gaussianNegativeLogLikelihood = Loss("gaussianNegativeLogLikelihood") { outputs, targets in
    let parts = outputs.split(into: 2, axis: -1)
    return CajalLosses.gaussianNegativeLogLikelihood(parts[0], targets, variances: parts[parts.count - 1].exp())
  }

  public static let softmaxCrossEntropy = Loss("softmaxCrossEntropy") { CajalLosses.softmaxCrossEntropy($0, $1) }
  public static func softmaxCrossEntropy(
    weights: [Double]? = nil, smoothing: Double = 0, ignoring ignored: Int? = nil
  ) -> Loss {
    let weights = weights.map { Tensor($0, dtype: .float64) }
    return Loss("softmaxCrossEntropy") {
      CajalLosses.softmaxCrossEntropy($0, $1, weights: weights, smoothing: smoothing, ignoring: ignored)
    }
  }
  public static let binaryCrossEntropy = Loss("binaryCrossEntropy") { CajalLosses.binaryCrossEntropy($0, $1) }
  public static func binaryCrossEntropy(positiveWeight: Double, smoothing: Double = 0) -> Loss {
    Loss("binaryCrossEntropy") {
      CajalLosses.binaryCrossEntropy(
        $0, $1, positiveWeight: Tensor(scalar: positiveWeight), smoothing: smoothing)
    }
  }
  public static let focal = focal()
  public static func focal(alpha: Double = 0.25, gamma: Double = 2) -> Loss {
    Loss("focal") { CajalLosses.focal($0, $1, alpha: alpha, gamma: gamma) }
  }
  public static let hinge = Loss("hinge") { CajalLosses.hinge($0, $1) }
  public static let squaredHinge = Loss("squaredHinge") { CajalLosses.squaredHinge($0, $1) }
  public static let hingeEmbedding = Loss("hingeEmbedding") { CajalLosses.hingeEmbedding($0, $1) }
  public static let kullbackLeiblerDivergence = Loss("kullbackLeiblerDivergence") {
    CajalLosses.kullbackLeiblerDivergence($0, $1)
  }
  public static let cosineDistance = Loss("cosineDistance") { CajalLosses.cosineDistance($0, $1) }
}
