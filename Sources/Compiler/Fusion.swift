import CajalBase
import CajalIR
import CajalOperations

/// Which instructions run together.
///
/// A group is a loop over the rows and columns (the last axis) of a space. Its members are elementwise
/// instructions of the space, reductions along the columns, elementwise instructions of the values that
/// these leave for each row, and reductions over all rows, which nobody in the group reads.
///
/// Each instruction gets a stage: that of the operands which it can read in its own group, and one more
/// than anything else it reads. One stage and space make a group: inside a stage edges run only within a
/// group, so groups never wait for each other in a circle. An instruction whose readers all stand in a
/// later group of its space moves there: its value need not go through memory. Linear in the graph.
struct FusionPlan {
  /// Instructions in running order; a group holds several. What nobody reads from memory and is not
  /// computed (a view of a row value inside a group) is left out.
  private(set) var steps: [Step] = []
  /// How each instruction runs; for members of groups, what they read where.
  private(set) var roles: [Role] = []
  /// Whether an instruction's results are read from memory.
  private(set) var isReadFromMemory: [Bool] = []

  enum Step {
    case single(Int)
    case group(space: Shape, members: [Int])
  }

  enum Role {
    /// Not computed: a view, a literal, coordinates.
    case virtual
    /// A step of its own.
    case step
    case member(Member)
  }

  /// An instruction in a group.
  struct Member {
    var group: Int
    /// What it gives: an element for each of the space, for each row, or for each column.
    var extent: Extent
    var sources: [Source]
  }

  enum Extent { case full, row, fold }

  /// Where a member finds an operand.
  enum Source: Equatable {
    case memory
    /// Computed in the group by the instruction at this position, one extent for both.
    case register(Int)
    /// A row value of the group, read at every column.
    case broadcast(Int)
  }

  /// Graph instructions in one group at most: its registers should stay in the L1 cache.
  static let groupLimit = 128
  /// Columns of a row that is reduced in a group: its registers should stay in the L2 cache.
  static let columnLimit = 16384
  /// Rows of a space without rows are reduced by one thread.
  static let vectorLimit = 4096

  init(_ graph: Graph, fuses: Bool, _ work: inout WorkCount) {
    var builder = FusionBuilder(graph, fuses: fuses)
    builder.run(&work)
    if fuses, let floors = builder.laterStages() {
      builder = FusionBuilder(graph, fuses: fuses, floors: floors)
      builder.run(&work)
    }
    roles = builder.roles
    isReadFromMemory = builder.readFromMemory()
    steps = builder.schedule(isReadFromMemory)
  }
}

/// A value for each row of some space, and how an instruction shows it.
private struct RowValue {
  let producer: Int
  /// Among the interned spaces.
  let space: Int
  /// Whether a view has spread it over the columns already.
  let isBroadcast: Bool
}

private struct FusionBuilder {
  let graph: Graph
  let fuses: Bool
  var roles: [FusionPlan.Role] = []
  /// The earliest stage that each instruction may have.
  private let floors: [Int]
  private var stage: [Int]
  /// The stage from which an instruction's results can be read from memory.
  private var readable: [Int]
  private var rowValues: [RowValue?]
  private var groups: [Group] = []
  private var open: [OpenKey: Int] = [:]
  private var spaces: [Shape] = []
  private var spaceNumbers: [Shape: Int] = [:]

  private struct Group {
    let stage: Int
    let space: Int
    var members: [Int] = []
  }

  private struct OpenKey: Hashable {
    let stage: Int
    let space: Int
  }

  init(_ graph: Graph, fuses: Bool, floors: [Int]? = nil) {
    self.graph = graph
    self.fuses = fuses
    let count = graph.instructions.count
    self.floors = floors ?? [Int](repeating: 0, count: count)
    stage = [Int](repeating: 0, count: count)
    readable = [Int](repeating: 0, count: count)
    rowValues = [RowValue?](repeating: nil, count: count)
    roles.reserveCapacity(count)
  }

