import Cajal
import Foundation
import Testing

@Suite struct OrderingTests {
  private let x = Tensor([[3.0, 1, 2, 1], [0, Double.nan, -1, 5]])

  @Test func sortingIsStableAndPutsNaNLast() throws {
    #expect(try x.argsort().scalars(Int.self) == [1, 3, 2, 0, 2, 0, 3, 1])
    #expect(try x.argsort(descending: true).scalars(Int.self) == [0, 2, 1, 3, 3, 0, 2, 1])
    #expect(try x[0].sorted(descending: true).scalars(Double.self) == [3, 2, 1, 1])
    #expect(try Tensor([[1, 2], [0, 3]]).sorted(axis: 0).scalars(Int.self) == [0, 2, 1, 3])
  }

  @Test func topKGivesTheGreatestAndWhereTheyStood() throws {
    let (values, indices) = x.topK(2)
    #expect(try values.scalars(Double.self) == [3, 2, 5, 0])
    #expect(try indices.scalars(Int.self) == [0, 2, 3, 0])
    let gradient = gradient(at: x[0]) { ($0.topK(2).values * [1.0, 10.0]).sum() }
    #expect(try gradient.scalars(Double.self) == [1, 0, 10, 0])
    #expect(x.topK(5).values.error != nil && x.topK(-1).indices.error != nil && x.sorted(axis: 2).error != nil)
  }

  @Test func cumulativeSumsRunEitherWay() throws {
    let numbers = Tensor([1, 2, 3])
    #expect(try numbers.cumulativeSum(axis: 0).scalars(Int.self) == [1, 3, 6])
    #expect(try numbers.cumulativeSum(axis: -1, reversed: true).scalars(Int.self) == [6, 5, 3])
    #expect(Tensor([true]).cumulativeSum(axis: 0).dtype == .int64)
    // The sums are float64's: 2²⁴ + 1 is no float32.
    let sums = Tensor([16_777_216.0, 1, 1]).cumulativeSum(axis: 0)
    #expect(try sums.scalars(Double.self) == [16_777_216, 16_777_216, 16_777_218])
    let weights = Tensor([1.0, 10, 100])
    let gradient = gradient(at: Tensor([1.0, 2, 3])) { ($0.cumulativeSum(axis: 0) * weights).sum() }
    #expect(try gradient.scalars(Double.self) == [111, 110, 100])
  }

  @Test func aPermutationHasEachOnceAndDependsOnTheSeed() throws {
    let first = try withSeed(1) { try Tensor.permutation(1000).scalars(Int.self) }
    #expect(first.sorted() == Array(0..<1000) && first != Array(0..<1000))
    #expect(try withSeed(1) { try Tensor.permutation(1000).scalars(Int.self) } == first)
    #expect(try withSeed(2) { try Tensor.permutation(1000).scalars(Int.self) } != first)
  }

  @Test func multinomialDrawsByWeight() throws {
    let weights = Tensor([[1.0, 0, 3, 0], [0, 2, 0, 2]])
    let draws = withSeed(1) { weights.multinomial(10_000) }
    #expect(draws.shape == [2, 10_000] && draws.dtype == .int64)
    let counts = try draws.oneHot(4).sum(axis: 1).scalars(Double.self)
    for (count, share) in zip(counts, [0.25, 0, 0.75, 0, 0, 0.5, 0, 0.5]) {
      // Five standard deviations; what has no weight is never drawn.
      #expect(abs(count - 10_000 * share) <= 250 * share.squareRoot())
    }
  }

  @Test func withoutReplacementEachIsDrawnOnce() throws {
    let weights = Tensor.full([2000, 3], 1) * Tensor([8.0, 1, 1])
    let draws = withSeed(1) { weights.multinomial(3, replacement: false) }
    #expect(try draws.sorted().scalars(Int.self) == (0..<2000).flatMap { _ in [0, 1, 2] })
    let first = try (draws[.all, 0] .== 0).sum().item(as: Int.self)
    #expect(abs(first - 1600) < 90)
    #expect(weights.multinomial(4, replacement: false).error != nil && weights.multinomial(4).error == nil)
  }
}
