import CajalBackends
import CajalBase
import CajalIR

/// A compiled graph.
final class Plan: Sendable {
  /// As it was recorded: for finding what depends on an input that failed.
  let graph: Graph
  let executable: any Executable

  init(graph: Graph, executable: any Executable) {
    self.graph = graph
    self.executable = executable
  }

  /// Which outputs depend on any of the marked inputs.
  func outputsDepending(onInputs marked: [Bool]) -> [Bool] {
    var depends = [Bool](repeating: false, count: graph.instructions.count)
    func isMarked(_ reference: Graph.Reference) -> Bool {
      reference.input.map { marked[$0] } ?? depends[reference.instruction]
    }
    for (position, instruction) in graph.instructions.enumerated() {
      depends[position] = instruction.operands.contains(where: isMarked)
    }
    return graph.outputs.map(isMarked)
  }
}

/// Plans by what they compute. Bounded: the one used longest ago goes first.
final class PlanCache: Sendable {
  private struct Entry {
    let plan: Plan
    var lastUse: UInt64
  }

  private struct State {
    var plans: [PlanKey: Entry] = [:]
    var clock: UInt64 = 0
  }

  private let state = Locked(State())
  private let capacity: Int

  init(capacity: Int) { self.capacity = max(1, capacity) }

  var count: Int { state.withLock { $0.plans.count } }

  func find(_ key: PlanKey) -> Plan? {
    state.withLock { state in
      state.clock += 1
      guard let index = state.plans.index(forKey: key) else { return nil }
      state.plans.values[index].lastUse = state.clock
      return state.plans.values[index].plan
    }
  }

  /// Keeps `plan`; returns how many others had to go.
  func insert(_ plan: Plan, for key: PlanKey) -> Int {
    state.withLock { state in
      state.clock += 1
      state.plans[key] = Entry(plan: plan, lastUse: state.clock)
      var evictions = 0
      while state.plans.count > capacity, let oldest = state.plans.min(by: { $0.value.lastUse < $1.value.lastUse }) {
        state.plans.removeValue(forKey: oldest.key)
        evictions += 1
      }
      return evictions
    }
  }

  func removeAll() { state.withLock { $0.plans.removeAll() } }
}