  mutating func run(_ work: inout WorkCount) {
    // Effects keep their order: each waits for the one before.
    var nextEffect = 0
    for position in graph.instructions.indices {
      let instruction = graph.instructions[position]
      work.visit(instruction)
      if let role = role(position, instruction, floors[position]) {
        roles.append(role)
        continue
      }
      var own = memoryStage(instruction)
      if instruction.operation.hasEffect {
        own = max(own, nextEffect)
        nextEffect = own + 1
      }
      let isVirtual = FusionBuilder.isVirtual(instruction)
      stage[position] = own
      readable[position] = isVirtual ? own : own + 1
      roles.append(isVirtual ? .virtual : .step)
      if isVirtual { rowValues[position] = viewed(instruction) }
    }
  }

  private static func isVirtual(_ instruction: Graph.Instruction) -> Bool {
    switch instruction.operation.semantics {
    case .elementwise: instruction.operation is Constant
    case .view, .affine, .identity: true
    default: false
    }
  }

  /// The first stage at which everything that `instruction` reads lies in memory.
  private func memoryStage(_ instruction: Graph.Instruction) -> Int {
    var own = 0
    for operand in instruction.operands where operand.position >= 0 { own = max(own, readable[operand.instruction]) }
    return own
  }

  // MARK: Spaces

  private mutating func number(of space: Shape) -> Int {
    if let number = spaceNumbers[space] { return number }
    spaces.append(space)
    spaceNumbers[space] = spaces.count - 1
    return spaces.count - 1
  }

  /// Whether `shape` is that of a value for each row of `space`, with or without the last axis.
  private func isRowShape(_ shape: Shape, of space: Int) -> Bool {
    let space = spaces[space]
    guard shape.rank == space.rank ? shape[-1] == 1 : shape.rank == space.rank - 1 else { return false }
    for axis in 0..<space.rank - 1 where shape[axis] != space[axis] { return false }
    return true
  }

  /// What a view of a row value is to its space.
  private func viewed(_ instruction: Graph.Instruction) -> RowValue? {
    guard let operand = instruction.operands.first, operand.position >= 0, let value = rowValues[operand.instruction]
    else { return nil }
    let shape = instruction.types.first.shape
    switch instruction.operation {
    case is Reshape:
      return !value.isBroadcast && isRowShape(shape, of: value.space) ? value : nil
    case is Broadcast:
      let source = graph.type(of: operand).shape
      if value.isBroadcast { return shape == spaces[value.space] ? value : nil }
      guard shape == spaces[value.space], source.rank == shape.rank || shape.rank == 1 else { return nil }
      return RowValue(producer: value.producer, space: value.space, isBroadcast: true)
    default:
      return nil
    }
  }

  // MARK: Members

  /// The role of an instruction that can be in a group, `nil` for others.
  private mutating func role(_ position: Int, _ instruction: Graph.Instruction, _ floor: Int) -> FusionPlan.Role? {
    let shape = instruction.types.first.shape
    if let reduce = instruction.operation as? Reduce {
      guard fuses, let extent = extent(of: reduce, instruction) else { return nil }
      let space = number(of: graph.type(of: instruction.operands[0]).shape)
      return .member(join(position, instruction, space, extent))
    }
    guard case .elementwise = instruction.operation.semantics, !(instruction.operation is Constant) else { return nil }
    if fuses, let space = rowSpace(instruction, shape, floor) {
      return .member(join(position, instruction, space, .row))
    }
    return .member(join(position, instruction, number(of: shape), .full))
  }

  private func extent(of reduce: Reduce, _ instruction: Graph.Instruction) -> FusionPlan.Extent? {
    let type = graph.type(of: instruction.operands[0])
    let rank = type.shape.rank
    guard type.dtype.isFloat, rank > 0, type.shape.count > 0, type.shape[-1] > 1,
      type.shape[-1] <= (rank == 1 ? FusionPlan.vectorLimit : FusionPlan.columnLimit)
    else { return nil }
    if reduce.axes == [rank - 1] { return .row }
    return rank > 1 && reduce.axes == Array(0..<rank - 1) ? .fold : nil
  }

