import CajalBase
import CajalIR

/// A body run once for each position of sequences, its carries handed on: recurrences whose plan
/// does not grow with the sequence.
///
/// **Shapes**: operands are the first carries, sequences `[length, …]` and captures; results are
/// the last carries, stacked outputs `[length, …]`, and the history of the carries `[length, …]`,
/// each as it was before its position. Backends leave out what nobody reads. The gradient
/// is a scan the other way.
public struct Scan: Operation {
  public let signature: LoopSignature

  public init(_ signature: LoopSignature) { self.signature = signature }

  public var name: String { "scan" }
  public var subgraphs: [Graph] { [signature.body] }
  public var isFallible: Bool { signature.body.instructions.contains { $0.operation.isFallible } }
  public var hasEffect: Bool { signature.body.instructions.contains { $0.operation.hasEffect } }

  public func encode(into key: inout PlanKey) {
    key.write(signature.carries)
    key.write(signature.sequences)
    key.write(signature.length)
    key.write(signature.isReversed)
    key.write(signature.body)
  }

  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    let body = signature.body
    guard operands.count + 1 == body.inputs.count else {
      throw .shape("takes \(body.inputs.count - 1) operands, got \(operands.count)", remedy: "Record scans with `scan`")
    }
    for index in 0..<operands.count {
      var type = operands[index]
      if index >= signature.carries, index < signature.carries + signature.sequences {
        guard type.shape.rank > 0, type.shape[0] == signature.length else {
          throw .shape(
            "a sequence of \(type) does not have \(signature.length) positions",
            remedy: "Sequences run along their first axis")
        }
        type.shape = type.shape.suffix(from: 1)
      }
      guard type == body.inputs[index + 1] else {
        throw .shape(
          "operand \(index) is \(type), the body takes \(body.inputs[index + 1])", remedy: "Record scans with `scan`")
      }
    }
    return ResultTypes(resultList[0], Array(resultList.dropFirst()))
  }

  private var resultList: [TensorType] {
    let body = signature.body
    let outputs = body.outputs.map { body.type(of: $0) }
    let carries = Array(outputs.prefix(signature.carries))
    let stack = { (type: TensorType) in TensorType(Shape([signature.length]) + type.shape, type.dtype) }
    return carries + outputs.dropFirst(signature.carries).map(stack) + carries.map(stack)
  }

  public var semantics: Semantics { .loop(signature) }

  public var gradient: GradientRule { .rule { ScanGradient(signature, $0).record() } }

  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { unrolledBatch(self, operands, isBatched) }
}

/// Reverse mode of a scan: positions backwards, the body's own gradient at each, cotangents of
/// the captures added up as they come.
private struct ScanGradient {
  let signature: LoopSignature
  let context: GradientContext
  /// Which carries and captures are floats: others take no cotangent.
  let floatCarries: [Int]
  let floatCaptures: [Int]

  init(_ signature: LoopSignature, _ context: GradientContext) {
    self.signature = signature
    self.context = context
    let captures = context.operands.dropFirst(signature.carries + signature.sequences)
    floatCarries = (0..<signature.carries).filter { context.operands[$0].dtype.isFloat }
    floatCaptures = captures.indices.filter { captures[$0].dtype.isFloat && context.isNeeded[$0] }
      .map { $0 - captures.startIndex }
  }

  func record() -> [Value?] {
    let (carries, sequences) = (signature.carries, signature.sequences)
    let firsts = Array(context.operands.prefix(carries))
    let xs = Array(context.operands[carries..<carries + sequences])
    let captures = Array(context.operands.dropFirst(carries + sequences))
    let stackedTypes = (0..<signature.stacked).map { context.results[carries + $0].type }
    let floatStacked = (0..<signature.stacked).filter { stackedTypes[$0].dtype.isFloat }
    let history = (0..<carries).map { context.results[carries + signature.stacked + $0] }
    let floatSequences = (0..<sequences).filter { xs[$0].dtype.isFloat }

    let initial =
      floatCarries.map { context.cotangents[$0] ?? .zeros(firsts[$0].type) }
      + floatCaptures.map { .zeros(captures[$0].type) }
    let stackedCotangents = floatStacked.map { context.cotangents[carries + $0] ?? .zeros(stackedTypes[$0]) }
    let historyCotangents = floatCarries.map {
      context.cotangents[carries + signature.stacked + $0] ?? .zeros(history[$0].type)
    }
    let walked = history + xs + stackedCotangents + historyCotangents

    let (last, stacked) = Value.scan(
      initial: initial, sequences: walked, length: signature.length, isReversed: !signature.isReversed
    ) { position, incoming, slices in
      let before = Array(slices[0..<carries])
      let x = Array(slices[carries..<carries + sequences])
      let ys = Array(slices.dropFirst(carries + sequences).prefix(floatStacked.count))
      let extra = Array(slices.suffix(floatCarries.count))
      // The captures are differentiated by as well. A second operand makes their names belong
      // to this body: what depends on nothing in it would be recorded outside.
      let names = captures.map { CajalIR.record(Alias(), $0, position) }
      let outputs = signature.body.inline([position] + before + x + names)
      let seeds =
        floatCarries.enumerated().map { (outputs[$1], incoming[$0]) }
        + floatStacked.enumerated().map { (outputs[carries + $1], ys[$0]) }
      let inputs = floatCarries.map { before[$0] } + floatCaptures.map { names[$0] } + floatSequences.map { x[$0] }
      let cotangents = context.reverse(seeds, inputs)
      let types = inputs.map(\.type)
      let found = cotangents.indices.map { cotangents[$0] ?? .zeros(types[$0]) }
      let carried = floatCarries.indices.map { found[$0] + extra[$0] }
      let summed = floatCaptures.indices.map { incoming[floatCarries.count + $0] + found[floatCarries.count + $0] }
      return (carried + summed, Array(found.dropFirst(floatCarries.count + floatCaptures.count)))
    }
    return spread(last, stacked, floatSequences: floatSequences)
  }

