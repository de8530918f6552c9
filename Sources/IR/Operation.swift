import CajalBase

/// The contract of an operation (law 4): everything that anyone needs to know of it,
/// in one value whose stored properties are its attributes.
public protocol Operation: Sendable {
  /// The catalogue's name.
  var name: String { get }

  /// Writes the attributes: two operations of one type with the same words mean the same.
  func encode(into key: inout PlanKey)

  /// Shapes and dtypes of the results, or why there are none.
  func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes

  /// What the operation computes.
  var semantics: Semantics { get }

  /// How cotangents flow back.
  var gradient: GradientRule { get }

  /// The operation over one more, leading axis: operand `i` has that axis where `isBatched[i]`;
  /// every result has it.
  func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value]

  /// Arithmetic and memory traffic.
  func cost(_ operands: OperandTypes, _ results: ResultTypes) -> Cost

  /// What mixed precision does with it.
  var autocast: AutocastClass { get }

  /// Whether running it can fail for what its operands hold (indices).
  var isFallible: Bool { get }

  /// Whether it does something besides its results: never merged, dropped or moved past another effect.
  var hasEffect: Bool { get }

  /// Graphs that it runs.
  var subgraphs: [Graph] { get }

  /// Where its results lie, if not where its operands do.
  var target: Device? { get }
}

extension Operation {
  public var isFallible: Bool { false }
  @inlinable public var hasEffect: Bool { false }
  public var subgraphs: [Graph] { [] }
  @inlinable public var target: Device? { nil }
  public var autocast: AutocastClass { .neutral }

  public func cost(_ operands: OperandTypes, _ results: ResultTypes) -> Cost {
    var bytes = 0
    for index in 0..<operands.count { bytes += operands[index].byteCount }
    for index in 0..<results.count { bytes += results[index].byteCount }
    return Cost(flops: 0, bytes: bytes)
  }
}

/// What an operation computes.
public enum Semantics {
  /// The same scalar expression for every element of the broadcast operands.
  case elementwise(
    (_ builder: ScalarProgramBuilder, _ operands: [ScalarExpression], _ result: DType) -> ScalarExpression)
  /// The elements of operand 0, read another way; `nil` where strides cannot say how.
  case view((_ operand: StridedView) -> StridedView?)
  /// Operand 0, unchanged (other operands only order or check).
  case identity
  /// Coordinates: element = offset + Σ coordinate × stride, cast to the dtype.
  case affine(offset: Int, strides: [Int])
  /// Plain loops over plain numbers: the definition. Backends lower it where they are faster.
  case loops((_ operands: [HostTensor], _ results: [TensorType]) throws(Mismatch) -> [HostTensor])
  /// Other operations.
  case decomposition((_ operands: [Value]) -> [Value])
  /// A sub-graph once for each position of the sequences.
  case loop(LoopSignature)
  /// From another device to this one; the engine carries it out.
  case transfer
  /// A leaf: the engine or the caller provides it.
  case leaf
}

/// How cotangents flow through an operation.
public enum GradientRule {
  /// None does, and why.
  case none(String)
  /// Cotangents of the operands from those of the results, as recorded operations.
  case rule((GradientContext) -> [Value?])
}

/// What a gradient rule may use.
public struct GradientContext {
  /// One for each result; `nil` where nothing depends on it.
  public struct Cotangents {
    private let first: Value?
    private let others: [Value?]

    public init(_ first: Value?, _ others: [Value?] = []) {
      self.first = first
      self.others = others
    }

    public subscript(index: Int) -> Value? { index == 0 ? first : others[index - 1] }

    /// Whether nothing depends on any result.
    public var isEmpty: Bool { first == nil && others.allSatisfy { $0 == nil } }
  }

  /// One for each result.
  public struct Results {
    let node: Node
    public subscript(index: Int) -> Value { Value(node, index) }
  }

  /// Which operands need a cotangent.
  public struct Needs {
    private var bits: UInt64 = 0

    public init() {}

