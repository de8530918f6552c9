import CajalNN

/// Parameters that an optimizer treats in a way of their own, by the pattern of their paths.
///
/// ```swift
/// AdamW(weightDecay: 0.01, groups: [ParameterGroup(matching: "*.bias", weightDecay: 0)])
/// ```
/// A parameter belongs to the first group that names it, from its first step on.
public struct ParameterGroup: Sendable {
  public let pattern: PathPattern
  /// The optimizer's where `nil`.
  public let weightDecay: Double?
  /// Times the optimizer's learning rate.
  public let learningRateFactor: Double

  public init(matching pattern: PathPattern, weightDecay: Double? = nil, learningRateFactor: Double = 1) {
    self.pattern = pattern
    self.weightDecay = weightDecay
    self.learningRateFactor = learningRateFactor
  }
}
