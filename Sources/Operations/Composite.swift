import CajalBase
import CajalIR
import Synchronization

/// A function made of other operations, recorded as one node: a step records a few of them instead of the
/// operations that they are made of. Engines and backends see the operations.
///
/// The parts are recorded once for each set of operand types; so they may depend on nothing else.
public final class CompositeFunction: Sendable {
  public let name: String
  private let parts: @Sendable ([Value]) -> Value
  private let bodies = Locked<[Composite.Body]>([])

  /// More types of operands than a program goes on using.
  private static let capacity = 64

  public init(_ name: String, _ parts: @escaping @Sendable ([Value]) -> Value) {
    self.name = name
    self.parts = parts
  }

  /// Records it on `operands`; where they do not fit, the error of the part that they do not fit.
  public func callAsFunction(_ operands: Value...) -> Value { self(operands) }

  public func callAsFunction(_ operands: [Value]) -> Value {
    if let failed = operands.first(where: \.isFailed) { return failed }
    let operands = Scope.current.autocast == nil ? operands : operands.map(\.raised)
    return body(for: operands).map { record(Composite($0), operands) } ?? parts(operands)
  }

  private func body(for operands: [Value]) -> Composite.Body? {
    // A literal means more than its type.
    if operands.contains(where: { $0.weakLiteral != nil }) { return nil }
    let known = bodies.withLock { $0.first { $0.fits(operands) } }
    if let known { return known }
    let body = Composite.Body(name, operands.map(\.type)) { [parts($0)] }
    return bodies.withLock { bodies in
      if let body { bodies.insert(body, at: 0) }
      if bodies.count > CompositeFunction.capacity { bodies.removeLast() }
      return body
    }
  }
}

/// See ``CompositeFunction``.
public struct Composite: CajalIR.Operation {
  let body: Body

  init(_ body: Body) { self.body = body }

  /// All that `graph`, which has outputs, computes.
  public init(_ name: String, _ graph: Graph) { self.init(Body(name, graph)) }

  /// Whether `operands` are what the graph takes.
  public func fits(_ operands: [Value]) -> Bool { body.fits(operands) }

  public var name: String { body.name }
  public var isFallible: Bool { body.isFallible }
  public func encode(into key: inout PlanKey) { key.write(body.id) }
  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes { body.types }
  public var semantics: Semantics { .decomposition { body.graph.inline($0) } }
  public var subgraphs: [Graph] { [body.graph] }

  public var gradient: GradientRule {
    .rule { context in
      let present = (0..<body.types.count).filter { context.cotangents[$0] != nil }
      let needed = context.operands.indices.filter { context.isNeeded[$0] && context.operands[$0].dtype.isFloat }
      var found = [Value?](repeating: nil, count: context.operands.count)
      guard let gradient = body.gradient(of: needed, from: present, context.reverse) else { return found }
      let results = recordAll(
        Composite(gradient.body), context.operands + present.compactMap { context.cotangents[$0] })
      for (index, operand) in gradient.operands.enumerated() { found[operand] = results[min(index, results.count - 1)] }
      return found
    }
  }

  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { unrolledBatch(self, operands, isBatched) }

  public func cost(_ operands: OperandTypes, _ results: ResultTypes) -> Cost {
    body.graph.instructions.reduce(into: Cost(flops: 0, bytes: 0)) { sum, instruction in
      sum += instruction.operation.cost(
        OperandTypes(instruction.operands.map { body.graph.type(of: $0) }), instruction.types)
    }
  }
}

extension Composite {
  /// What a composite is made of, for operands of certain types.
  final class Body: Sendable {
    /// Stands in plan keys; no other body ever has it.
    let id: UInt64
    let name: String
    let graph: Graph
    let types: ResultTypes
    let isFallible: Bool
    private let gradients = Locked<[Gradient]>([])

    private static let ids = Atomic<UInt64>(0)

    /// The cotangents of `operands` from those of `results`.
    struct Gradient {
      let needed: [Int]
      let present: [Int]
      /// Those of the needed operands that the results depend on, in the order of the body's results.
      let operands: [Int]
      let body: Body
    }

    /// `nil` where the parts are an error, or not made of the operands alone.
    convenience init?(_ name: String, _ inputs: [TensorType], _ parts: ([Value]) -> [Value]) {
      let trace = Trace(depth: 0)
      let placeholders = inputs.map { placeholderValue($0, device: .cpu, trace: trace) }
      // Nothing that surrounds the first call is for those that come later.
      let outputs = Scope().run { parts(placeholders) }
      guard !outputs.isEmpty, !outputs.contains(where: \.isFailed) else { return nil }
      guard let (graph, captures) = Graph.capture(outputs, of: placeholders), captures.isEmpty else { return nil }
      self.init(name, graph)
    }

    init(_ name: String, _ graph: Graph) {
      id = Body.ids.wrappingAdd(1, ordering: .relaxed).newValue
      self.name = name
      self.graph = graph
      let outputs = graph.outputs.map { graph.type(of: $0) }
      types = ResultTypes(outputs[0], Array(outputs.dropFirst()))
      isFallible = graph.instructions.contains { $0.operation.isFallible }
    }

    func fits(_ operands: [Value]) -> Bool {
      graph.inputs.count == operands.count && operands.indices.allSatisfy { graph.inputs[$0] == operands[$0].type }
    }

    func gradient(
      of needed: [Int], from present: [Int], _ reverse: ([(Value, Value)], [Value]) -> [Value?]
    ) -> Gradient? {
      let known = gradients.withLock { $0.first { $0.needed == needed && $0.present == present } }
      if let known { return known }
      var operands: [Int] = []
      let count = graph.inputs.count
      let body = Body("\(name) gradient", graph.inputs + present.map { types[$0] }) { inputs in
        // Names of the operands, for reverse mode to end at.
        let names = inputs.prefix(count).map { record(Alias(), $0) }
        let results = graph.inline(names)
        let pairs = present.enumerated().map { (results[$1], inputs[count + $0]) }
        let found = reverse(pairs, needed.map { names[$0] })
        operands = zip(needed, found).compactMap { $1 == nil ? nil : $0 }
        return found.compactMap(\.self)
      }
      guard let body else { return nil }
      let gradient = Gradient(needed: needed, present: present, operands: operands, body: body)
      gradients.withLock { $0.append(gradient) }
      return gradient
    }
  }
}
