import CajalBase
import CajalIR
import CajalOperations

/// What a backend wants of the lowering.
public struct LoweringOptions: Sendable {
  public var fuses: Bool
  /// Whether a group that reads an operation's one result, element by element, should run over each part of it as
  /// it comes.
  public var follows: @Sendable (FusedGroup, any Operation, _ operands: [Placement]) -> Bool
  /// Whether an operation may read one of its operands through a strided view as it is. What it
  /// computes must not depend on the view by a bit: a value that is held is read contiguously.
  public var acceptsStrided: @Sendable (StridedOperand) -> Bool
  /// Bytes of scratch that an operation's kernel wants, 0 for none. Nothing is allocated while a plan
  /// runs, so they are part of its memory.
  public var workspace: @Sendable (_ operation: any Operation, _ operands: [Placement]) -> Int
  /// The same for a group.
  public var groupWorkspace: @Sendable (FusedGroup) -> Int

  /// Operand `index` of `operation`, seen through `view`.
  public struct StridedOperand {
    public let operation: any Operation
    public let index: Int
    public let view: StridedView
    /// The shapes of all operands.
    public let shapes: [Shape]
  }

  public init(
    fuses: Bool, acceptsStrided: @escaping @Sendable (StridedOperand) -> Bool,
    follows: @escaping @Sendable (FusedGroup, any Operation, _ operands: [Placement]) -> Bool = { _, _, _ in false },
    workspace: @escaping @Sendable (_ operation: any Operation, _ operands: [Placement]) -> Int = { _, _ in 0 },
    groupWorkspace: @escaping @Sendable (FusedGroup) -> Int = { _ in 0 }
  ) {
    self.fuses = fuses
    self.follows = follows
    self.acceptsStrided = acceptsStrided
    self.workspace = workspace
    self.groupWorkspace = groupWorkspace
  }
}

/// Compiles a graph: passes, fusion, placement of values, order of steps, memory.
public func compile(_ graph: Graph, _ options: LoweringOptions, _ work: inout WorkCount) -> Program {
  let optimized = Pipeline.run(graph, &work)
  var lowering = Lowering(optimized, options)
  lowering.run(&work)
  return lowering.finish(&work)
}

/// Turns a graph into steps.
struct Lowering {
  let graph: Graph
  let options: LoweringOptions
  var buffers: [Program.Buffer] = []
  var steps: [Step] = []
  private var placements: [[Placement?]]
  private var inputPlacements: [Placement] = []
  private var outputs: [Program.Output] = []

  init(_ graph: Graph, _ options: LoweringOptions) {
    self.graph = graph
    self.options = options
    placements = graph.instructions.map { [Placement?](repeating: nil, count: $0.types.count) }
    for (index, type) in graph.inputs.enumerated() {
      buffers.append(Program.Buffer(byteCount: type.byteCount, home: .input(index)))
      inputPlacements.append(
        Placement(base: .buffer(index), view: StridedView(contiguous: type.shape), dtype: type.dtype))
    }
  }

  mutating func run(_ work: inout WorkCount) {
    let plan = FusionPlan(graph, fuses: options.fuses, &work)
    for step in plan.steps {
      switch step {
      case .single(let position):
        work.visit(graph.instructions[position])
        lowerInstruction(position, &work)
      case .group(let space, let members):
        for member in members { work.visit(graph.instructions[member]) }
        lowerGroup(space, members, plan)
      }
    }
    outputs = graph.outputs.map { placeOutput($0) }
  }

  mutating func finish(_ work: inout WorkCount) -> Program {
    if options.fuses { steps = Epilogues.attach(steps, options, &work) }
    orderFallibleFirst()
    var program = Program(
      buffers: buffers, steps: steps, outputs: outputs, arenaByteCount: 0, outputBlocks: [], donations: [],
      inputs: graph.inputs)
    MemoryPlanner.plan(&program, &work)
    return program
  }

