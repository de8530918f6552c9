import CajalBase
import CajalIR

/// Gives every buffer its place: arena offsets by lifetime, memory taken over in place, and which
/// output may take over which input.
enum MemoryPlanner {
  /// Blocks start at multiples of a cache line.
  private static let alignment = 64

  static func plan(_ program: inout Program, _ work: inout WorkCount) {
    let lifetimes = Lifetimes(program, &work)
    assignOutputs(&program, lifetimes, &work)
    assignArena(&program, lifetimes, &work)
  }

  /// For each buffer the first step that writes it and the last that touches it.
  struct Lifetimes {
    var first: [Int]
    var last: [Int]
    /// The first step of those after the last that can fail: only these may write into donated memory.
    var firstSafeStep: Int

    init(_ program: Program, _ work: inout WorkCount) {
      first = [Int](repeating: Int.max, count: program.buffers.count)
      last = [Int](repeating: -1, count: program.buffers.count)
      for (index, step) in program.steps.enumerated() {
        work.visits += 1 + step.reads.count + step.writes.count
        for buffer in step.writes { first[buffer] = min(first[buffer], index) }
        for buffer in step.reads + step.writes { last[buffer] = max(last[buffer], index) }
      }
      firstSafeStep = (program.steps.lastIndex(where: \.isFallible) ?? -1) + 1
    }
  }

  // MARK: Outputs

  private static func assignOutputs(_ program: inout Program, _ lifetimes: Lifetimes, _ work: inout WorkCount) {
    // Inputs that an output shows as they are must not be written.
    let shown = Set(program.outputs.map(\.buffer))
    var donors: [Int: ReplaceableLoads] = [:]
    for buffer in program.buffers.indices {
      guard case .output = program.buffers[buffer].home else { continue }
      work.visits += 1
      program.buffers[buffer].home = .output(program.outputBlocks.count)
      program.outputBlocks.append(program.buffers[buffer].byteCount)
      let index = lifetimes.first[buffer]
      guard index != Int.max, index >= lifetimes.firstSafeStep else {
        program.donations.append(nil)
        continue
      }
      let donor = donors[index, default: donatedInputs(at: index, program, lifetimes, shown: shown, &work)]
        .take(for: buffer, program.buffers[buffer].byteCount)
      program.donations.append(donor.map { inputNumber($0, program) })
    }
  }

  private static func inputNumber(_ buffer: Int, _ program: Program) -> Int {
    if case .input(let number) = program.buffers[buffer].home { return number }
    preconditionFailure("buffer \(buffer) is no input")
  }

  /// Inputs that step `index` is the last to read, element by element.
  private static func donatedInputs(
    at index: Int, _ program: Program, _ lifetimes: Lifetimes, shown: Set<Int>, _ work: inout WorkCount
  ) -> ReplaceableLoads {
    ReplaceableLoads(program.steps[index], program, &work) { buffer in
      guard case .input = program.buffers[buffer].home else { return false }
      return lifetimes.last[buffer] == index && !shown.contains(buffer)
    }
  }

  // MARK: Arena

  private static func assignArena(_ program: inout Program, _ lifetimes: Lifetimes, _ work: inout WorkCount) {
    var dying = [[Int]](repeating: [], count: program.steps.count + 1)
    for buffer in program.buffers.indices where isArena(program.buffers[buffer]) && lifetimes.last[buffer] >= 0 {
      dying[lifetimes.last[buffer] + 1].append(buffer)
    }
    var arena = Arena()
    var replaced = Set<Int>()
    for (index, step) in program.steps.enumerated() {
      for buffer in dying[index] where !replaced.contains(buffer) {
        work.visits += 1
        if case .arena(let offset) = program.buffers[buffer].home {
          arena.free(offset, program.buffers[buffer].byteCount)
        }
      }
      var reusable = ReplaceableLoads(step, program, &work) { buffer in
        isArena(program.buffers[buffer]) && lifetimes.last[buffer] == index
          && (lifetimes.first[buffer] < index || buffer == step.product)
      }
      for buffer in step.writes where isArena(program.buffers[buffer]) && lifetimes.first[buffer] == index {
        work.visits += 1
        if let output = coveringOutput(of: buffer, step, index, program, lifetimes) {
          program.buffers[buffer].home = program.buffers[output].home
          continue
        }
        if let old = reusable.take(for: buffer, program.buffers[buffer].byteCount),
          case .arena(let offset) = program.buffers[old].home
        {
          replaced.insert(old)
          program.buffers[buffer].home = .arena(offset)
        } else {
          program.buffers[buffer].home = .arena(arena.allocate(program.buffers[buffer].byteCount))
        }
      }
    }
    program.arenaByteCount = arena.byteCount
  }

