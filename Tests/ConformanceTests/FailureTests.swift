import CajalBase
import CajalIR
import CajalOperations
import Testing

/// What fails on the reference fails everywhere, with the same words.
@Suite struct FailureTests {
  private struct Case {
    let label: String
    let inputs: [HostTensor]
    let record: ([Value]) -> [Value]
  }

  private static func integers(_ numbers: [Int64], _ dtype: DType = .int64, shape: Shape? = nil) -> HostTensor {
    var tensor = HostTensor(TensorType(shape ?? [numbers.count], dtype))
    for (index, number) in numbers.enumerated() { tensor.store(.integer(number), at: index) }
    return tensor
  }

  private static func part(_ extent: Int, step: Int = 1) -> Part { Part(axes: [0], extents: [extent], steps: [step]) }
  private static let matrix = HostTensor(TensorType([4, 3], .float32))

  private static var cases: [Case] {
    [
      Case(label: "a label", inputs: [integers([0, 3, 1])]) {
        [$0[0].checkedIndices(extent: 3, allowsNegative: false, noun: "label")]
      },
      Case(label: "a negative label", inputs: [integers([0, -1], .int32)]) {
        [$0[0].checkedIndices(extent: 3, allowsNegative: false, noun: "label")]
      },
      Case(label: "an index", inputs: [matrix, integers([0, 4])]) { [$0[0].take($0[1], axis: 0)] },
      Case(label: "a negative index", inputs: [matrix, integers([-5])]) { [$0[0].take($0[1], axis: 0)] },
      Case(label: "an index of a view", inputs: [matrix, integers([0, 9, 1, 2], shape: [2, 2])]) {
        [$0[0].take($0[1].transposed([1, 0]), axis: 0)]
      },
      Case(label: "a scattered index", inputs: [matrix, integers([7]), HostTensor(TensorType([1, 3], .float32))]) {
        [$0[0].scatterAdded($0[2], at: $0[1], axis: 0)]
      },
      Case(label: "the cross-entropy's label", inputs: [matrix, integers([0, 1, 3, 0])]) {
        [$0[0].softmaxCrossEntropy(labels: $0[1])]
      },
      Case(label: "a start", inputs: [matrix, integers([3], shape: [])]) { [record(Slice(part(2)), $0)] },
      Case(label: "a negative start", inputs: [matrix, integers([-1], shape: [])]) { [record(Slice(part(2)), $0)] },
      Case(label: "a start of steps", inputs: [matrix, integers([2], shape: [])]) {
        [record(Slice(part(2, step: 2)), $0)]
      },
      Case(label: "a start of nothing", inputs: [matrix, integers([5], shape: [])]) { [record(Slice(part(0)), $0)] },
      Case(label: "a start in nothing", inputs: [HostTensor(TensorType([4, 0], .float32)), integers([3], shape: [])]) {
        [record(Slice(part(2)), $0)]
      },
      Case(
        label: "an update's start",
        inputs: [matrix, HostTensor(TensorType([2, 3], .float32)), integers([3], shape: [])]
      ) {
        [record(Update(part(2)), $0)]
      },
      Case(
        label: "an update of nothing",
        inputs: [
          HostTensor(TensorType([4, 0], .float32)), HostTensor(TensorType([2, 0], .float32)), integers([9], shape: []),
        ]
      ) {
        [record(Update(part(2)), $0)]
      },
      Case(label: "a position in a scan", inputs: [matrix]) { x in
        let (_, stacked) = Value.scan(initial: [], sequences: [], length: 4) { position, _, _ in
          ([], [record(Slice(part(2)), [x[0], position])])
        }
        return stacked
      },
    ]
  }

  @Test func everyBackendRefusesWhatTheReferenceRefuses() throws {
    for item in FailureTests.cases {
      let trace = Trace(depth: 0)
      let inputs = item.inputs.map { placeholderValue($0.type, device: .cpu, trace: trace) }
      let graph = try Recorded(item.record(inputs), inputs: inputs)
      let expected = failure(graph, item.inputs, .reference)
      #expect(expected?.kind == .index, "\(item.label)")
      for machine in Machine.others {
        let found = failure(graph, item.inputs, machine)
        #expect(found?.problem == expected?.problem, "\(item.label) on \(machine)")
        #expect(found?.kind == expected?.kind, "\(item.label) on \(machine)")
        #expect(found?.operation == expected?.operation, "\(item.label) on \(machine)")
        if expected?.operation != "scan" {
          #expect(found?.operands == expected?.operands, "\(item.label) on \(machine)")
        }
      }
    }
  }

  private func failure(_ graph: Recorded, _ inputs: [HostTensor], _ machine: Machine) -> TensorError? {
    do {
      _ = try machine.run(graph, inputs)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [[0], [1], [2], [0, 2], [2, 1]])
  func anOperationOfSeveralResultsGivesThoseThatAreRead(_ read: [Int]) throws {
    let x = HostTensor([1, 2, 3] as [Double])
    let input = placeholderValue(x.type, device: .cpu, trace: Trace(depth: 0))
    let results = recordAll(Powers(), [input])
    let graph = try Recorded(read.map { results[$0] }, inputs: [input])
    for machine in Machine.allCases {
      let found = try machine.run(graph, [x])
      #expect(
        found.map(\.floats) == read.map { power in x.floats.map { power == 0 ? 1 : (power == 1 ? $0 : $0 * $0) } },
        "\(machine)")
    }
  }
}

/// 1, x and x².
private struct Powers: Operation {
  var name: String { "powers" }
  func encode(into key: inout PlanKey) {}
  func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    ResultTypes(operands[0], [operands[0], operands[0]])
  }
  var semantics: Semantics {
    .loops { operands, results in
      (0..<3).map { power in
        var result = HostTensor(results[power])
        for (index, x) in operands[0].floats.enumerated() {
          result.store(.float(power == 0 ? 1 : (power == 1 ? x : x * x)), at: index)
        }
        return result
      }
    }
  }
  var gradient: GradientRule { .none("a test's") }
  func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] { recordAll(self, operands) }
}
