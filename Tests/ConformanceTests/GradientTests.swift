import CajalAutodiff
import CajalBase
import CajalIR
import CajalOperations
import Testing

/// Reverse mode against central differences in float64, to second order, on the reference.
@Suite struct GradientTests {
  @Test(arguments: Samples.differentiable.keys.sorted())
  func gradientsMatchFiniteDifferences(_ operation: String) throws {
    for sample in Samples.differentiable[operation] ?? [] {
      do {
        let check = try GradientCheck(sample)
        for problem in try check.problems() { Issue.record("\(sample.name): \(problem)") }
      } catch {
        Issue.record("\(sample.name): \(error)")
      }
    }
  }

  @Test(arguments: Samples.byOperation.keys.sorted())
  func cotangentsHaveTheTypesOfTheirOperands(_ operation: String) throws {
    for sample in Samples.byOperation[operation] ?? [] where !sample.needsEngine {
      let (inputs, outputs) = sample.recorded()
      let floats = outputs.filter { $0.dtype.isFloat }
      let seeds = floats.map { (value: $0, cotangent: Value.constant(.integer(1), $0.dtype).broadcast(to: $0.shape)) }
      for (input, gradient) in zip(inputs, reverse(seeds, inputs: inputs, in: nil)) {
        guard let gradient else { continue }
        if let error = gradient.failure { Issue.record("\(sample.name): \(error)") }
        if gradient.type != input.type, gradient.failure == nil {
          Issue.record("\(sample.name): \(gradient.type) for \(input.type)")
        }
        if !input.dtype.isFloat { Issue.record("\(sample.name): a cotangent for \(input.type)") }
      }
    }
  }

  @Test func tiesShareTheGradientOfMaximumAndMinimumEqually() throws {
    let x = HostTensor([3, 1, 3, 3] as [Double])
    let y = HostTensor([3, 2, 0, 5] as [Double])
    for function in [ElementwiseFunction.maximum, .minimum] {
      let found = try gradients([x, y]) { record(Elementwise(function), $0) }
      #expect(found[0].floats == (function === ElementwiseFunction.maximum ? [0.5, 0, 1, 0] : [0.5, 1, 0, 1]))
      #expect(zip(found[0].floats, found[1].floats).allSatisfy { $0 + $1 == 1 })
    }
    #expect(try gradients([x]) { $0[0].max() }[0].floats == [1 / 3, 0, 1 / 3, 1 / 3])
    #expect(try gradients([y]) { $0[0].min() }[0].floats == [0, 0, 1, 0])
  }

  @Test func functionsWithACornerHaveTheGradientThatTheirDocumentationSays() throws {
    let zeros = HostTensor([0, -0.0] as [Double])
    #expect(try gradients([zeros]) { $0[0].relu() }[0].floats == [0, 0])
    #expect(try gradients([zeros]) { $0[0].abs() }[0].floats == [0, 0])
    let base = HostTensor([0, 0, 2] as [Double])
    let exponent = HostTensor([0, 2, 0] as [Double])
    let found = try gradients([base, exponent]) { Value.power($0[0], $0[1]) }
    #expect(found[0].floats == [0, 0, 0])
    #expect(found[1].floats[0] == 0 && found[1].floats[1] == 0 && found[1].floats[2] > 0.69)
  }

  @Test func gradientsAddUpWhereAnIndexRepeats() throws {
    let x = HostTensor([1, 2, 3] as [Double])
    let found = try gradients([x]) { x in
      let indices = Value.concatenated(
        [.constant(.integer(2), .int64).broadcast(to: [3]), .constant(.integer(-3), .int64).broadcast(to: [1])], axis: 0
      )
      return record(Gather(axis: 0), [x[0], indices])
    }
    #expect(found[0].floats == [1, 0, 3])
  }

  @Test func stopGradientAndValuesThatDoNotDependGiveNone() {
    let trace = Trace(depth: 0)
    let x = placeholderValue(TensorType([2], .float64), device: .cpu, trace: trace)
    let other = placeholderValue(TensorType([2], .float64), device: .cpu, trace: trace)
    let y = x.stoppingGradient() * other
    let found = reverse([(value: y, cotangent: x)], inputs: [x, other], in: nil)
    #expect(found[0] == nil)
    #expect(found[1] != nil)
  }

  private func gradients(_ xs: [HostTensor], _ body: ([Value]) -> Value) throws -> [HostTensor] {
    let trace = Trace(depth: 0)
    let inputs = xs.map { placeholderValue($0.type, device: .cpu, trace: trace) }
    let y = body(inputs)
    let seed = Value.constant(.integer(1), y.dtype).broadcast(to: y.shape)
    let found = reverse([(value: y, cotangent: seed)], inputs: inputs, in: nil).compactMap { $0 }
    return try Machine.reference.run(Recorded(found, inputs: inputs), xs)
  }
}

extension HostTensor {
  /// A float64 vector.
  init(_ numbers: [Double]) {
    self.init(TensorType([numbers.count], .float64))
    for (index, number) in numbers.enumerated() { store(.float(number), at: index) }
  }
}

extension Samples {
  static let differentiable = byOperation.mapValues { $0.filter { !$0.differentiates.isEmpty && !$0.needsEngine } }
    .filter { !$0.value.isEmpty }
}
