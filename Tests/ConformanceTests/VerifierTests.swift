import CajalAutodiff
import CajalBase
import CajalCompiler
import CajalIR
import CajalOperations
import Testing

/// The verifier after each pass, on every sample and on its gradient.
@Suite struct VerifierTests {
  @Test(arguments: Samples.byOperation.keys.sorted())
  func everyPassLeavesAGraphThatVerifies(_ operation: String) throws {
    for sample in Samples.byOperation[operation] ?? [] where !sample.needsEngine {
      check(sample.name, try sample.graph().graph)
      guard !sample.differentiates.isEmpty else { continue }
      let (inputs, outputs) = sample.recorded()
      let seeds = outputs.filter { $0.dtype.isFloat }.map {
        (value: $0, cotangent: Value.constant(.integer(1), $0.dtype).broadcast(to: $0.shape))
      }
      let gradients = reverse(seeds, inputs: inputs, in: nil).compactMap { $0 }
      check("gradient of \(sample.name)", try Recorded(outputs + gradients, inputs: inputs).graph)
    }
  }

  private func check(_ label: String, _ recorded: Graph) {
    var graph = recorded
    var work = WorkCount()
    if let problem = graph.verify() { Issue.record("\(label), as recorded: \(problem)") }
    let types = graph.outputs.map { graph.type(of: $0) }
    for pass in Pipeline.passes {
      graph = pass.run(graph, &work)
      if let problem = graph.verify() { Issue.record("\(label), after \(pass.name): \(problem)") }
      #expect(graph.outputs.map { graph.type(of: $0) } == types, "\(label), after \(pass.name)")
    }
  }
}
