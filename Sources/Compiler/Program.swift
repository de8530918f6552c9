import CajalBase
import CajalIR
import CajalOperations

/// What a backend runs: steps over buffers, with memory planned.
public struct Program: Sendable {
  /// Where a buffer's bytes are during a run.
  public enum Home: Hashable, Sendable {
    /// An input of the plan.
    case input(Int)
    /// In the plan's arena, at this offset.
    case arena(Int)
    /// Allocated for the run and handed out, the n-th such block.
    case output(Int)
  }

  public struct Buffer: Sendable {
    public let byteCount: Int
    public var home: Home
  }

  /// One of the plan's outputs: a contiguous region of a buffer.
  public struct Output: Sendable {
    public let buffer: Int
    /// Bytes.
    public let offset: Int
  }

  public var buffers: [Buffer]
  public var steps: [Step]
  public var outputs: [Output]
  public var arenaByteCount: Int
  /// Output blocks and their sizes.
  public var outputBlocks: [Int]
  /// For each output block the input whose memory it may take over, if nothing else holds that.
  public var donations: [Int?]
  public var inputs: [TensorType]

  /// The outputs that depend on step `failed`.
  public func outputsDepending(onStep failed: Int) -> [Bool] {
    var tainted = Set<Int>()
    for index in steps.indices.dropFirst(failed) {
      let step = steps[index]
      if index == failed || step.reads.contains(where: { tainted.contains($0) }) {
        tainted.formUnion(index == failed ? step.writes : step.writes(dependingOn: tainted))
      }
    }
    return outputs.map { tainted.contains($0.buffer) }
  }
}

/// One kernel call, or one fused group.
public struct Step: Sendable {
  public enum Kind: Sendable {
    case group(FusedGroup)
    /// Operands are read as placed; results are written contiguously, `nil` for one nobody reads. The
    /// workspace is a buffer for what the kernel needs while it runs.
    case operation(any Operation, operands: [Placement], results: [Int?], types: ResultTypes, workspace: Int?)
    /// Elements moved into a contiguous buffer.
    case copy(Placement, to: Int)
    /// An operation with one result, and a group that runs over each part of it as it comes.
    indirect case followed(Kind, by: FusedGroup)
    /// Sub-graphs, compiled.
    case loop(any Operation, LoopSignature, body: Program, operands: [Placement], results: [Int?], types: ResultTypes)
  }

  public var kind: Kind
  /// Buffers.
  public var reads: [Int]
  public var writes: [Int]
  public var isFallible: Bool
  public var path: ModulePath?

  /// Whether it does something besides its writes.
  public var hasEffect: Bool {
    switch kind {
    case .operation(let operation, _, _, _, _), .loop(let operation, _, _, _, _, _): operation.hasEffect
    case .group, .copy, .followed: false
    }
  }

  public var name: String { kind.name }

  /// What it writes after it read one of `buffers`: an operation knows nothing of what the group behind it reads.
  func writes(dependingOn buffers: Set<Int>) -> [Int] {
    guard case .followed(.operation(_, let operands, _, _, _), let group) = kind,
      !operands.contains(where: { $0.buffer.map(buffers.contains) ?? false })
    else { return writes }
    return group.stores.map(\.buffer)
  }

  /// The result of an operation that a group follows.
  var product: Int? {
    if case .followed(.operation(_, _, let results, _, _), _) = kind { return results[0] }
    return nil
  }

  /// The fused group in it.
  public var group: FusedGroup? {
    switch kind {
    case .group(let group), .followed(_, let group): group
    default: nil
    }
  }
}

/// A value where it can be read: a strided view of a buffer, or something computed from coordinates.
public struct Placement: Sendable {
  public enum Base: Hashable, Sendable {
    case buffer(Int)
    /// The same literal everywhere.
    case constant(Scalar)
    /// offset + Σ coordinate × stride, the view's own numbers.
    case affine
  }

  public var base: Base
  public var view: StridedView
  public var dtype: DType

  public var buffer: Int? {
    if case .buffer(let id) = base { return id }
    return nil
  }

  /// Whether the elements lie in memory, row-major and without gaps.
  public var isContiguous: Bool { buffer != nil && view.isContiguous }
}

/// Instructions over one iteration space, whose last axis is the columns: one pass over memory.
public struct FusedGroup: Sendable {
  public struct Load: Sendable {
    public var placement: Placement
    /// Strides along the axes of the space.
    public var strides: [Int]
    /// Whether the register holds a value for each row; the last stride is 0 then.
    public var isRow: Bool
  }

  public struct Store: Sendable {
    public var buffer: Int
    public var register: Int32
    public var dtype: DType
    public var isRow: Bool
  }

  /// A register of the full space reduced over all rows.
  public struct Fold: Sendable {
    public var kind: Reduce.Kind
    public var buffer: Int
    public var register: Int32
    public var dtype: DType
  }

  public enum Instruction: Hashable, Sendable {
    case scalar(ScalarInstruction, isRow: Bool)
    /// The register along the columns, to a value for each row.
    case reduce(Reduce.Kind, ComputeType, Int32)
    /// Row values at every column.
    case broadcast(ComputeType, Int32)
  }

  public var space: Shape
  /// Load i writes register i.
  public var loads: [Load]
  /// Instruction j writes register loads.count + j.
  public var instructions: [Instruction]
  public var stores: [Store]
  public var folds: [Fold]
  /// What the folds need while the group runs: a buffer.
  public var workspace: Int?
  /// Graph instructions in it.
  public var nodeCount: Int

  /// Whether rows are anything but places in memory.
  public var worksByRows: Bool {
    !folds.isEmpty
      || instructions.contains { instruction in
        if case .scalar(_, let isRow) = instruction { return isRow }
        return true
      }
  }
}

extension Step.Kind {
  var name: String {
    switch self {
    case .group(let group): "group of \(group.nodeCount)"
    case .operation(let operation, _, _, _, _): operation.name
    case .copy: "copy"
    case .followed(let first, let group): "\(first.name) and group of \(group.nodeCount)"
    case .loop(let operation, _, _, _, _, _): operation.name
    }
  }
}
