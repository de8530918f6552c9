import CajalBase
import CajalIR
import CajalTensor
import Synchronization
import Testing

/// Operations that do something besides their results happen once, in the order of recording.
@Suite struct EffectTests {
  @Test(arguments: Device.all)
  func effectsHappenOnceInTheirOrderWhoeverReadsThem(_ device: Device) throws {
    let log = EffectLog()
    try withDevice(device) {
      let x = Tensor([1.0, 2])
      let kept = (0..<3).map { number in (x * Float(number)).map { record(Probe(log, number), [$0]) } }
      // The last is read; the first two are only held, the fourth is neither.
      _ = (x + 5).map { record(Probe(log, 3), [$0]) }
      let last = try (kept[2] + 1).scalars(Float.self)
      #expect(last == [3, 5])
      try eval(kept)
    }
    #expect(log.entries == [0, 1, 2, 3])
  }

  @Test func equalEffectsAreTwoEffects() throws {
    let log = EffectLog()
    let x = Tensor([1.0])
    let (a, b) = (x.map { record(Probe(log, 7), [$0]) }, x.map { record(Probe(log, 7), [$0]) })
    #expect(try (a + b).item() == 2)
    #expect(log.entries == [7, 7])
  }
}

private final class EffectLog: Sendable {
  private let state = Mutex<[Int]>([])
  var entries: [Int] { state.withLock { $0 } }
  func append(_ number: Int) { state.withLock { $0.append(number) } }
}

/// Its operand, and a note that it ran.
private struct Probe: Operation {
  let log: EffectLog
  let number: Int

  init(_ log: EffectLog, _ number: Int) {
    self.log = log
    self.number = number
  }

  var name: String { "probe" }
  var hasEffect: Bool { true }
  func encode(into key: inout PlanKey) {
    key.write(number)
    key.write(UInt64(UInt(bitPattern: ObjectIdentifier(log))))
  }
  func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes { ResultTypes(operands[0]) }
  var semantics: Semantics {
    .loops { operands, _ in
      log.append(number)
      return operands
    }
  }
  var gradient: GradientRule { .none("a test's") }
  func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { [record(self, operands)] }
}
