import CajalBase
import CajalIR
import CajalOperations
import Testing

/// Every sample on every backend against the reference (law 5), fused and unfused, in memory that was given away.
@Suite struct AgreementTests {
  @Test(arguments: Samples.byOperation.keys.sorted())
  func everyBackendAgreesWithTheReference(_ operation: String) throws {
    for sample in Samples.byOperation[operation] ?? [] where !sample.needsEngine {
      do {
        let graph = try sample.graph()
        let inputs = sample.inputs()
        let expected = try Machine.reference.run(graph, inputs)
        let magnitudes = try sample.magnitudes(graph, inputs)
        for machine in Machine.others {
          let found = try machine.run(graph, inputs)
          for (index, (a, b)) in zip(found, expected).enumerated() {
            if let difference = difference(a, b, sample.tolerance, magnitude: magnitudes?[index]) {
              Issue.record("\(sample.name) on \(machine), result \(index): \(difference)")
            }
          }
        }
      } catch {
        Issue.record("\(sample.name): \(error)")
      }
    }
  }

  @Test(arguments: Samples.byOperation.keys.sorted())
  func fusionAndDonationAndTheFakeDeviceChangeNoBit(_ operation: String) throws {
    for sample in Samples.byOperation[operation] ?? [] where !sample.needsEngine {
      let graph = try sample.graph()
      let inputs = sample.inputs(seed: 1)
      let expected = try Machine.cpu.run(graph, inputs)
      for machine in [Machine.cpuUnfused, .cpuDonated, .fake] {
        for (index, (a, b)) in zip(try machine.run(graph, inputs), expected).enumerated() {
          if let difference = bitDifference(a, b) {
            Issue.record("\(sample.name) on \(machine), result \(index): \(difference)")
          }
        }
      }
    }
  }
}

extension Sample {
  /// The results over magnitudes, which bound the errors of sums and products.
  fileprivate func magnitudes(_ graph: Recorded, _ inputs: [HostTensor]) throws(TensorError) -> [HostTensor]? {
    guard case .accumulated = tolerance else { return nil }
    return try Machine.reference.run(
      graph,
      inputs.map { input in
        var result = input
        guard input.dtype.isFloat else { return result }
        for index in 0..<input.count { result.store(.float(Swift.abs(input.floats[index])), at: index) }
        return result
      })
  }
}
