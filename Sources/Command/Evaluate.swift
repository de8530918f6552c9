import ArgumentParser
import Cajal
import Foundation

struct Evaluate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Test a trained network.",
    discussion: "EXAMPLE\n  cajal train --save digits.safetensors\n  cajal evaluate digits.safetensors")

  @Argument(help: "A file that `cajal train --save` wrote.", completion: .file(extensions: ["safetensors"]))
  var model: String

  @OptionGroup var data: DataOptions
  @OptionGroup var machine: MachineOptions

  func run() async throws {
    try machine.run {
      let output = Output(isJSON: machine.json)
      let network = try Perceptron.load(model)
      let dataset = try data.load()
      try check(network, dataset)
      let accuracy = try measuredAccuracy(of: network, on: dataset.test, output)
      try Finish(testAccuracy: accuracy, trainSeconds: 0, stepPlans: 0).report(output)
    }
  }

  private func check(_ network: Perceptron, _ dataset: ImageDataset) throws {
    let inputs = dataset.test.inputs.shape.suffix(from: 1)
    guard network.sizes.first == inputs.count, network.sizes.last == dataset.classes else {
      throw FormatError(
        path: model,
        problem: """
          its network takes \(network.sizes.first ?? 0) numbers and knows \(network.sizes.last ?? 0) classes; \
          \(dataset.name) has pictures of \(inputs) in \(dataset.classes) classes
          """,
        remedy: "Use the data it was trained on, or say --classes")
    }
  }
}
