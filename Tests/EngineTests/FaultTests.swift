import CajalBase
import CajalEngine
import CajalNN
import CajalOptimizers
import CajalTensor
import Foundation
import Testing

/// Faults injected into the fake device: in processes of their own, where no other test uses it.
@Suite struct FaultTests {
  @Test func noMemoryInTheMiddleOfAStepLeavesTheWeights() async {
    await #expect(processExitsWith: .success) {
      try withDevice(.fake) {
        // Every allocation of the step fails once; some of these numbers are beyond the last.
        let failures = try (0..<40).filter { try stepSurvives(allocation: $0) }
        guard failures.count > 1, failures.count < 40 else { exit(9) }
      }
    }
  }

  @Test func aDeviceThatFailsLeavesTheWeights() async {
    await #expect(processExitsWith: .success) {
      guard let fake = Engine.shared.fake else { exit(1) }
      try withDevice(.fake) {
        let model = withSeed(1) { Classifier() }
        let optimizer = Adam(learningRate: 0.01)
        let (x, y) = makeBatch()
        step(model, optimizer, x, y)
        let before = try model.weights()
        fake.inject(.init(run: 0))
        let loss = step(model, optimizer, x, y)
        guard case .failure = (Result { try loss.item() }) else { exit(2) }
        guard try model.weights() == before else { exit(3) }
        guard try step(model, optimizer, x, y).item().isFinite else { exit(4) }
      }
    }
  }
}

/// Lets one allocation of a step fail; ends the process where that changed a weight or the step after it.
///
/// - Returns: whether there was such an allocation.
private func stepSurvives(allocation: Int) throws -> Bool {
  guard let fake = Engine.shared.fake else { exit(1) }
  let model = withSeed(1) { Classifier() }
  let twin = withSeed(1) { Classifier() }
  let (optimizer, other) = (Adam(learningRate: 0.01), Adam(learningRate: 0.01))
  let (x, y) = makeBatch()
  step(model, optimizer, x, y)
  step(twin, other, x, y)
  let before = try twin.weights()
  guard try model.weights() == before else { exit(2) }
  fake.inject(.init(allocation: allocation))
  let loss = step(model, optimizer, x, y)
  let outcome = Result { () throws(TensorError) in try loss.item() }
  fake.inject(.init())
  var failed = false
  if case .failure(let error) = outcome {
    failed = true
    guard error.kind == .memory else { exit(3) }
    guard try model.weights() == before else { exit(4) }
    step(model, optimizer, x, y)
  }
  step(twin, other, x, y)
  guard try model.weights() == twin.weights() else { exit(5) }
  return failed
}
