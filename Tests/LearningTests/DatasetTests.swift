import Cajal
import Foundation
import Testing

private struct Torn: Error, CustomStringConvertible { let description = "it is torn" }

private let numbers = Dataset(Array(0..<20))

/// The same numbers, read one after the other.
private let stream = Dataset<Int>(count: 20) {
  var next = 0
  return {
    guard next < 20 else { return nil }
    defer { next += 1 }
    return next
  }
}

/// Both, for what must not depend on where the elements come from.
private let sources = [numbers, stream]

@Suite struct DatasetTests {
  @Test func aDataSetIsPassedOverAgainAndAgain() throws {
    for source in sources {
      #expect(source.count == 20)
      for _ in 0..<2 { #expect(Array(source.pass()) == Array(0..<20)) }
      var sum = 0
      for number in source { sum += number }
      #expect(sum == 190)
    }
    #expect(Array(Dataset(indices: 5..<8) { $0 * $0 }.pass()) == [25, 36, 49])
  }

  @Test func aPassMayBeginAnywhereAndSaysWhereItIs() throws {
    let stages: [(String, (Dataset<Int>) -> Dataset<Int>)] = [
      ("none", { $0 }), ("map", { $0.map { $0 + 1 } }), ("workers", { $0.map(workers: 3) { $0 + 1 } }),
      ("shuffled", { $0.shuffled(seed: 3, buffer: 5) }), ("prefetched", { $0.prefetched(4) }),
      ("batched", { $0.batched(3) { $0.reduce(0, +) } }), ("repeated", { $0.repeated(3) }),
      ("filter", { $0.filter { $0 % 3 == 0 } }), ("cached", { $0.cached() }),
      ("interleaved", { .interleaved([$0, $0.prefix(5)], block: 2) }), ("skipping", { $0.skipping(4).prefix(9) }),
      ("concatenated", { $0.concatenated(with: $0.prefix(3)) }), ("zipped", { $0.zipped(with: $0).map { $0 - $1 } }),
      ("random", { $0.map(seed: 4) { element, generator in Int(generator.key % 1000) + element } }),
    ]
    for source in sources {
      for (name, stage) in stages {
        let data = stage(source)
        let whole = try data.elements(epoch: 2)
        if let count = data.count { #expect(count == whole.count, "\(name)") }
        for position in [0, 1, 5, whole.count, whole.count + 3] {
          var pass = data.pass(epoch: 2, from: position)
          #expect(pass.position == position)
          let rest = Array(pass)
          #expect(rest == Array(whole.dropFirst(position)), "\(name) from \(position)")
          #expect(pass.next() == nil && pass.position == max(position, whole.count), "\(name)")
        }
      }
    }
  }

  @Test func whatManyWorkersMakeComesInOrder() throws {
    for source in sources {
      for workers in [0, 1, 4] {
        let mapped = source.map(workers: workers) { number in
          // The first take longest.
          usleep(UInt32(20 - number) * 50)
          return number * 10
        }
        #expect(Array(mapped) == (0..<20).map { $0 * 10 })
      }
    }
  }

  @Test func randomDrawsAreTheSampleSOwnWhicheverThreadMakesThem() throws {
    func drawn(_ workers: Int, seed: UInt64, epoch: Int) throws -> [Float] {
      try withSeed(seed) {
        try numbers.map(workers: workers) { _ in try Tensor.uniform([]).item() }.elements(epoch: epoch)
      }
    }
    let first = try drawn(0, seed: 1, epoch: 0)
    #expect(Set(first).count == 20)
    for workers in [1, 3] { #expect(try drawn(workers, seed: 1, epoch: 0) == first) }
    #expect(try drawn(0, seed: 1, epoch: 1) != first)
    #expect(try drawn(0, seed: 2, epoch: 0) != first)
    // Two stages draw different numbers.
    let twice = numbers.map { _ in try Tensor.uniform([]).item() }.map { try $0 - Tensor.uniform([]).item() }
    #expect(try !twice.elements().contains(0))
  }

  @Test func aSeedOfItsOwnMakesAStageIndependentOfWhatIsAround() throws {
    let noise = numbers.map(seed: 9, workers: 2) { _, generator in
      try Tensor.uniform([], generator: generator).item() + Tensor.uniform([]).item()
    }
    let first = try noise.elements(epoch: 3)
    #expect(try withSeed(5) { try noise.elements(epoch: 3) } == first)
    #expect(try noise.elements(epoch: 4) != first)
  }

  @Test func prefetchingDoesNotReadFurtherThanAsked() throws {
    let read = Counter()
    let data = Dataset(indices: 0..<1000) { index in
      read.add()
      return index
    }.prefetched(3)
    var pass = data.pass()
    #expect(pass.next() == 0)
    usleep(50_000)
    #expect(read.value <= 4 && read.value >= 1)
  }

  @Test func threadsEndWhenThePassIsDropped() throws {
    let alive = Counter()
    func begin() {
      let kept = Kept(alive)
      var pass = stream.map(workers: 3) { number in withExtendedLifetime(kept) { number } }.pass()
      _ = pass.next()
    }
    begin()
    for _ in 0..<200 where alive.value > 0 { usleep(10_000) }
    #expect(alive.value == 0)
  }

  @Test func whatThrowsEndsThePassAndIsTold() throws {
    for workers in [0, 2] {
      for source in sources {
        let torn = source.map(workers: workers) { number in
          if number == 7 { throw Torn() }
          return number
        }
        var pass = torn.pass()
        #expect(Array(pass) == Array(0..<7))
        #expect(pass.error is Torn)
        #expect(throws: Torn.self) { try pass.read() }
        #expect(throws: Torn.self) { try torn.elements() }
      }
    }
    var unopened = Dataset<Int> { throw Torn() }.prefetched().pass()
    #expect(unopened.next() == nil && unopened.error is Torn)
  }

  @Test func aBatchThatCannotBeReadIsABatchOfErrors() throws {
    let examples = numbers.map { number in
      if number == 5 { throw Torn() }
      return (Tensor([Float(number)]), Tensor(scalar: number))
    }
    var batches = 0
    for batch in examples.batched(4) {
      batches += 1
      if batches == 2 {
        expectError("torn") { _ = try batch.inputs.bytes() }
        expectError("torn") { _ = try batch.targets.bytes() }
      } else {
        #expect(batch.inputs.shape == [4, 1] && batch.targets.numbers == [0, 1, 2, 3])
      }
    }
    #expect(batches == 2)
  }
}

/// A number that threads count in.
private final class Counter: @unchecked Sendable {
  private let lock = NSLock()
  private var count = 0
  var value: Int { lock.withLock { count } }
  func add(_ number: Int = 1) { lock.withLock { count += number } }
}

/// Counts itself while it lives.
private final class Kept: Sendable {
  private let counter: Counter
  init(_ counter: Counter) {
    self.counter = counter
    counter.add()
  }
  deinit { counter.add(-1) }
}

@Suite struct DatasetOrderTests {
  @Test func aShuffleHoldsEveryElementOnce() throws {
    for source in sources {
      for buffer in [1, 4, 100] {
        let shuffled = source.shuffled(seed: 5, buffer: buffer)
        let first = try shuffled.elements(epoch: 1)
        #expect(first.sorted() == Array(0..<20))
        #expect(try shuffled.elements(epoch: 1) == first)
        if buffer > 1 { #expect(try shuffled.elements(epoch: 2) != first) }
      }
    }
    // A stream's buffer bounds how early an element can come.
    let near = try stream.shuffled(seed: 1, buffer: 3).elements()
    #expect(near.enumerated().allSatisfy { $1 <= $0 + 2 } && near != Array(0..<20))
  }

  @Test func aSplitSharesOutEveryStratumEqually() throws {
    let labelled = Dataset(indices: 0..<100) { ($0, $0 < 70 ? "common" : $0 < 90 ? "rare" : "rarest") }
    let parts = labelled.split([0.5, 0.3, 0.2], seed: 3) { $0.1 }
    let elements = try parts.map { try $0.elements() }
    #expect(elements.map(\.count) == [50, 30, 20])
    #expect(elements.joined().map(\.0).sorted() == Array(0..<100))
    for (part, share) in zip(elements, [0.5, 0.3, 0.2]) {
      for (label, size) in [("common", 70), ("rare", 20), ("rarest", 10)] {
        #expect(part.filter { $0.1 == label }.count == Int((share * Double(size)).rounded()))
      }
    }
    let again = try labelled.split([0.5, 0.3, 0.2], seed: 3) { $0.1 }[1].elements().map(\.0)
    #expect(again == elements[1].map(\.0))
    #expect(try labelled.split([0.5], seed: 4)[0].elements().map(\.0) != elements[0].map(\.0))
  }

  @Test(arguments: [[0.5, 0.5], [0.8, 0.2], [0.6, 0.3], [0.34, 0.33, 0.33], [0.1]])
  func partsKnowTheirSizeBeforeAnythingIsRead(_ fractions: [Double]) throws {
    for (count, strata) in [(37, 3), (40, 40), (11, 7), (1, 1), (0, 1)] {
      let reads = Counter()
      let data = Dataset(indices: 0..<count) { index in
        reads.add()
        return index
      }
      let parts = data.split(fractions, seed: 4) { $0 % strata }
      let counts = parts.map(\.count)
      #expect(reads.value == 0)
      #expect(try counts == parts.map { try $0.elements().count }, "\(count) in \(strata) strata")
      #expect(try Set(parts.flatMap { try $0.elements() }).count == counts.compactMap { $0 }.reduce(0, +))
    }
    #expect(Dataset([1, 2]).split([.nan, 1e300], seed: 1).count == 2)
  }

  @Test func foldsDifferInSizeByOneAtMostAndHoldAllClasses() throws {
    let strata = (0..<50).map { $0 % 3 }
    let folds = try Partition.folds(50, 4, strata: strata, seed: 1)
    #expect(folds.map(\.count).sorted() == [12, 12, 13, 13])
    #expect(folds.joined().sorted() == Array(0..<50))
    for fold in folds {
      for label in 0..<3 { #expect(4...5 ~= fold.filter { strata[$0] == label }.count) }
    }
    expectError("1 folds") { _ = try Partition.folds(50, 1, seed: 1) }
    expectError("4 folds") { _ = try Partition.folds(3, 4, seed: 1) }
  }

  @Test func weightsSayHowOftenAnElementIsDrawn() throws {
    let drawn = try Dataset(["a", "b", "c"]).weighted(by: [1, 0, 3], seed: 2, count: 4000).elements()
    #expect(drawn.count == 4000 && !drawn.contains("b"))
    // Binomial(4000, ¼): 1000 ± 27.
    #expect(abs(drawn.filter { $0 == "a" }.count - 1000) < 140)
    expectError("2 weights", "3 elements") {
      _ = try Dataset(["a", "b", "c"]).weighted(by: [1, 1], seed: 0).elements()
    }
    expectError("sum to 0") { _ = try Dataset(["a"]).weighted(by: [0], seed: 0).elements() }
  }

  @Test func whatNeedsMemorySaysSoOfAStream() throws {
    expectError("a stream", "cached()") { _ = try stream.split([0.5], seed: 1)[0].elements() }
    expectError("a stream", "cached()") { _ = try stream.weighted(by: [1], seed: 1).elements() }
    #expect(try stream.cached().split([0.5], seed: 1)[0].elements().count == 10)
  }

  @Test func aCacheReadsOnce() throws {
    let reads = Counter()
    let cached = stream.map { number in
      reads.add()
      return number
    }.cached()
    for epoch in 0..<3 { #expect(try cached.elements(epoch: epoch) == Array(0..<20)) }
    #expect(reads.value == 20)
  }

  @Test func partsAreJoinedAndCut() throws {
    for source in sources {
      #expect(try source.prefix(3).elements() == [0, 1, 2])
      #expect(try source.skipping(17).elements() == [17, 18, 19])
      #expect(try source.prefix(2).concatenated(with: source.skipping(19)).elements() == [0, 1, 19])
      #expect(try source.prefix(2).repeated(2).elements() == [0, 1, 0, 1])
      #expect(try source.prefix(3).repeated().prefix(7).elements() == [0, 1, 2, 0, 1, 2, 0])
      #expect(try source.prefix(0).repeated().elements() == [])
      let pairs = try source.zipped(with: source.skipping(18)).elements()
      #expect(pairs.map(\.0) == [0, 1] && pairs.map(\.1) == [18, 19])
      let mixed = Dataset.interleaved([source.prefix(5), source.skipping(18)], block: 2)
      #expect(try mixed.elements() == [0, 1, 18, 19, 2, 3, 4])
    }
    // Each round is an epoch of its own.
    let rounds = try numbers.shuffled(seed: 1).repeated(2).elements()
    #expect(rounds.prefix(20).sorted() == rounds.suffix(20).sorted() && rounds.prefix(20) != rounds.suffix(20))
  }
}

@Suite struct DatasetBatchTests {
  @Test func tensorsAreStackedAndTheLastBatchMayBeDropped() throws {
    let tensors = numbers.map { Tensor([Float($0), 1]) }
    #expect(tensors.batched(8).map { $0.shape } == [[8, 2], [8, 2], [4, 2]])
    #expect(tensors.batched(8, droppingLast: true).count == 2)
    #expect(tensors.batched(8, droppingLast: true).map { $0.shape } == [[8, 2], [8, 2]])
    #expect(stream.map { Tensor([Float($0)]) }.batched(8, droppingLast: true).map { $0.shape } == [[8, 1], [8, 1]])
  }

  @Test func shorterTensorsArePaddedToTheLongest() throws {
    let ragged = Dataset([1, 3, 2]).map { count in Tensor((0..<count).map { Float($0) }) }
    let batch = try #require(ragged.batched(3, padding: -1).first { _ in true })
    #expect(batch.shape == [3, 3] && batch.numbers == [0, -1, -1, 0, 1, 2, 0, 1, -1])
    let torn = try #require(ragged.batched(3).first { _ in true })
    expectError("[1, 1] and [1, 3] differ") { _ = try torn.bytes() }
  }

  @Test func labeledDataGivesTheSameBatchesAsItsLoop() throws {
    let data = LabeledData(inputs: Tensor.arange(10).reshaped(10, 1), targets: Tensor.arange(10) / 2)
    #expect(data.classes == nil)
    for shuffled in [false, true] {
      let batches = data.batched(4, shuffled: shuffled, seed: 3)
      #expect(batches.count == 3)
      for epoch in 0..<2 {
        let looped = data.batches(of: 4, shuffled: shuffled, seed: 3, epoch: epoch).map { $0.x.numbers + $0.y.numbers }
        #expect(batches.pass(epoch: epoch).map { $0.inputs.numbers + $0.targets.numbers } == looped)
        #expect(batches.pass(epoch: epoch, from: 2).map { $0.count } == [2])
      }
    }
    #expect(data.batched(4, droppingLast: true).map { $0.count } == [4, 4])
    #expect(data.selecting([3, 0]).targets.numbers == [1.5, 0])
  }
}