  // MARK: Values

  func placement(_ reference: Graph.Reference) -> Placement {
    if let input = reference.input { return inputPlacements[input] }
    guard let placement = placements[reference.instruction][Int(reference.result)] else {
      preconditionFailure("%\(reference.instruction) is read before it is placed")
    }
    return placement
  }

  private mutating func place(_ position: Int, result: Int = 0, _ placement: Placement) {
    placements[position][result] = placement
  }

  /// A new buffer for a value of `type`.
  mutating func makeBuffer(_ type: TensorType) -> Int { makeBuffer(byteCount: type.byteCount) }

  private mutating func makeBuffer(byteCount: Int) -> Int {
    buffers.append(Program.Buffer(byteCount: byteCount, home: .arena(0)))
    return buffers.count - 1
  }

  private func contiguous(_ buffer: Int, _ type: TensorType) -> Placement {
    Placement(base: .buffer(buffer), view: StridedView(contiguous: type.shape), dtype: type.dtype)
  }

  /// The value in a buffer of its own, row-major: copied there unless it is so already.
  private mutating func materialized(_ placement: Placement) -> Placement {
    if placement.isContiguous { return placement }
    let type = TensorType(placement.view.shape, placement.dtype)
    let buffer = makeBuffer(type)
    if placement.buffer != nil {
      append(.copy(placement, to: buffer), reads: [placement], writes: [buffer])
    } else {
      var builder = GroupBuilder(space: type.shape)
      let register = builder.load(placement)
      builder.store(register, to: buffer, type.dtype)
      append(.group(builder.group(nodeCount: 1)), reads: [], writes: [buffer])
    }
    return contiguous(buffer, type)
  }

  private mutating func append(
    _ kind: Step.Kind, reads: [Placement], writes: [Int], isFallible: Bool = false, path: ModulePath? = nil
  ) {
    steps.append(
      Step(kind: kind, reads: reads.compactMap(\.buffer), writes: writes, isFallible: isFallible, path: path))
  }

  // MARK: Instructions

  private mutating func lowerInstruction(_ position: Int, _ work: inout WorkCount) {
    let instruction = graph.instructions[position]
    let type = instruction.types.first
    switch instruction.operation.semantics {
    case .elementwise:
      // A literal: groups are lowered elsewhere.
      let scalar = (instruction.operation as? Constant)?.scalar.rounded(to: type.dtype) ?? .integer(0)
      place(
        position,
        Placement(base: .constant(scalar), view: StridedView(shape: .scalar, strides: []), dtype: type.dtype))
    case .affine(let offset, let strides):
      place(
        position,
        Placement(
          base: .affine, view: StridedView(shape: type.shape, offset: offset, strides: strides), dtype: type.dtype))
    case .identity:
      place(position, placement(instruction.operands[0]))
    case .view(let map):
      lowerView(position, map)
    case .loop(let signature):
      lowerLoop(position, signature, &work)
    case .loops, .decomposition, .transfer, .leaf:
      lowerStep(position)
    }
  }

  private mutating func lowerView(_ position: Int, _ map: (StridedView) -> StridedView?) {
    let instruction = graph.instructions[position]
    var source = placement(instruction.operands[0])
    if case .constant = source.base {
      let shape = instruction.types.first.shape
      source.view = StridedView(shape: shape, strides: [Int](repeating: 0, count: shape.rank))
    } else if let view = map(source.view) {
      source.view = view
    } else {
      source = materialized(source)
      source.view = map(source.view) ?? StridedView(contiguous: instruction.types.first.shape)
    }
    place(position, source)
  }

