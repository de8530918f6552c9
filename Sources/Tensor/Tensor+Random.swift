import CajalBase
import CajalIR
import CajalOperations

// Draws from the scope's generator: the same seed gives the same numbers on every device.

extension Tensor {
  /// Uniform in `lower..<upper`.
  public static func uniform(
    _ shape: Shape, from lower: Double = 0, to upper: Double = 1, dtype: DType = .float32, generator: Generator? = nil
  ) -> Tensor {
    let draw = Tensor(.random(.uniform, shape, dtype, from: generator))
    return lower == 0 && upper == 1 ? draw : draw * (upper - lower) + lower
  }

  /// Normal of `mean` and `standardDeviation`.
  public static func normal(
    _ shape: Shape, mean: Double = 0, standardDeviation: Double = 1, dtype: DType = .float32,
    generator: Generator? = nil
  ) -> Tensor {
    let draw = Tensor(.random(.normal, shape, dtype, from: generator))
    return mean == 0 && standardDeviation == 1 ? draw : draw * standardDeviation + mean
  }

  /// Normal of `mean` and `standardDeviation`, drawn again beyond two standard deviations; what is left has 0.88 of
  /// that standard deviation.
  public static func truncatedNormal(
    _ shape: Shape, mean: Double = 0, standardDeviation: Double = 1, dtype: DType = .float32,
    generator: Generator? = nil
  ) -> Tensor {
    let draw = Tensor(.truncatedNormal(shape, dtype, from: generator))
    return mean == 0 && standardDeviation == 1 ? draw : draw * standardDeviation + mean
  }

  /// True with `probability`.
  public static func bernoulli(_ shape: Shape, probability: Double = 0.5, generator: Generator? = nil) -> Tensor {
    Tensor(.bernoulli(scalarValue(.float(probability), .float32), shape, from: generator))
  }

  /// Integers uniform in `range`, of at most 2³² values.
  public static func randomIntegers(_ shape: Shape, in range: Range<Int>, generator: Generator? = nil) -> Tensor {
    guard !range.isEmpty, range.upperBound.subtractingReportingOverflow(range.lowerBound).partialValue <= 1 << 32,
      !range.upperBound.subtractingReportingOverflow(range.lowerBound).overflow
    else {
      return Tensor(
        errorValue("randomIntegers", [], .shape("cannot draw from \(range)", remedy: "Give 1 to 2³² values")))
    }
    let bits = Tensor(.random(.bits, shape, .int64, from: generator))
    // ⌊bits · width / 2³²⌋ (Lemire 2019): each value is hit by ⌊2³²/width⌋ of the words, or one more.
    let width = range.upperBound - range.lowerBound
    if width == 1 << 32 { return bits + range.lowerBound }
    if width <= 1 << 31 { return (bits * width).floorDivided(by: 1 << 32) + range.lowerBound }
    // The product is beyond int64: the upper and the lower half of the word, one by one.
    let carried = (bits % (1 << 16) * width).floorDivided(by: 1 << 16)
    return (bits.floorDivided(by: 1 << 16) * width + carried).floorDivided(by: 1 << 16) + range.lowerBound
  }
}
