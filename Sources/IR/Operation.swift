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
  public var hasEffect: Bool { false }
  public var subgraphs: [Graph] { [] }
  public var target: Device? { nil }
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
  public let operands: [Value]
  public let results: [Value]
  /// One for each result; `nil` where nothing depends on it.
  public let cotangents: [Value?]
  /// Which operands need a cotangent.
  public let isNeeded: [Bool]
  /// Reverse mode itself, for rules of operations with sub-graphs:
  /// cotangents of `inputs` from those of `outputs`.
  public let reverse: (_ outputs: [(Value, Value)], _ inputs: [Value]) -> [Value?]

  public init(
    operands: [Value], results: [Value], cotangents: [Value?], isNeeded: [Bool],
    reverse: @escaping (_ outputs: [(Value, Value)], _ inputs: [Value]) -> [Value?]
  ) {
    self.operands = operands
    self.results = results
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

/// The operands' types, whoever holds them.
public struct OperandTypes {
  private let values: [Value]
  private let types: [TensorType]
  public let count: Int

  public init(_ values: [Value]) {
    self.values = values
    types = []
    count = values.count
  }

  public init(_ types: [TensorType]) {
    values = []
    self.types = types
    count = types.count
  }

  @inline(__always)
  public subscript(index: Int) -> TensorType { values.isEmpty ? types[index] : values[index].type }

  public var array: [TensorType] { (0..<count).map { self[$0] } }
}

/// The results' types: most operations have one, which allocates nothing.
public struct ResultTypes: Hashable, Sendable {
  public var first: TensorType
  public var others: [TensorType]

  public init(_ first: TensorType, _ others: [TensorType] = []) {
    self.first = first
    self.others = others
  }

  public init(_ shape: Shape, _ dtype: DType) { self.init(TensorType(shape, dtype)) }

  public var count: Int { 1 + others.count }
  public subscript(index: Int) -> TensorType { index == 0 ? first : others[index - 1] }
  public var array: [TensorType] { [first] + others }
}
