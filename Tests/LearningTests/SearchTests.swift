import Cajal
import Testing

@Suite struct SearchTests {
  private let search = Search(["rate": .logarithmic(1e-4...1), "units": .choices([8, 16])], shouldRise: false)

  /// Best where the rate is 0.01 and there are 16 units.
  private func score(_ candidate: Search.Candidate) -> Double {
    abs(candidate["rate"] - 0.01) + (candidate["units"] == 16 ? 0 : 1)
  }

  @Test func aGridHasEveryCombination() throws {
    let grid = search.grid(points: 3)
    #expect(grid.count == 6 && Set(grid).count == 6)
    #expect(Set(grid.map { $0["units"] }) == [8, 16])
    let best = try search.run(grid, budget: 1) { candidate, _ in score(candidate) }[0]
    #expect(abs(best.candidate["rate"] - 0.01) < 1e-9 && best.candidate["units"] == 16)
  }

  @Test func drawsAreTheSeedsAndStayInTheirDomains() {
    let drawn = search.drawn(200, seed: 1)
    #expect(drawn == search.drawn(200, seed: 1) && drawn != search.drawn(200, seed: 2))
    #expect(drawn.allSatisfy { 1e-4...1 ~= $0["rate"] && [8, 16].contains($0["units"]) })
    // As many below the middle of the exponents as above, but for chance.
    #expect((70...130).contains(drawn.count { $0["rate"] < 1e-2 }))
  }

  @Test func halvingSpendsMoreOnWhatIsBetter() throws {
    var spent: [Double: Int] = [:]
    let candidates = (0..<9).map { Search.Candidate(["x": Double($0)]) }
    let trials = try Search([:]).halving(candidates, budget: 9) { candidate, budget in
      spent[candidate["x"], default: 0] += budget
      return candidate["x"]
    }
    #expect(trials.count == 1 && trials[0].candidate["x"] == 8 && trials[0].budget == 9)
    #expect(spent == [0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 4, 7: 4, 8: 13])
  }

  @Test func whatIsNoNumberIsWorst() throws {
    let candidates = [1.0, 2, 3].map { Search.Candidate(["x": $0]) }
    let trials = try Search([:]).run(candidates, budget: 1) { c, _ in c["x"] == 3 ? .nan : c["x"] }
    #expect(trials.map { $0.candidate["x"] } == [2, 1, 3])
  }

  @Test func crossValidationTestsEveryExampleOnce() throws {
    var tested: [Int] = []
    let result = try CrossValidation.run(count: 23, folds: 5, seed: 3) { train, test in
      #expect(Set(train).isDisjoint(with: test) && train.count + test.count == 23)
      tested += test
      return ["size": Double(test.count)]
    }
    #expect(tested.sorted() == Array(0..<23))
    #expect(abs(result.mean("size") - 4.6) < 1e-12 && abs(result.standardDeviation("size") - 0.5477) < 1e-4)
    expectError("24", "23") { _ = try CrossValidation.run(count: 23, folds: 24) { _, _ in [:] } }
  }
}