  /// The space whose row values an elementwise instruction works on without leaving their group.
  private func rowSpace(_ instruction: Graph.Instruction, _ shape: Shape, _ floor: Int) -> Int? {
    var best: RowValue?
    for operand in instruction.operands where operand.position >= 0 {
      guard let value = rowValues[operand.instruction], !value.isBroadcast, isRowShape(shape, of: value.space) else {
        continue
      }
      if let current = best, stage[value.producer] <= stage[current.producer] { continue }
      best = value
    }
    guard let best else { return nil }
    let own = max(floor, earliestStage(instruction, best.space, reads: .row))
    return own == stage[best.producer] && joinable(group: own, best.space, best.producer) ? best.space : nil
  }

  /// Where a member of a group over `space` that works row by row, or on the full space, could read
  /// `operand` inside the group.
  private func source(_ operand: Graph.Reference, _ space: Int, _ reads: FusionPlan.Extent) -> FusionPlan.Source {
    guard fuses, operand.position >= 0 else { return .memory }
    let position = operand.instruction
    if let value = rowValues[position], value.space == space {
      if reads == .row { return value.isBroadcast ? .memory : .register(value.producer) }
      if value.isBroadcast { return .broadcast(value.producer) }
      let source = graph.type(of: operand).shape
      return source.rank == spaces[space].rank || source.rank == 0 ? .broadcast(value.producer) : .memory
    }
    guard reads == .full, case .member(let member) = roles[position], member.extent == .full,
      groups[member.group].space == space, graph.type(of: operand).shape == spaces[space]
    else { return .memory }
    return .register(position)
  }

  private func producer(_ source: FusionPlan.Source) -> Int? {
    switch source {
    case .memory: nil
    case .register(let producer), .broadcast(let producer): producer
    }
  }

  /// The stage of a member if the groups of its operands had room.
  private func earliestStage(_ instruction: Graph.Instruction, _ space: Int, reads: FusionPlan.Extent) -> Int {
    var own = 0
    for operand in instruction.operands where operand.position >= 0 {
      let inside = producer(source(operand, space, reads))
      own = max(own, inside.map { stage[$0] } ?? readable[operand.instruction])
    }
    return own
  }

  /// Whether the open group of a stage and space has room and is `producer`'s.
  private func joinable(group stage: Int, _ space: Int, _ producer: Int) -> Bool {
    guard let group = open[OpenKey(stage: stage, space: space)], case .member(let member) = roles[producer] else {
      return false
    }
    return member.group == group && groups[group].members.count < FusionPlan.groupLimit
  }

  private mutating func join(
    _ position: Int, _ instruction: Graph.Instruction, _ space: Int, _ extent: FusionPlan.Extent
  ) -> FusionPlan.Member {
    let reads: FusionPlan.Extent = instruction.operation is Reduce ? .full : extent
    var own = max(floors[position], earliestStage(instruction, space, reads: reads))
    var group = openGroup(own, space)
    var sources = instruction.operands.map { source($0, space, reads) }
    let isElsewhere = sources.contains { source in
      guard let producer = producer(source), stage[producer] == own else { return false }
      return !isMember(producer, of: group)
    }
    if isElsewhere {
      own += 1
      group = openGroup(own, space)
    }
    for index in sources.indices {
      if let producer = producer(sources[index]), !isMember(producer, of: group) { sources[index] = .memory }
    }
    groups[group].members.append(position)
    stage[position] = own
    readable[position] = own + 1
    if extent == .row { rowValues[position] = RowValue(producer: position, space: space, isBroadcast: false) }
    return FusionPlan.Member(group: group, extent: extent, sources: sources)
  }

  private func isMember(_ position: Int, of group: Int) -> Bool {
    if case .member(let member) = roles[position] { return member.group == group }
    return false
  }

  private mutating func openGroup(_ stage: Int, _ space: Int) -> Int {
    let key = OpenKey(stage: stage, space: space)
    if fuses, let group = open[key], groups[group].members.count < FusionPlan.groupLimit { return group }
    groups.append(Group(stage: stage, space: space))
    open[key] = groups.count - 1
    return groups.count - 1
  }

  // MARK: Moving

