import CajalBase
import CajalIR
import CajalOperations

/// Adam's second moment in the memory of two vectors: Shazeer and Stern 2018, as PyTorch computes it.
///
/// Of a matrix the mean squares of rows and of columns are kept, whose product over their mean stands for v; of a
/// vector v itself. w = t^decayExponent, r ← r + w (mean g² − r) and so on; u = g / √v, divided by
/// max(1, rms(u) / clipping); θ ← θ · (1 − learningRate · weightDecay) − max(ε₂, rms(θ)) · min(learningRate, 1 / √t) · u.
/// Steps are relative to a parameter's size.
///
/// **Shapes**: of `[…, rows, columns]` it keeps `[…, rows, 1]` and `[…, 1, columns]`.
public final class Adafactor: RuleOptimizer {
  public let decayExponent: Double
  public let epsilon2: Double
  public let clipping: Double
  package let state: OptimizerState

  public init(
    learningRate: Double = 0.01, decayExponent: Double = -0.8, epsilon2: Double = 1e-3, clipping: Double = 1,
    weightDecay: Double = 0, groups: [ParameterGroup] = []
  ) {
    self.decayExponent = decayExponent
    self.epsilon2 = epsilon2
    self.clipping = clipping
    state = OptimizerState(learningRate, weightDecay: weightDecay, decay: .ruled, groups: groups)
  }

  package func slots(for type: TensorType) -> [SlotKind] {
    let (shape, rank) = (type.shape, type.shape.rank)
    if rank < 2 { return [SlotKind("square")] }
    return [
      SlotKind("rows", shape.prefix(rank - 1) + [1]),
      SlotKind("columns", shape.prefix(rank - 2) + [1, shape[-1]]),
    ]
  }

  package func numbers(_ step: StepNumbers) -> [Value] {
    let weight = Value.power(step.count, step(decayExponent, .float64))
    let rate = Value.minimum(step.learningRate(.float64), step.count.rsqrt())
    // The distance from 1 to the next number.
    let epsilon1 = step.dtype == .float64 ? Double.ulpOfOne : Double(Float.ulpOfOne)
    let weightDecay = step.weightDecay
    return [weight, 1 - weight, rate].map { $0.cast(to: step.dtype) }
      + [
        step(epsilon1), step(epsilon1 * epsilon1), step(epsilon2), step(1 / clipping), step(1),
        step.learningRate { 1 - $0 * weightDecay },
      ]
  }

  package func rule(_ value: Value, _ gradient: Value, _ slots: [Value], _ numbers: [Value]) -> [Value] {
    let square = gradient * gradient
    func averaged(_ slot: Value, _ new: Value) -> Value {
      .movingAverage(slot, new, decay: numbers[1], weight: numbers[0])
    }
    let (news, spread): ([Value], Value)
    if slots.count == 2 {
      let rows = averaged(slots[0], square.mean([-1], keepingAxes: true))
      let columns = averaged(slots[1], square.mean([-2], keepingAxes: true))
      // […, rows, 1] · […, 1, columns] is […, rows, columns].
      spread = rows * columns / Value.maximum(rows.mean([-2], keepingAxes: true), numbers[3])
      news = [rows, columns]
    } else {
      spread = averaged(slots[0], square)
      news = [spread]
    }
    let direction = Value.maximum(spread, numbers[4]).rsqrt() * gradient
    let size = Value.maximum(numbers[5], value.rootMeanSquare()) * numbers[2]
    let clip = Value.maximum(numbers[7], direction.rootMeanSquare() * numbers[6])
    return [value * numbers[8] - direction * (size / clip)] + news
  }
}

extension Value {
  fileprivate func rootMeanSquare() -> Value { (self * self).mean().cast(to: dtype).sqrt() }
}