    /// Those beyond the bits are always worked out.
    public subscript(index: Int) -> Bool {
      get { index >= 64 || bits >> UInt64(index) & 1 == 1 }
      set { if newValue { bits |= 1 << UInt64(index) } }
    }
  }

  public let operands: [Value]
  public let results: Results
  public let cotangents: Cotangents
  public let isNeeded: Needs
  /// Reverse mode itself, for rules of operations with sub-graphs:
  /// cotangents of `inputs` from those of `outputs`.
  public let reverse: (_ outputs: [(Value, Value)], _ inputs: [Value]) -> [Value?]

  public init(
    _ node: Node, operands: [Value], cotangents: Cotangents, isNeeded: Needs,
    reverse: @escaping (_ outputs: [(Value, Value)], _ inputs: [Value]) -> [Value?]
  ) {
    self.operands = operands
    results = Results(node: node)
    self.cotangents = cotangents
    self.isNeeded = isNeeded
    self.reverse = reverse
  }
}

/// Work and traffic of one operation.
public struct Cost: Hashable, Sendable {
  public var flops: Int
  public var bytes: Int

  public init(flops: Int, bytes: Int) {
    self.flops = flops
    self.bytes = bytes
  }

  public static func += (sum: inout Cost, other: Cost) {
    sum = Cost(flops: sum.flops.addingSaturated(other.flops), bytes: sum.bytes.addingSaturated(other.bytes))
  }

  public static func * (count: Int, one: Cost) -> Cost {
    Cost(flops: count.multipliedSaturated(by: one.flops), bytes: count.multipliedSaturated(by: one.bytes))
  }
}

/// What mixed precision does with an operation (Micikevicius et al. 2018).
public enum AutocastClass: Sendable, Hashable {
  /// Runs in the low precision: matrix products.
  case low
  /// Runs in float32: sums, exponentials, norms.
  case full
  /// Runs in whatever its operands are.
  case neutral
}

/// What runs once for each position of a sequence.
public struct LoopSignature: Sendable {
  /// Inputs: the position (int64), carries, slices of the sequences, captures.
  /// Outputs: carries, then slices of the stacked results.
  public let body: Graph
  public let carries: Int
  public let sequences: Int
  public let length: Int
  public let isReversed: Bool

  public init(body: Graph, carries: Int, sequences: Int, length: Int, isReversed: Bool) {
    self.body = body
    self.carries = carries
    self.sequences = sequences
    self.length = length
    self.isReversed = isReversed
  }

  public var captures: Int { body.inputs.count - 1 - carries - sequences }
  public var stacked: Int { body.outputs.count - carries }
}

/// The operands' types, whoever holds them. Good for one call of a rule, no longer.
public struct OperandTypes {
  @usableFromInline let operands: Operands
  /// The types alone, where there are no nodes.
  @usableFromInline let types: [TensorType]?
  public let count: Int

  @inlinable
  init(_ operands: Operands) {
    self.operands = operands
    types = nil
    count = operands.count
  }

  public init(_ types: [TensorType]) {
    operands = Operands()
    self.types = types
    count = types.count
  }

  @inlinable
  public subscript(index: Int) -> TensorType {
    if let types { return types[index] }
    let operand = operands.at(index)
    return operand.node._withUnsafeGuaranteedRef { $0.types[operand.index] }
  }

  public var array: [TensorType] { (0..<count).map { self[$0] } }
}

/// The results' types: most operations have one, which allocates nothing.
public struct ResultTypes: Hashable, Sendable {
  public let first: TensorType
  /// `nil` where there are none.
  @usableFromInline let others: [TensorType]?

  public init(_ first: TensorType, _ others: [TensorType]) {
    self.first = first
    self.others = others.isEmpty ? nil : others
  }

  @inlinable
  public init(_ type: TensorType) {
    first = type
    others = nil
  }

  @inlinable
  public init(_ shape: Shape, _ dtype: DType) { self.init(TensorType(shape, dtype)) }

  @inlinable public var count: Int { 1 + (others?.count ?? 0) }
  @inlinable public subscript(index: Int) -> TensorType { index == 0 ? first : others![index - 1] }
  public var array: [TensorType] { [first] + (others ?? []) }
}