  private mutating func lowerStep(_ position: Int) {
    let instruction = graph.instructions[position]
    if instruction.operation is CheckIndices { return lowerCheck(position) }
    let sources = instruction.operands.map { placement($0) }
    let shapes = sources.map(\.view.shape)
    let operands = sources.indices.map { index in
      accepted(
        sources[index],
        LoweringOptions.StridedOperand(
          operation: instruction.operation, index: index, view: sources[index].view, shapes: shapes))
    }
    let results = resultBuffers(position)
    let scratch = options.workspace(instruction.operation, operands)
    let workspace = scratch > 0 ? makeBuffer(byteCount: scratch) : nil
    append(
      .operation(
        instruction.operation, operands: operands, results: results, types: instruction.types, workspace: workspace),
      reads: operands, writes: (results + [workspace]).compactMap { $0 },
      isFallible: instruction.operation.isFallible, path: instruction.path)
  }

  /// A check writes nothing: its result is its operand. Readers of the result must come later, so
  /// the step claims the buffer as written too.
  private mutating func lowerCheck(_ position: Int) {
    let instruction = graph.instructions[position]
    let operand = materialized(placement(instruction.operands[0]))
    append(
      .operation(
        instruction.operation, operands: [operand], results: [nil], types: instruction.types, workspace: nil),
      reads: [operand], writes: operand.buffer.map { [$0] } ?? [], isFallible: true, path: instruction.path)
    place(position, operand)
  }

  private mutating func lowerLoop(_ position: Int, _ signature: LoopSignature, _ work: inout WorkCount) {
    let instruction = graph.instructions[position]
    let body = compile(signature.body, options, &work)
    let operands = instruction.operands.map { materialized(placement($0)) }
    let results = resultBuffers(position)
    append(
      .loop(
        instruction.operation, signature, body: body, operands: operands, results: results, types: instruction.types),
      // A loop allocates while it runs, which can fail.
      reads: operands, writes: results.compactMap { $0 }, isFallible: true, path: instruction.path)
  }

  private mutating func accepted(_ placement: Placement, _ operand: LoweringOptions.StridedOperand) -> Placement {
    if placement.isContiguous { return placement }
    if placement.buffer != nil, options.acceptsStrided(operand) { return placement }
    return materialized(placement)
  }

  /// Buffers for the results that somebody reads.
  private mutating func resultBuffers(_ position: Int) -> [Int?] {
    let types = graph.instructions[position].types
    return (0..<types.count).map { result in
      guard isRead(position, result) else { return nil }
      let buffer = makeBuffer(types[result])
      place(position, result: result, contiguous(buffer, types[result]))
      return buffer
    }
  }

  private lazy var readResults: Set<Graph.Reference> = {
    var read = Set(graph.outputs)
    for instruction in graph.instructions
    where instruction.operands.contains(where: { $0.result > 0 || isMultiple($0) }) {
      read.formUnion(instruction.operands)
    }
    return read
  }()

  private func isMultiple(_ reference: Graph.Reference) -> Bool {
    reference.position >= 0 && graph.instructions[reference.instruction].types.count > 1
  }

  private mutating func isRead(_ position: Int, _ result: Int) -> Bool {
    if graph.instructions[position].types.count == 1 { return true }
    return readResults.contains(Graph.Reference(instruction: position, result: result))
  }

  // MARK: Groups

