import ArgumentParser
import Cajal
import CajalFormats
import Foundation

struct Evaluate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Test a trained network.",
    discussion: """
      EXAMPLES
        cajal train --save digits.safetensors
        cajal evaluate digits.safetensors
        cajal train iris.csv --target species --save iris.safetensors
        cajal evaluate iris.safetensors more-flowers.csv
        cajal evaluate adult.safetensors adult
      """)

  @Argument(help: "A file that `cajal train --save` wrote.", completion: .file(extensions: ["safetensors"]))
  var model: String

  @OptionGroup var data: DataOptions

  @Flag(inversion: .prefixedNo, help: "Whether a table's first row names the columns; seen from the rows otherwise.")
  var header: Bool?

  @OptionGroup var machine: MachineOptions

  func run() async throws {
    try machine.run {
      let output = Output(isJSON: machine.json)
      let measures: Measures
      if let name = data.table {
        let predictor = try TablePredictor.load(model)
        let source = try TableSource(name, header: header, output)
        let table = source.test ?? source.train
        try output.say("\(name): \(table.count) rows to test with")
        measures = try predictor.evaluate(predictor.preprocessing.data(table))
      } else {
        measures = ["accuracy": try pictureAccuracy(output)]
      }
      try Finish(measures: Measures().adding(measures, prefix: "test_"), trainSeconds: 0, stepPlans: 0).report(output)
    }
  }

  private func pictureAccuracy(_ output: Output) throws -> Double {
    let metadata = try SafetensorsFile.read(model).metadata
    if data.isNameless, metadata[Preprocessing.metadataKey] != nil {
      throw ValidationError("the model was trained on a table. Name one: cajal evaluate \(model) FILE.csv")
    }
    let network = try Sequential.load(model)
    // What it was trained on, if that has a name.
    let own = metadata[PictureModel.datasetKey].flatMap { name in DataCatalog.all.first { $0.name == name }?.name }
    if data.isNameless, own == nil, metadata["cajal.task"] != nil {
      throw ValidationError("the model was trained on a folder. Name it: cajal evaluate \(model) FOLDER")
    }
    let dataset = try data.load(output, orElse: own)
    let inputs = dataset.test.inputs.shape.suffix(from: 1)
    let taken = PictureModel.inputs(of: network, metadata)
    guard taken == inputs.count, network.sizes.last == dataset.classes else {
      throw FormatError(
        path: model,
        problem: """
          its network takes \(taken ?? 0) numbers and knows \(network.sizes.last ?? 0) classes; \
          \(dataset.name) has pictures of \(inputs) in \(dataset.classes) classes
          """,
        remedy: "Use the data it was trained on, or say --classes")
    }
    return try measuredAccuracy(of: network, on: dataset.test, output)
  }
}
