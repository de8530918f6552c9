import Cajal
import Foundation
import Testing

@Suite struct InitializerTests {
  private func draw(_ rule: Initializer, _ shape: Shape) -> [Double] {
    withSeed(5) { Parameter(shape, rule, dtype: .float64) }.value.numbers
  }

  private func deviation(_ numbers: [Double]) -> Double {
    let mean = numbers.reduce(0, +) / Double(numbers.count)
    return (numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(numbers.count)).squareRoot()
  }

  @Test func variancesFollowTheNumbersOfInputsAndOutputs() {
    let rules: [(Initializer, Double)] = [
      (.glorotUniform, 2.0 / 250), (.glorotNormal, 2.0 / 250), (.heUniform, 2.0 / 200), (.heNormal, 2.0 / 200),
      (.lecunUniform, 1.0 / 200), (.lecunNormal, 1.0 / 200),
    ]
    for (rule, variance) in rules {
      // 10,000 numbers: five standard errors.
      #expect(abs(deviation(draw(rule, [200, 50])) / variance.squareRoot() - 1) < 0.036)
    }
    // What a kernel covers counts.
    #expect(abs(deviation(draw(.heNormal, [3, 3, 20, 50])) / (2.0 / 180).squareRoot() - 1) < 0.036)
  }

  @Test func aTruncatedNormalEndsAtTwoDeviations() {
    let numbers = draw(.truncatedNormal(standardDeviation: 3), [40_000])
    let extremes = (numbers.min() ?? 0, numbers.max() ?? 0)
    #expect(extremes.0 >= -6 && extremes.0 < -5.9 && extremes.1 <= 6 && extremes.1 > 5.9)
    #expect(abs(deviation(numbers) / 3 - 0.8796) < 0.015)
    // By the distribution function.
    let middle = Double(numbers.count { abs($0) < 3 * 0.642_2 }) / 40_000
    #expect(abs(middle - 0.502) < 0.0125)
  }

  @Test(arguments: [[8, 5], [5, 8], [6, 6], [3, 2, 4]])
  func orthogonalColumnsOrRowsAre(_ extents: [Int]) {
    let columns = extents[extents.count - 1]
    let rows = extents.dropLast().reduce(1, *)
    let matrix = Tensor(draw(.orthogonal(gain: 2), Shape(extents)), shape: [rows, columns], dtype: .float64)
    let product = rows < columns ? matrix.matmul(matrix.T) : matrix.T.matmul(matrix)
    let expected = Tensor.eye(min(rows, columns), dtype: .float64) * 4
    #expect((product - expected).abs().max().numbers[0] < 1e-12)
  }

  @Test func constantsAndIdentitiesAreWhatTheySay() {
    #expect(draw(.constant(0.5), [3]) == [0.5, 0.5, 0.5])
    #expect(draw(.identity, [2, 3]) == [1, 0, 0, 0, 1, 0])
    #expect(draw(.identity, [2, 1, 1]) == [1, 1])
  }
}