  private mutating func lowerGroup(_ space: Shape, _ members: [Int], _ plan: FusionPlan) {
    var builder = GroupBuilder(space: space)
    var registers: [Int: Int32] = [:]
    var reads: [Placement] = []
    var writes: [Int] = []
    for position in members {
      guard case .member(let member) = plan.roles[position] else { continue }
      let instruction = graph.instructions[position]
      let type = instruction.types.first
      let isRow = member.extent == .row
      let reduction = instruction.operation as? Reduce
      let arguments = zip(instruction.operands, member.sources).map { operand, source -> Int32 in
        switch source {
        case .register(let producer): return registers[producer] ?? 0
        case .broadcast(let producer):
          return builder.broadcast(registers[producer] ?? 0, graph.type(of: operand).dtype)
        case .memory:
          let placement = placement(operand)
          if placement.buffer != nil { reads.append(placement) }
          return builder.load(placement, rowShape: isRow && reduction == nil ? type.shape : nil)
        }
      }
      let isRead = plan.isReadFromMemory[position]
      let buffer = isRead ? makeBuffer(type) : nil
      if let buffer {
        place(position, contiguous(buffer, type))
        writes.append(buffer)
      }
      if let reduction, member.extent == .fold {
        if let buffer { builder.fold(reduction.kind, arguments[0], to: buffer, type.dtype) }
        continue
      }
      let register =
        if let reduction { builder.reduce(reduction.kind, arguments[0], type.dtype) } else {
          builder.inline(scalarProgram(of: instruction), arguments, isRow: isRow)
        }
      registers[position] = register
      if let buffer { builder.store(register, to: buffer, type.dtype, isRow: isRow) }
    }
    appendGroup(
      builder.group(nodeCount: members.count), reads: reads, writes: writes,
      path: graph.instructions[members[members.count - 1]].path)
  }

  private mutating func appendGroup(_ group: FusedGroup, reads: [Placement], writes: [Int], path: ModulePath?) {
    var group = group
    let scratch = options.groupWorkspace(group)
    group.workspace = scratch > 0 ? makeBuffer(byteCount: scratch) : nil
    append(.group(group), reads: reads, writes: writes + (group.workspace.map { [$0] } ?? []), path: path)
  }

  private func scalarProgram(of instruction: Graph.Instruction) -> ScalarProgram {
    let dtypes = instruction.operands.map { graph.type(of: $0).dtype }
    guard let program = instruction.operation.scalarProgram(operands: dtypes, result: instruction.types.first.dtype)
    else {
      preconditionFailure("\(instruction.operation.name) is no elementwise operation")
    }
    return program
  }

  // MARK: Outputs

  /// An output owns its memory: it shows an input only whole, and shares a buffer only where that
  /// is not much larger than itself, so that no small view keeps something large alive.
  private mutating func placeOutput(_ reference: Graph.Reference) -> Program.Output {
    let type = graph.type(of: reference)
    var source = placement(reference)
    if source.buffer == nil {
      source = materialized(source)
    } else if !source.isContiguous || !sharesWell(source, type) {
      let buffer = makeBuffer(type)
      append(.copy(source, to: buffer), reads: [source], writes: [buffer])
      source = contiguous(buffer, type)
    }
    let buffer = source.buffer ?? 0
    if case .arena = buffers[buffer].home { buffers[buffer].home = .output(0) }
    return Program.Output(buffer: buffer, offset: source.view.offset * type.dtype.byteCount)
  }

  private func sharesWell(_ source: Placement, _ type: TensorType) -> Bool {
    guard let buffer = source.buffer.map({ buffers[$0] }) else { return false }
    if case .input = buffer.home { return type.byteCount == buffer.byteCount }
    return 2 * type.byteCount >= buffer.byteCount
  }

  // MARK: Order

  /// Whatever can fail, and what it needs, comes before the rest: a failed run has then not
  /// written into memory that it was given. Effects stay in their order.
  private mutating func orderFallibleFirst() {
    guard steps.contains(where: \.isFallible) else { return }
    var needed = Set<Int>()
    var isFirst = [Bool](repeating: false, count: steps.count)
    var hasFirstEffect = false
    for index in steps.indices.reversed() {
      let step = steps[index]
      if step.isFallible || step.writes.contains(where: { needed.contains($0) }) || step.hasEffect && hasFirstEffect {
        isFirst[index] = true
        needed.formUnion(step.reads)
        hasFirstEffect = hasFirstEffect || step.hasEffect
      }
    }
    steps =
      steps.indices.filter { isFirst[$0] }.map { steps[$0] } + steps.indices.filter { !isFirst[$0] }.map { steps[$0] }
  }
}