  /// The output that a group leaves where the product before it was, if nothing else reads the product
  /// and the output's memory is fresh.
  private static func coveringOutput(
    of buffer: Int, _ step: Step, _ index: Int, _ program: Program, _ lifetimes: Lifetimes
  ) -> Int? {
    guard buffer == step.product, lifetimes.last[buffer] == index, let group = step.group else { return nil }
    return group.stores.map(\.buffer).first { output in
      guard case .output(let block) = program.buffers[output].home else { return false }
      return program.donations[block] == nil && program.buffers[output].byteCount == program.buffers[buffer].byteCount
    }
  }

  private static func isArena(_ buffer: Program.Buffer) -> Bool {
    if case .arena = buffer.home { return true }
    return false
  }

  /// Offsets by size class: freed blocks are used again by buffers of their class or a little less.
  private struct Arena {
    private(set) var byteCount = 0
    private var free: [Int: [Int]] = [:]

    /// Four classes for each power of two, so at most a fifth of a block lies idle.
    private func roundedSize(_ bytes: Int) -> Int {
      let size = max(bytes, MemoryPlanner.alignment)
      let quarter = max(MemoryPlanner.alignment, 1 << (Int.bitWidth - 1 - size.leadingZeroBitCount - 2))
      return (size + quarter - 1) / quarter * quarter
    }

    mutating func allocate(_ bytes: Int) -> Int {
      let size = roundedSize(bytes)
      if let offset = free[size]?.popLast() { return offset }
      let offset = byteCount
      byteCount += (size + MemoryPlanner.alignment - 1) / MemoryPlanner.alignment * MemoryPlanner.alignment
      return offset
    }

    mutating func free(_ offset: Int, _ bytes: Int) { free[roundedSize(bytes), default: []].append(offset) }
  }
}

/// Buffers that a step may write over, by size: each load of theirs reads exactly as a store would
/// write, whole, in order and in elements of the same size.
private struct ReplaceableLoads {
  private var buffers: [Int: [Int]] = [:]
  /// What the group writes as it reads them.
  private var stores: Set<Int> = []

  /// Those of `step` that pass `isFree`. Each is given once, in the order of the loads.
  init(_ step: Step, _ program: Program, _ work: inout WorkCount, where isFree: (Int) -> Bool) {
    guard let group = step.group else { return }
    work.visits += group.loads.count
    stores = Set(group.stores.lazy.filter { !$0.isRow }.map(\.buffer))
    let count = group.space.count
    var verdicts: [Int: Bool] = [:]
    // A product reads its operands in an order of its own.
    if case .followed(.operation(_, let operands, _, _, _), _) = step.kind {
      for buffer in operands.compactMap(\.buffer) { verdicts[buffer] = false }
    }
    var order: [Int] = []
    for load in group.loads {
      guard let buffer = load.placement.buffer else { continue }
      if verdicts[buffer] == nil { order.append(buffer) }
      let fits = count * load.placement.dtype.byteCount == program.buffers[buffer].byteCount
      verdicts[buffer] = (verdicts[buffer] ?? isFree(buffer)) && load.readsWhole(group.space) && fits
    }
    // What the group follows comes first: it is in the cache, about to be written back.
    let first = order.filter { $0 == step.product } + order.filter { $0 != step.product }
    for buffer in first.reversed() where verdicts[buffer] == true {
      buffers[program.buffers[buffer].byteCount, default: []].append(buffer)
    }
  }

  /// One of `byteCount` bytes, for the step to write `buffer` there.
  mutating func take(for buffer: Int, _ byteCount: Int) -> Int? {
    stores.contains(buffer) ? buffers[byteCount]?.popLast() : nil
  }
}
