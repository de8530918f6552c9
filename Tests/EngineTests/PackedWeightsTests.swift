import CajalBase
import CajalEngine
import CajalNN
import CajalOptimizers
import CajalTensor
import Foundation
import Testing

/// Weights that many products read lie in memory twice: as they are, and as kernels read them. Each test runs in a
/// process of its own, whose memory nobody else changes.
@Suite struct PackedWeightsTests {
  @Test func servingKeepsOneCopyOfEachVersion() async {
    await #expect(processExitsWith: .success) {
      let (model, x) = try makeServed()
      let first = try model(x).scalars(Float.self)
      let before = 500 * 300 * 4 + 32 * 500 * 4
      for _ in 0..<20 { guard try model(x).scalars(Float.self) == first else { exit(2) } }
      // 300 columns are rounded up to whole panels.
      guard settles({ (500 * 300 * 4...500 * 320 * 4).contains($0 - before) }) else { exit(3) }
      model.weight.value = model.weight.value + 1
      try eval(model.weight.value)
      guard settles({ $0 <= before }) else { exit(4) }
    }
  }

  @Test func aNewVersionOfTheWeightsIsReadAtOnce() async {
    await #expect(processExitsWith: .success) {
      let (model, x) = try makeServed()
      let optimizer = SGD(learningRate: 0.5)
      for version in 0..<3 {
        // The weights are written over in place; what was packed of them is not theirs any more.
        let plain = try Tensor(model.weight.value.scalars(Float.self)).reshaped(500, 300)
        let expected = try x.matmul(plain).scalars(Float.self)
        for _ in 0..<10 { guard try model(x).scalars(Float.self) == expected else { exit(2 + Int32(version)) } }
        let (_, gradients) = valueAndGradient(of: model) { model(x).squared().mean() }
        optimizer.update(model, gradients)
        try eval(model.weight.value)
      }
    }
  }

  @Test func noCopyTakesTheLastHalfOfTheMemory() async {
    await #expect(processExitsWith: .success) {
      setenv("CAJAL_MEMORY_LIMIT", "2M", 1)
      let (model, x) = try makeServed()
      for _ in 0..<20 { _ = try model(x).scalars(Float.self) }
      guard settles({ $0 <= 500 * 300 * 4 + 32 * 500 * 4 }) else { exit(2) }
    }
  }

  @Test func trainingKeepsNoCopies() async {
    await #expect(processExitsWith: .success) {
      let (model, x) = try makeServed()
      let optimizer = SGD(learningRate: 1e-3)
      var first: Int?
      for _ in 0..<20 {
        let (loss, gradients) = valueAndGradient(of: model) { model(x).squared().mean() }
        optimizer.update(model, gradients)
        _ = try loss.item()
        try eval(model.weight.value)
        let known = first ?? Runtime.memory(of: .cpu).liveBytes
        guard settles({ $0 <= known }) else { exit(2) }
        first = known
      }
    }
  }
}

/// Whether the memory in use becomes what it should be: what a step let go of may live a moment longer.
private func settles(_ isRight: (Int) -> Bool) -> Bool {
  for _ in 0..<200 {
    if isRight(Runtime.memory(of: .cpu).liveBytes) { return true }
    usleep(5000)
  }
  return false
}

/// A layer of 500 inputs and 300 outputs, and 32 rows for it.
private func makeServed() throws -> (Linear, Tensor) {
  try withSeed(7) {
    let model = Linear(try Tensor.normal([500, 300]).evaluated())
    return (model, try Tensor.normal([32, 500]).evaluated())
  }
}
