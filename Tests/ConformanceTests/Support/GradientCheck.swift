import CajalAutodiff
import CajalBase
import CajalIR
import CajalOperations

/// One sample's first and second derivatives, against central differences.
///
/// A function of several results is made one number by random weights; so is its gradient, for the second order.
struct GradientCheck {
  private let sample: Sample
  private let inputs: [Value]
  private let results: [Value]
  private let weights: [Value]
  private let gradients: [Value]
  private let gradientWeights: [Value]
  private let seconds: [Value?]

  init(_ sample: Sample) throws(TensorError) {
    self.sample = sample
    let trace = Trace(depth: 0)
    let inputs = sample.operands.map { placeholderValue($0.base, device: .cpu, trace: trace) }
    let results = sample.record(zip(sample.operands, inputs).map { $0.view($1) }).filter { $0.dtype.isFloat }
    let weights = results.map { placeholderValue($0.type, device: .cpu, trace: trace) }
    let checked = sample.differentiates.map { inputs[$0] }
    let found = reverse(zip(results, weights).map { (value: $0, cotangent: $1) }, inputs: checked, in: nil)
    let gradients = found.compactMap { $0 }
    guard gradients.count == checked.count else {
      throw TensorError(
        .gradient, operation: sample.operation, "an operand has no cotangent", remedy: "Look at its rule")
    }
    let gradientWeights = gradients.map { placeholderValue($0.type, device: .cpu, trace: trace) }
    seconds = reverse(zip(gradients, gradientWeights).map { (value: $0, cotangent: $1) }, inputs: checked, in: nil)
    (self.inputs, self.results, self.weights) = (inputs, results, weights)
    (self.gradients, self.gradientWeights) = (gradients, gradientWeights)
  }

  func problems() throws(TensorError) -> [String] {
    let first = try compare(results, weights, gradients.map { $0 }, "gradient")
    if !first.isEmpty { return first }
    return try compare(gradients, gradientWeights, seconds, "second derivative")
  }

  /// Derivatives of Σ weights · values along directions, by differences and by `derivatives`.
  private func compare(_ values: [Value], _ weights: [Value], _ derivatives: [Value?], _ noun: String)
    throws(TensorError) -> [String]
  {
    let free = inputs + self.weights + gradientWeights
    let numbers = sample.inputs() + draw(self.weights, "weights") + draw(gradientWeights, "gradient weights")
    let start = noun == "gradient" ? inputs.count : inputs.count + self.weights.count
    let factors = Array(numbers[start..<start + weights.count])
    let function = try Machine.reference.compiled(Recorded(values, inputs: free))
    let present = derivatives.compactMap { $0 }
    let analytic = try Recorded(present, inputs: free)
    let slopes = try Machine.reference.run(analytic, numbers)
    if let problem = try disagreement(analytic, numbers, slopes) { return ["\(noun): \(problem)"] }
    var problems: [String] = []
    var next = 0
    for (position, operand) in sample.differentiates.enumerated() {
      let slope = derivatives[position] == nil ? nil : slopes[next]
      if derivatives[position] != nil { next += 1 }
      for direction in directions(numbers[operand].count) {
        var (above, below) = (numbers, numbers)
        above[operand].move(direction, by: GradientCheck.step)
        below[operand].move(direction, by: -GradientCheck.step)
        let difference =
          GradientCheck.dot(try function(above), factors) - GradientCheck.dot(try function(below), factors)
        let expected = difference / (2 * GradientCheck.step)
        let found = slope.map { zip($0.floats, direction).reduce(0) { $0 + $1.0 * $1.1 } } ?? 0
        if !(abs(found - expected) <= 2e-6 * max(1, abs(expected))) {
          problems.append("\(noun) by operand \(operand) along \(direction): \(found), differences say \(expected)")
        }
      }
    }
    return problems
  }

  /// The cube root of float64's precision balances the two errors of a central difference.
  private static let step = 6e-6

  /// The CPU's gradient, which must be the reference's but for rounding.
  private func disagreement(_ graph: Recorded, _ numbers: [HostTensor], _ expected: [HostTensor]) throws(TensorError)
    -> String?
  {
    for (a, b) in zip(try Machine.cpu.run(graph, numbers), expected) {
      if let difference = difference(a, b, .scaled(256, scale: 16)) { return "on the CPU \(difference)" }
    }
    return nil
  }

  private func draw(_ values: [Value], _ noun: String) -> [HostTensor] {
    values.enumerated().map { index, value in
      var generator = SplitMix64("\(sample.name) \(noun) \(index)")
      return Fill.uniform(-1...1).tensor(value.type, &generator)
    }
  }

  /// Every axis where there are few, else random ones.
  private func directions(_ count: Int) -> [[Double]] {
    if count <= 6 {
      return (0..<count).map { axis in (0..<count).map { $0 == axis ? 1 : 0 } }
    }
    var generator = SplitMix64(sample.name)
    return (0..<4).map { _ in (0..<count).map { _ in generator.uniform(-1...1) } }
  }

  private static func dot(_ values: [HostTensor], _ weights: [HostTensor]) -> Double {
    zip(values, weights).reduce(0) { sum, pair in zip(pair.0.floats, pair.1.floats).reduce(sum) { $0 + $1.0 * $1.1 } }
  }
}

extension HostTensor {
  fileprivate mutating func move(_ direction: [Double], by step: Double) {
    for index in 0..<count { store(.float(floats[index] + step * direction[index]), at: index) }
  }
}
