import ArgumentParser
import Cajal
import Foundation

struct ProfileTraining: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "profile",
    abstract: "Show where the time of training goes, step by step, beside what the machine could do.",
    discussion: """
      Trains the network of `cajal train` for a few steps, or one with the sizes that you say on numbers made \
      up. Each plan's steps are shown with their time, their arithmetic and memory traffic a second, and what \
      shares of the machine's measured peaks these are (see `cajal benchmark`); those that take longest first. \
      A step that is far from both peaks could be faster. `cajal train --profile` shows the same of a training.

      EXAMPLES
        cajal profile
        cajal profile --layers 64-32-10 --batch-size 32 --steps 1000
        cajal profile --trace profile.json      # open it at https://ui.perfetto.dev
      """)

  @OptionGroup var data: DataOptions
  @OptionGroup var machine: MachineOptions

  @Option(help: "Sizes of the layers of a perceptron to train on made-up numbers instead: 784-512-256-10.")
  var layers: String?

  @Option(help: "Training steps.")
  var steps = 100

  @Option(help: "Examples that one step looks at.")
  var batchSize = 128

  @Option(help: "Write a trace to this file, for chrome://tracing and https://ui.perfetto.dev (JSON).")
  var trace: String?

  func validate() throws {
    if steps < 1 { throw ValidationError("--steps must be at least 1.") }
    if batchSize < 1 { throw ValidationError("--batch-size must be at least 1.") }
    if let layers, sizes == nil {
      throw ValidationError("--layers \(layers): say at least two sizes of 1 to 65536, as in 784-512-256-10.")
    }
    if let trace { try checkWritable(trace, option: "--trace") }
  }

  /// The sizes in `layers`, if they are some.
  private var sizes: [Int]? {
    guard let parts = layers?.split(separator: "-", omittingEmptySubsequences: false).map({ Int($0) }) else {
      return nil
    }
    let sizes = parts.compactMap { $0 }
    return sizes.count == parts.count && sizes.count >= 2 && sizes.allSatisfy { (1...65536).contains($0) } ? sizes : nil
  }

  func run() async throws {
    try machine.run {
      let output = Output(isJSON: machine.json)
      let (model, examples) = try withSeed(0) { try sizes.map(madeUp) ?? loaded(output) }
      let names = model.sizes.map(String.init).joined(separator: "-")
      try output.say("perceptron \(names), batches of \(batchSize), on \(machine.device)")
      let profile = Profile()
      try profile.measure { try train(model, examples, output) }
      try ProfileReport.show(profile, trace: trace, output)
    }
  }

  private func loaded(_ output: Output) throws -> (Sequential, LabeledData) {
    let dataset = try data.load(output)
    let inputs = dataset.train.inputs.shape.suffix(from: 1).count
    return (Sequential.perceptron([inputs, 512, 256, dataset.classes]), dataset.train)
  }

  /// Examples for a few batches, of nothing in particular.
  private func madeUp(_ sizes: [Int]) throws -> (Sequential, LabeledData) {
    // 64 MiB of examples at the most, but one batch.
    let count = batchSize * max(1, min(steps, 16, (16 << 20) / sizes[0] / batchSize))
    let classes = sizes[sizes.count - 1]
    let data = LabeledData(
      inputs: Tensor.normal([count, sizes[0]]), labels: Tensor((0..<count).map { $0 % classes }), classes: classes)
    try eval(data.inputs, data.labels)
    return (Sequential.perceptron(sizes), data)
  }

  private func train(_ model: Sequential, _ examples: LabeledData, _ output: Output) throws {
    let trainer = Trainer(model, optimizer: Adam()) { model, x, y in softmaxCrossEntropy(model(x), y) }
    let limit = steps
    defer { output.clearProgress() }
    try trainer.fit(
      examples, epochs: steps, batchSize: batchSize,
      callbacks: [
        .onEvent { event, run in
          if case .stepFinished = event, run.totalSteps == limit { run.stop("enough") }
          if case .progress = event {
            try output.progress(
              "step \(run.totalSteps)/\(limit)", event: "progress", ["step": .integer(run.totalSteps)])
          }
        }
      ])
  }
}
