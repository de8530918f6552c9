import CajalBase
import CajalNN
import CajalTensor
import Testing

/// PyTorch judges the judge: outputs and gradients of every case that present operations cover.
@Suite(.enabled(if: GoldenFile.isPresent, "no golden values at \(GoldenFile.folder): set CAJAL_TEST_DATA"))
struct GoldenTests {
  @Test(arguments: GoldenCases.all.keys.sorted())
  func outputsAndGradientsAreThoseOfPyTorch(_ name: String) throws {
    let file = try GoldenFile()
    for device in [Device.cpu, .reference] {
      for (dtype, tolerance) in [(DType.float64, 1e-5), (.float32, 1e-4)] {
        for problem in try withDevice(device, { try problems(name, file, dtype, tolerance) }) {
          Issue.record("\(name), \(dtype) on \(device): \(problem)")
        }
      }
    }
  }

  @Test func everyCaseIsCoveredOrWaitsForAnOperation() throws {
    let names = Set(try GoldenFile().cases.keys)
    let covered = Set(GoldenCases.all.keys)
    #expect(covered.isSubset(of: names))
    #expect(covered.isDisjoint(with: GoldenCases.waiting))
    #expect(covered.union(GoldenCases.waiting) == names)
    #expect(GoldenCases.waiting.filter { $0.hasPrefix("act_") || $0.hasPrefix("loss_") }.isEmpty)
    // Only ever raised.
    #expect(covered.count >= 110)
  }

  @Test(arguments: ["batchnorm1d_train", "batchnorm2d_train"])
  func runningStatisticsAreThoseOfPyTorch(_ name: String) throws {
    let file = try GoldenFile()
    let item = try #require(file.cases[name])
    let after = try #require(item.buffersAfter)
    for (dtype, tolerance) in [(DType.float64, 1e-5), (.float32, 1e-4)] {
      let layer = BatchNorm(dtype: dtype)
      layer.mean.value = try file.tensor(item.buffers["running_mean"]!, dtype)
      layer.variance.value = try file.tensor(item.buffers["running_var"]!, dtype)
      let x = try file.tensor(item.inputs["x"]!, dtype)
      _ = valueAndGradient(of: layer) { (x.rank == 2 ? layer(x) : GoldenCases.channelsLast(x) { layer($0) }).sum() }
      for (buffer, key) in [(layer.mean, "running_mean"), (layer.variance, "running_var")] {
        let problem = try difference(buffer.value, file.tensor(after[key]!, .float64), tolerance)
        #expect(problem == nil, "\(key) in \(dtype)")
      }
    }
  }

  private func problems(_ name: String, _ file: GoldenFile, _ dtype: DType, _ tolerance: Double) throws -> [String] {
    guard let item = file.cases[name], let body = GoldenCases.all[name] else { return ["there is no such case"] }
    var tensors: [String: Tensor] = [:]
    for (key, place) in item.inputs.merging(item.parameters, uniquingKeysWith: { a, _ in a }).merging(
      item.buffers, uniquingKeysWith: { a, _ in a })
    {
      tensors[key] = try file.tensor(place, dtype)
    }
    let places = item.inputGrads.merging(item.parameterGrads, uniquingKeysWith: { a, _ in a })
    let names = places.keys.sorted()
    let weights = try item.outputGrads.map { try $0.map { try file.tensor($0, dtype) } }
    // Gradients of Σ output · weight.
    let (_, gradients, outputs) = valueAndGradient(at: names.map { tensors[$0]! }) { differentiated in
      var operands = GoldenOperands(tensors: tensors)
      for (key, value) in zip(names, differentiated) { operands.tensors[key] = value }
      let outputs = body(operands)
      let terms = zip(outputs, weights).compactMap { output, weight in weight.map { (output * $0).sum() } }
      return (terms.dropFirst().reduce(terms[0], +), outputs)
    }
    var problems: [String] = []
    for (index, (output, place)) in zip(outputs, item.outputs).enumerated() {
      let expected = try file.tensor(place, .float64)
      if let text = try difference(output, expected, tolerance) { problems.append("output \(index): \(text)") }
      if expected.dtype.isFloat, output.dtype != dtype { problems.append("output \(index) is \(output.dtype)") }
    }
    if outputs.count != item.outputs.count {
      problems.append("\(outputs.count) outputs instead of \(item.outputs.count)")
    }
    for (key, gradient) in zip(names, gradients) {
      if let text = try difference(gradient, try file.tensor(places[key]!, .float64), tolerance) {
        problems.append("gradient of \(key): \(text)")
      }
    }
    return problems
  }

  /// Relative to each number, and 16 units in the last place of the largest, which sums of numbers of its size may
  /// be wrong by.
  private func difference(_ found: Tensor, _ expected: Tensor, _ tolerance: Double) throws -> String? {
    let numbers = try expected.scalars(Double.self)
    if found.error == nil, found.shape != expected.shape { return "shape \(found.shape) instead of \(expected.shape)" }
    let ulp = found.dtype == .float64 ? Double.ulpOfOne : Double(Float.ulpOfOne)
    let floor = 16 * ulp * (numbers.map { abs($0) }.max() ?? 0)
    for (index, (a, b)) in zip(try found.scalars(Double.self), numbers).enumerated() {
      if !(abs(a - b) <= tolerance * abs(b) + floor) { return "element \(index) is \(a) instead of \(b)" }
    }
    return nil
  }
}