  /// Stages to which instructions may move, if any should: a value whose readers all stand in groups of
  /// its space, none of them in its own stage, is computed where the first of them is. Not where that would
  /// send another value through memory instead.
  func laterStages() -> [Int]? {
    var later = stage
    var first = [Int](repeating: Int.max, count: stage.count)  // stage of the readers that are met so far
    for output in graph.outputs where output.position >= 0 { first[output.instruction] = -1 }
    for position in graph.instructions.indices.reversed() {
      let operands = graph.instructions[position].operands
      guard case .member(let member) = roles[position] else {
        // A view passes on what its readers are, unless they find the row value behind it by themselves.
        let passesOn = rowValues[position] != nil && first[position] >= 0
        for operand in operands where operand.position >= 0 && !passesOn { first[operand.instruction] = -1 }
        continue
      }
      if first[position] != Int.max, first[position] > stage[position] { later[position] = first[position] }
      let reads: FusionPlan.Extent = graph.instructions[position].operation is Reduce ? .full : member.extent
      for operand in operands where operand.position >= 0 {
        if let producer = producer(source(operand, groups[member.group].space, reads)) {
          first[producer] = min(first[producer], later[position])
        } else {
          first[operand.instruction] = -1
        }
      }
    }
    keepValuesOutOfMemory(&later)
    return later == stage ? nil : later.indices.map { later[$0] > stage[$0] ? later[$0] : 0 }
  }

  /// Takes back moves that tear an instruction from an operand which memory would not hold otherwise,
  /// and with each the moves of its operands, which must not come after it.
  private func keepValuesOutOfMemory(_ later: inout [Int]) {
    let isRead = readFromMemory()
    var readers = [[Int]](repeating: [], count: stage.count)
    for position in graph.instructions.indices where later[position] > stage[position] {
      guard case .member(let member) = roles[position] else { continue }
      for case .register(let producer) in member.sources { readers[producer].append(position) }
    }
    var pending = graph.instructions.indices.filter { !isRead[$0] && !readers[$0].isEmpty }
    while let producer = pending.popLast() {
      for reader in readers[producer] where later[reader] > stage[reader] && later[reader] != later[producer] {
        later[reader] = stage[reader]
        if !readers[reader].isEmpty, !isRead[reader] { pending.append(reader) }
        guard case .member(let member) = roles[reader] else { continue }
        for operand in member.sources.compactMap({ self.producer($0) }) where later[operand] > later[reader] {
          later[operand] = stage[operand]
          if !isRead[operand] { pending.append(operand) }
        }
      }
    }
  }

  // MARK: Results

  /// A reduction alone has a kernel of its own.
  private func isLoneReduction(_ group: Group) -> Bool {
    group.members.count == 1 && graph.instructions[group.members[0]].operation is Reduce
  }

  func readFromMemory() -> [Bool] {
    var isRead = [Bool](repeating: false, count: graph.instructions.count)
    for output in graph.outputs where output.position >= 0 { isRead[output.instruction] = true }
    for position in graph.instructions.indices.reversed() {
      let operands = graph.instructions[position].operands
      switch roles[position] {
      case .virtual where !isRead[position]: continue
      case .virtual, .step:
        for operand in operands where operand.position >= 0 { isRead[operand.instruction] = true }
      case .member(let member):
        for (operand, source) in zip(operands, member.sources) where operand.position >= 0 && source == .memory {
          isRead[operand.instruction] = true
        }
      }
    }
    return isRead
  }

  /// Stage by stage: what is not computed comes first, since groups of its stage read it.
  func schedule(_ isRead: [Bool]) -> [FusionPlan.Step] {
    let stageCount = (stage.max() ?? 0) + 1
    var virtual = [[FusionPlan.Step]](repeating: [], count: stageCount)
    var computed = [[FusionPlan.Step]](repeating: [], count: stageCount)
    for position in graph.instructions.indices {
      switch roles[position] {
      case .virtual:
        if isRead[position] { virtual[stage[position]].append(.single(position)) }
      case .step:
        computed[stage[position]].append(.single(position))
      case .member(let member):
        let group = groups[member.group]
        guard group.members[0] == position else { continue }
        computed[group.stage].append(
          isLoneReduction(group)
            ? .single(position) : .group(space: spaces[group.space], members: group.members))
      }
    }
    return zip(virtual, computed).flatMap { $0 + $1 }
  }
}
