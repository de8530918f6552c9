import CajalBackends
import CajalBase
import CajalIR
import Testing

@testable import CajalEngine

@Suite struct PlanCacheTests {
  private final class Nothing: Executable {
    func run(_ arguments: RunArguments, completion: @escaping @Sendable (RunResult) -> Void) {
      completion(.success([]))
    }
  }

  private func key(_ number: Int) -> PlanKey {
    var key = PlanKey()
    key.write(number)
    return key
  }

  @Test func thePlanUsedLongestAgoGoesFirst() {
    let cache = PlanCache(capacity: 2)
    let plans = (0..<3).map { _ in Plan(graph: Graph(), executable: Nothing()) }
    #expect(cache.insert(plans[0], for: key(0)) == 0)
    #expect(cache.insert(plans[1], for: key(1)) == 0)
    #expect(cache.find(key(0)) === plans[0])
    #expect(cache.insert(plans[2], for: key(2)) == 1)
    #expect(cache.find(key(1)) == nil)
    #expect(cache.find(key(0)) === plans[0])
    #expect(cache.find(key(2)) === plans[2])
    #expect(cache.count == 2)
  }

  @Test func outputsThatDependOnAnInputAreFound() throws {
    var graph = Graph(inputs: [TensorType([2], .float32), TensorType([2], .float32)])
    let first = try graph.append(Doubling(), [Graph.Reference(input: 0)])
    let second = try graph.append(Doubling(), [Graph.Reference(input: 1)])
    let third = try graph.append(Doubling(), [first])
    graph.outputs = [first, second, third, Graph.Reference(input: 1)]
    let plan = Plan(graph: graph, executable: Nothing())
    #expect(plan.outputsDepending(onInputs: [true, false]) == [true, false, true, false])
    #expect(plan.outputsDepending(onInputs: [false, true]) == [false, true, false, true])
  }

  private struct Doubling: Operation {
    var name: String { "doubling" }
    func encode(into key: inout PlanKey) {}
    func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes { ResultTypes(operands[0]) }
    var semantics: Semantics { .identity }
    var gradient: GradientRule { .none("a test's") }
    func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { operands }
  }
}
