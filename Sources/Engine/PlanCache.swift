import CajalBackends
import CajalBase
import CajalIR

/// A compiled graph.
final class Plan: Sendable {
  /// As it was recorded: for finding what depends on an input that failed.
  let graph: Graph
  let executable: any Executable
  /// Whether a run takes about as long as waking a thread.
  let isSmall: Bool
  /// Arguments for the runs to come, in memory that earlier runs used.
  private let spare = Locked<[RunArguments]>([])

  init(graph: Graph, executable: any Executable) {
    self.graph = graph
    self.executable = executable
    isSmall = graph.microseconds < 50
  }

  /// Arguments for a run, empty.
  func borrowArguments() -> RunArguments {
    spare.withLock { $0.popLast() } ?? RunArguments(capacity: graph.inputs.count)
  }

  func giveBack(_ arguments: RunArguments) {
    arguments.removeAll()
    spare.withLock { $0.append(arguments) }
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

extension Graph {
  /// A guess of how long a run takes: only tells what is small.
  fileprivate var microseconds: Double {
    instructions.reduce(0) { sum, instruction in
      let cost = instruction.operation.cost(
        OperandTypes(instruction.operands.map { type(of: $0) }), instruction.types)
      // A core's 20 GFLOP/s and 20 GB/s: what small kernels reach.
      return sum + Double(cost.flops + cost.bytes) / 20e3
    }
  }
}

/// Plans by what they compute. Bounded: the one used longest ago goes first.
final class PlanCache: Sendable {
  private final class Entry {
    let plan: Plan
    var lastUse: UInt64

    init(_ plan: Plan, _ lastUse: UInt64) {
      self.plan = plan
      self.lastUse = lastUse
    }
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
      guard let entry = state.plans[key] else { return nil }
      entry.lastUse = state.clock
      return entry.plan
    }
  }

  /// Keeps `plan`; returns how many others had to go.
  func insert(_ plan: Plan, for key: PlanKey) -> Int {
    state.withLock { state in
      state.clock += 1
      state.plans[key] = Entry(plan, state.clock)
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
