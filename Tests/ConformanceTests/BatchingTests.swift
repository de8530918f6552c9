import CajalAutodiff
import CajalBase
import CajalIR
import CajalOperations
import Testing

/// Batching rules against each sample by itself, for every combination of batched operands.
@Suite struct BatchingTests {
  private static let batch = 3

  @Test(
    arguments: Samples.byOperation.keys.filter { name in Samples.byOperation[name]!.contains(where: \.isBatched) }
      .sorted())
  func batchedIsEachByItself(_ operation: String) throws {
    for sample in Samples.byOperation[operation] ?? [] where sample.isBatched {
      do { try check(sample) } catch { Issue.record("\(sample.name): \(error)") }
    }
  }

  @Test func everyOperationWithOperandsHasABatchedSample() {
    // Constants have no operands; transfers leave the graph.
    let exempt: Set = ["constant", "iota", "transfer"]
    for name in Catalogue.names where !exempt.contains(name) {
      #expect(Samples.byOperation[name]?.contains(where: \.isBatched) == true, "\(name)")
    }
  }

  @Test func aBatchOfNoSamplesHasNoResultsOfTheRightType() throws {
    let trace = Trace(depth: 0)
    let x = placeholderValue(TensorType([0, 4, 3], .float32), device: .cpu, trace: trace)
    let starts = placeholderValue(TensorType([0], .int64), device: .cpu, trace: trace)
    let slice = Slice(Part(axes: [0], extents: [2], steps: [1]))
    #expect(slice.batched([x, starts], [true, true]).map(\.type) == [TensorType([0, 2, 3], .float32)])
    #expect(
      slice.batched([x, .constant(.integer(1), .int64)], [true, false]).map(\.type) == [
        TensorType([0, 2, 3], .float32)
      ])
  }

  @Test func aBatchedCustomGradientKeepsItsRule() throws {
    let trace = Trace(depth: 0)
    let x = placeholderValue(TensorType([2, 3], .float64), device: .cpu, trace: trace)
    let custom = CustomGradient { [$0 * .constant(.integer(7), .float64)] }
    let y = custom.batched([x.stoppingGradient(), x], [true, true])[0]
    let seed = Value.constant(.integer(1), .float64).broadcast(to: y.shape)
    let gradient = try #require(reverse([(value: y, cotangent: seed)], inputs: [x], in: nil)[0])
    let found = try Machine.reference.run(Recorded([gradient], inputs: [x]), [HostTensor(x.type)])
    #expect(found[0].floats == [Double](repeating: 7, count: 6))
  }

  private func check(_ sample: Sample) throws {
    let (inputs, _) = sample.recorded()
    let outputs = sample.record(zip(sample.operands, inputs).map { $0.view($1) })
    let node = try #require(find(sample.operation, outputs))
    let operands = graphLock.withLock { _ in Array(node.operands) }
    // The operands of the operation, drawn three times.
    let reader = try Machine.reference.compiled(Recorded(operands, inputs: inputs))
    let draws = try (0..<BatchingTests.batch).map { try reader(sample.inputs(seed: UInt64($0))) }
    for mask in 1..<(1 << operands.count) {
      let isBatched = operands.indices.map { mask >> $0 & 1 == 1 }
      let expected = try (0..<BatchingTests.batch).map { index in
        try apply(node, operands.indices.map { isBatched[$0] ? draws[index][$0] : draws[0][$0] }, sample, inputs)
      }
      try compare(sample, node, isBatched, draws, expected, inputs)
    }
  }

  private func compare(
    _ sample: Sample, _ node: Node, _ isBatched: [Bool], _ draws: [[HostTensor]], _ expected: [[HostTensor]],
    _ inputs: [Value]
  ) throws {
    let trace = Trace(depth: 0)
    let numbers = isBatched.indices.map { index in isBatched[index] ? stack(draws.map { $0[index] }) : draws[0][index] }
    let values = numbers.map { placeholderValue($0.type, device: .cpu, trace: trace) }
    let results = node.operation.batched(values, isBatched)
    // A rule that closes over the sample's own operands reads those of the first draw.
    let found = try Machine.reference.run(Recorded(results, inputs: values + inputs), numbers + sample.inputs(seed: 0))
    guard found.count == node.types.count else {
      Issue.record("\(sample.name) batched \(isBatched): \(found.count) results instead of \(node.types.count)")
      return
    }
    for (index, result) in found.enumerated() {
      if let difference = bitDifference(result, stack(expected.map { $0[index] })) {
        Issue.record("\(sample.name) batched \(isBatched), result \(index): \(difference)")
      }
    }
  }

  /// The operation by itself.
  private func apply(_ node: Node, _ numbers: [HostTensor], _ sample: Sample, _ inputs: [Value]) throws -> [HostTensor]
  {
    let trace = Trace(depth: 0)
    let values = numbers.map { placeholderValue($0.type, device: .cpu, trace: trace) }
    let results = open(node.operation, values)
    return try Machine.reference.run(Recorded(results, inputs: values + inputs), numbers + sample.inputs(seed: 0))
  }

  private func open(_ operation: any Operation, _ values: [Value]) -> [Value] {
    func record(_ operation: some Operation) -> [Value] { recordAll(operation, values) }
    return record(operation)
  }

  private func find(_ name: String, _ outputs: [Value]) -> Node? {
    var stack = outputs.map(\.node)
    while let node = stack.popLast() {
      if node.operation.name == name { return node }
      stack += graphLock.withLock { _ in node.operands.map(\.node) }
    }
    return nil
  }

  /// Along a new first axis.
  private func stack(_ tensors: [HostTensor]) -> HostTensor {
    var result = HostTensor(TensorType(Shape([tensors.count]) + tensors[0].shape, tensors[0].dtype))
    for (position, tensor) in tensors.enumerated() {
      for index in 0..<tensor.count { result[position * tensor.count + index] = tensor[index] }
    }
    return result
  }
}