  /// Puts the cotangents at their operands' places.
  private func spread(_ last: [Value], _ stacked: [Value], floatSequences: [Int]) -> [Value?] {
    var result = [Value?](repeating: nil, count: context.operands.count)
    if let failed = (last + stacked).first(where: { $0.isFailed }) { return result.map { _ in failed } }
    for (index, carry) in floatCarries.enumerated() { result[carry] = last[index] }
    for (index, capture) in floatCaptures.enumerated() {
      result[signature.carries + signature.sequences + capture] = last[floatCarries.count + index]
    }
    for (index, sequence) in floatSequences.enumerated() { result[signature.carries + sequence] = stacked[index] }
    return result
  }
}

extension Value {
  static func zeros(_ type: TensorType) -> Value {
    Value.constant(.integer(0), type.dtype).broadcast(to: type.shape)
  }

  /// Runs `body` for each position along the first axis of `sequences`.
  ///
  /// - Returns: the last carries, and what the body returned besides, stacked along a new first axis.
  public static func scan(
    initial: [Value], sequences: [Value], length: Int? = nil, isReversed: Bool = false,
    body: (_ position: Value, _ carries: [Value], _ slices: [Value]) -> (carries: [Value], stacked: [Value])
  ) -> (carries: [Value], stacked: [Value]) {
    if let failed = (initial + sequences).first(where: { $0.isFailed }) {
      return (initial.map { _ in failed }, [failed])
    }
    guard let count = length ?? sequences.first?.shape[0], count >= 0,
      sequences.allSatisfy({ $0.rank > 0 && $0.shape[0] == count })
    else {
      let problem = Mismatch.shape(
        "sequences \(sequences.map(\.shape)) do not have one length",
        remedy: "They run along their first axis; or pass a length")
      let error = errorValue("scan", initial + sequences, problem)
      return (initial.map { _ in error }, [error])
    }
    return recordScan(initial, sequences, count, isReversed, body)
  }

  private static func recordScan(
    _ initial: [Value], _ sequences: [Value], _ length: Int, _ isReversed: Bool,
    _ body: (_ position: Value, _ carries: [Value], _ slices: [Value]) -> (carries: [Value], stacked: [Value])
  ) -> (carries: [Value], stacked: [Value]) {
    let scope = Scope.current
    let trace = Trace(depth: Int(scope.position?.node.trace?.depth ?? 0) + 1)
    let device = (initial + sequences).lazy.compactMap(\.node.device).first ?? scope.device
    let position = placeholderValue(TensorType(.scalar, .int64), device: device, trace: trace)
    let carries = initial.map { placeholderValue($0.type, device: device, trace: trace) }
    let slices = sequences.map {
      placeholderValue(TensorType($0.shape.suffix(from: 1), $0.dtype), device: device, trace: trace)
    }
    let (next, stacked) = scope.with(position: .some(position)).run { body(position, carries, slices) }
    if let failed = (next + stacked).first(where: { $0.isFailed }) {
      return (initial.map { _ in failed }, [failed])
    }
    guard next.map(\.type) == initial.map(\.type) else {
      let error = errorValue(
        "scan", initial,
        .shape("the body returns carries \(next.map(\.type))", remedy: "Each carry keeps its shape and dtype"))
      return (initial.map { _ in error }, [error])
    }
    let (graph, captures) = Graph.capture(next + stacked, placeholders: [position] + carries + slices, trace: trace)
    let signature = LoopSignature(
      body: graph, carries: initial.count, sequences: sequences.count, length: length, isReversed: isReversed)
    if graph.outputs.isEmpty { return ([], []) }
    let results = recordAll(Scan(signature), initial + sequences + captures)
    guard !results[0].isFailed else { return (initial.map { _ in results[0] }, [results[0]]) }
    return (Array(results.prefix(initial.count)), Array(results.dropFirst(initial.count).prefix(stacked.count)))
  }
}
