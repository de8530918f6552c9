import CajalBase
import CajalEngine
import CajalNN
import CajalOptimizers
import CajalTensor
import Foundation
import Testing

/// Flags that change how errors come to light, each in a process of its own.
@Suite struct SettingsTests {
  @Test func trappingStopsAtTheSite() async {
    await #expect(processExitsWith: .failure) {
      setenv("CAJAL_TRAP", "1", 1)
      _ = Tensor([1.0, 2]) + Tensor([1.0, 2, 3])
      exit(0)
    }
  }

  @Test func theFirstOperationThatMakesANaNIsNamed() async {
    await #expect(processExitsWith: .success) {
      setenv("CAJAL_CHECK_NAN", "1", 1)
      let x = Tensor([-1.0, 4])
      let fine = x * 2 + 1
      let root = fine.sqrt()
      let later = (root * 3).sum()
      guard case .failure(let error) = (Result { () throws(TensorError) in try later.item() }) else { exit(2) }
      guard error.kind == .notFinite, error.operation == "sqrt" else { exit(3) }
      // The closure's own file is one that the macro made.
      guard error.site?.contains("SettingsTests") == true else { exit(4) }
      guard try fine.sum().item() == 8 else { exit(5) }
    }
  }

  @Test func theLimitOnMemoryIsAnError() async {
    await #expect(processExitsWith: .success) {
      setenv("CAJAL_MEMORY_LIMIT", "64M", 1)
      guard case .failure(let error) = (Result { () throws(TensorError) in try Tensor.zeros([1 << 25]).evaluated() })
      else { exit(2) }
      guard error.kind == .memory else { exit(3) }
      guard try Tensor.ones([1 << 20]).sum().item() == 0x1p20 else { exit(4) }
    }
  }

  @Test(arguments: [
    ("4096", 4096), ("512M", 512 << 20), ("1.5g", 3 << 29), ("2T", 2 << 40), ("", nil), ("G", nil), ("-1K", nil),
    ("much", nil), ("nan", nil), ("1e300", nil),
  ])
  func limitsOnMemoryHaveUnits(text: String, bytes: Int?) {
    #expect(Settings(environment: ["CAJAL_MEMORY_LIMIT": text]).memoryLimit == bytes)
  }

  @Test func checkingForNaNChangesNoTraining() async throws {
    await #expect(processExitsWith: .success) {
      let (x, y) = makeBatch()
      setenv("CAJAL_CHECK_NAN", "1", 1)
      let model = withSeed(1) { Classifier() }
      let optimizer = Adam(learningRate: 0.05)
      let first = try step(model, optimizer, x, y).item()
      for _ in 0..<20 { step(model, optimizer, x, y) }
      let last = try step(model, optimizer, x, y).item()
      guard first.isFinite, last < first / 2 else { exit(2) }
    }
  }

  @Test func theEnvironmentIsRead() {
    let settings = Settings(environment: [
      "CAJAL_DEVICE": "fake", "CAJAL_THREADS": "3", "CAJAL_SIMD": "baseline", "CAJAL_FUSION": "0", "CAJAL_TRAP": "1",
      "CAJAL_CHECK_NAN": "1", "CAJAL_PLAN_CACHE": "7", "CAJAL_PACKED_WEIGHTS": "0",
      "CAJAL_WINOGRAD": "0",
    ])
    #expect(settings.device == "fake" && settings.threads == 3 && settings.simd == "baseline")
    #expect(!settings.winograd && Settings(environment: [:]).winograd)
    #expect(!settings.fusion && !settings.packsWeights && settings.trapsErrors)
    #expect(settings.checksNaN && settings.planCacheCapacity == 7)
    #expect(Settings(environment: ["CAJAL_THREADS": "-1", "CAJAL_PLAN_CACHE": "x"]).planCacheCapacity == 1024)
  }
}
