import CajalBase
import CajalIR

/// Gives every buffer its place: arena offsets by lifetime, memory taken over in place, and which
/// output may take over which input.
enum MemoryPlanner {
  /// Blocks start at multiples of a cache line.
  private static let alignment = 64

  static func plan(_ program: inout Program, _ work: inout WorkCount) {
    let lifetimes = Lifetimes(program, &work)
    assignOutputs(&program, lifetimes)
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

  private static func assignOutputs(_ program: inout Program, _ lifetimes: Lifetimes) {
    // Inputs that an output shows as they are must not be written.
    let shown = Set(program.outputs.map(\.buffer))
    var taken = Set<Int>()
    for buffer in program.buffers.indices {
      guard case .output = program.buffers[buffer].home else { continue }
      program.buffers[buffer].home = .output(program.outputBlocks.count)
      program.outputBlocks.append(program.buffers[buffer].byteCount)
      let donor = donatedInput(for: buffer, program, lifetimes, shown: shown, taken: taken)
      if let donor { taken.insert(donor) }
      program.donations.append(donor.map { inputNumber($0, program) })
    }
  }

  private static func inputNumber(_ buffer: Int, _ program: Program) -> Int {
    if case .input(let number) = program.buffers[buffer].home { return number }
    preconditionFailure("buffer \(buffer) is no input")
  }

  /// An input of the same size that the step which writes `buffer` is the last to read, element
  /// by element.
  private static func donatedInput(
    for buffer: Int, _ program: Program, _ lifetimes: Lifetimes, shown: Set<Int>, taken: Set<Int>
  ) -> Int? {
    let index = lifetimes.first[buffer]
    guard index != Int.max, index >= lifetimes.firstSafeStep, case .group(let group) = program.steps[index].kind else { return nil }
    return group.replaceableLoads(for: program.buffers[buffer].byteCount, program).first { candidate in
      guard case .input = program.buffers[candidate].home else { return false }
      return lifetimes.last[candidate] == index && !shown.contains(candidate) && !taken.contains(candidate)
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
        if case .arena(let offset) = program.buffers[buffer].home { arena.free(offset, program.buffers[buffer].byteCount) }
      }
      for buffer in step.writes where isArena(program.buffers[buffer]) && lifetimes.first[buffer] == index {
        work.visits += 1
        if let old = replaceable(step, buffer, program, lifetimes, at: index, replaced), case .arena(let offset) = program.buffers[old].home {
          replaced.insert(old)
          program.buffers[buffer].home = .arena(offset)
        } else {
          program.buffers[buffer].home = .arena(arena.allocate(program.buffers[buffer].byteCount))
        }
      }
    }
    program.arenaByteCount = arena.byteCount
  }

  private static func isArena(_ buffer: Program.Buffer) -> Bool {
    if case .arena = buffer.home { return true }
    return false
  }

  /// A buffer in the arena that this step is the last to read, and may write over.
  private static func replaceable(
    _ step: Step, _ buffer: Int, _ program: Program, _ lifetimes: Lifetimes, at index: Int, _ replaced: Set<Int>
  ) -> Int? {
    guard case .group(let group) = step.kind else { return nil }
    return group.replaceableLoads(for: program.buffers[buffer].byteCount, program).first { candidate in
      isArena(program.buffers[candidate]) && lifetimes.last[candidate] == index && !replaced.contains(candidate)
        && lifetimes.first[candidate] < index
    }
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

extension FusedGroup {
  /// Buffers of `byteCount` that every load reads exactly as a store would write: whole, in order,
  /// and in elements of the same size.
  fileprivate func replaceableLoads(for byteCount: Int, _ program: Program) -> [Int] {
    var verdicts: [Int: Bool] = [:]
    var order: [Int] = []
    for load in loads {
      guard let buffer = load.placement.buffer else { continue }
      if verdicts[buffer] == nil { order.append(buffer) }
      let isWhole = load.placement.view.offset == 0 && load.strides == canonicalStrides
      let fits = space.count * load.placement.dtype.byteCount == byteCount && program.buffers[buffer].byteCount == byteCount
      verdicts[buffer] = (verdicts[buffer] ?? true) && isWhole && fits
    }
    return order.filter { verdicts[$0] == true }
  }

  /// Row-major strides, 0 along axes of extent 1 as in broadcast loads.
  private var canonicalStrides: [Int] {
    let strides = space.strides
    return strides.indices.map { space[$0] == 1 ? 0 : strides[$0] }
  }
}
