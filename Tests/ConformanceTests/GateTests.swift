import CajalBase
import CajalIR
import CajalOperations
import Testing

/// An operation without samples, a gradient decision or a meaning to run fails the build.
@Suite struct GateTests {
  @Test func everyOperationOfTheCataloguePassesTheGate() {
    for problem in Gate().problems { Issue.record("\(problem)") }
  }

  @Test func anOperationWithoutSamplesFailsTheGate() {
    var gate = Gate()
    gate.names.append("convolveBackwards")
    #expect(gate.problems == ["convolveBackwards: no samples"])
  }

  @Test func removingTheSamplesOfAnOperationFailsTheGate() {
    for name in Catalogue.names {
      var gate = Gate()
      gate.names = [name]
      gate.decisions = gate.decisions.filter { $0.key == name }
      gate.samples[name] = nil
      #expect(gate.problems.contains("\(name): no samples"))
    }
  }

  @Test func anOperationWithoutAGradientDecisionFailsTheGate() {
    var gate = Gate()
    gate.decisions["floor"] = nil
    #expect(gate.problems == ["floor: no decision on its gradient: it has none, and stands on no list"])
    gate = Gate()
    gate.decisions["exp"] = "forgotten"
    #expect(gate.problems == ["exp: has a gradient, and stands among those without"])
  }

  @Test func aGradientWithoutSamplesFailsTheGate() {
    var gate = Gate()
    gate.samples["exp"] = gate.samples["exp"]?.filter { $0.differentiates.isEmpty }
    #expect(gate.problems == ["exp: its gradient has no samples"])
  }

  @Test func anOperationThatNoBackendRunsFailsTheGate() {
    var gate = Gate()
    gate.names.append("dream")
    gate.decisions["dream"] = "a test's"
    gate.samples["dream"] = [Sample("dream", "", [Operand([2], .float32)]) { [record(Dream(), $0)] }]
    #expect(gate.problems == ["dream: backends do not take decompositions apart; record its parts instead"])
  }

  @Test func aSampleOfSomethingElseFailsTheGate() {
    var gate = Gate()
    gate.samples["exp"]?.append(Sample("exp", "that is a logarithm", [Operand([2], .float32)]) { [$0[0].log()] })
    #expect(gate.problems == ["exp: sample that is a logarithm does not record it"])
  }
}

private struct Dream: Operation {
  var name: String { "dream" }
  func encode(into key: inout PlanKey) {}
  func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes { ResultTypes(operands[0]) }
  var semantics: Semantics { .decomposition { $0 } }
  var gradient: GradientRule { .none("a test's") }
  func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { operands }
}
