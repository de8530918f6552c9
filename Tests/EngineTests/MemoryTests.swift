import CajalBase
import CajalEngine
import CajalNN
import CajalOptimizers
import CajalTensor
import Foundation
import Testing

/// Memory over long runs. Each runs in a process of its own, whose memory nobody else changes.
@Suite struct MemoryTests {
  @Test func memoryIsFlatOverTenThousandSteps() async {
    await #expect(processExitsWith: .success) { try expectFlat(10_000) { _ in } }
  }

  @Test func memoryIsFlatWhenTheLossIsSummedAndReadAtTheEnd() async {
    await #expect(processExitsWith: .success) {
      var total = Tensor.zeros([])
      try expectFlat(10_000) { total += $0 }
      guard try total.item().isFinite else { exit(2) }
    }
  }

  @Test func keepingEveryLossCostsTheLossesAlone() async {
    await #expect(processExitsWith: .success) {
      var losses: [Tensor] = []
      // A kept scalar is a node, its handle, and a block of the allocator: less than 1 KiB.
      try expectFlat(10_000, allowance: 10_000 * 1024) { losses.append($0) }
      guard losses.count == 10_000, try losses.allSatisfy({ try $0.item().isFinite }) else { exit(2) }
    }
  }

  @Test func aMillionChainedAdditionsLeaveNothingBehind() async {
    await #expect(processExitsWith: .success) {
      var x = Tensor([0.0])
      for _ in 0..<1_000_000 { x = x + 1 }
      guard try x.item() == 1_000_000 else { exit(2) }
      // The chain is evaluated in pieces as it grows: never all of it at once.
      if residentBytes() > 400 << 20 { exit(3) }
      if Runtime.memory(of: .cpu).liveBytes > 1 << 20 { exit(5) }
    }
  }

  @Test func anUnreadChainIsReleasedWithoutRecursion() async {
    await #expect(processExitsWith: .success) {
      var x: Tensor? = Tensor([0.0])
      for _ in 0..<40_000 { x = x.map { $0 + 1 } }
      x = nil
      Runtime.startPending()
      if Runtime.memory(of: .cpu).liveBytes > 1 << 10 { exit(2) }
    }
  }

  @Test func weightsAreUpdatedInPlace() async {
    await #expect(processExitsWith: .success) {
      let model = Linear(Tensor([Float](repeating: 1, count: 1 << 20)).reshaped(1 << 20, 1))
      let optimizer = SGD(learningRate: 0.1, momentum: 0.9)
      let x = try Tensor.ones([1, 1 << 20]).evaluated()
      func step() throws {
        let (loss, gradients) = valueAndGradient(of: model) { model(x).sum() }
        optimizer.update(model, gradients)
        _ = try loss.item()
      }
      try step()
      try step()
      try eval(model.weight.value)
      // Weights, momentum and input: 4 MiB each. A step needs the gradient besides, and nothing else.
      let live = Runtime.memory(of: .cpu).liveBytes
      guard live < 13 << 20 else { exit(2) }
      try step()
      guard Runtime.memory(of: .cpu).peakBytes < live + (9 << 20) else { exit(3) }
    }
  }

  @Test func aSmallViewDoesNotKeepSomethingLargeAlive() async {
    await #expect(processExitsWith: .success) {
      var large: Tensor? = Tensor([Float](repeating: 1, count: 1 << 22))
      let part = try large?[8..<12].evaluated()
      let row = try (large.map { $0 * 2 })?.reshaped(1 << 20, 4)[3].evaluated()
      large = nil
      if Runtime.memory(of: .cpu).liveBytes > 1 << 12 { exit(2) }
      guard try part?.scalars(Float.self) == [1, 1, 1, 1], try row?.scalars(Float.self) == [2, 2, 2, 2] else { exit(3) }
    }
  }

  @Test func aViewOfTheWholeSharesItsMemory() async {
    await #expect(processExitsWith: .success) {
      let large = Tensor([Float](repeating: 1, count: 1 << 20))
      let square = try large.reshaped(1 << 10, 1 << 10).evaluated()
      if Runtime.memory(of: .cpu).liveBytes > 5 << 20 { exit(2) }
      guard try square.sum().item() == Float(1 << 20) else { exit(3) }
    }
  }
}

/// Trains, and ends the process if memory grows by more than `allowance` after the first tenth.
private func expectFlat(_ steps: Int, allowance: Int = 0, _ use: (Tensor) -> Void) throws {
  let model = withSeed(1) { Classifier() }
  let optimizer = SGD(learningRate: 0.01, momentum: 0.9)
  let (x, y) = makeBatch()
  var early = (resident: 0, live: 0)
  for number in 1...steps {
    use(step(model, optimizer, x, y))
    if number == steps / 10 {
      try eval(model.parameters.map(\.value))
      early = (residentBytes(), Runtime.memory(of: .cpu).liveBytes)
    }
  }
  try eval(model.parameters.map(\.value))
  // Resident pages move by a little in any process.
  if residentBytes() - early.resident > allowance + (4 << 20) { exit(10) }
  if Runtime.memory(of: .cpu).liveBytes - early.live > allowance + (1 << 16) { exit(11) }
}

/// Bytes of this process in memory now.
private func residentBytes() -> Int {
  guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
  let fields = text.split(separator: " ")
  return fields.count > 1 ? (Int(fields[1]) ?? 0) * 4096 : 0
}
