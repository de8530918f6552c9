// A callback of your own hears of everything that happens in a run, and may take part. This one looks at the
// model while it learns: it keeps what the model says after some of the epochs, and ends the run when the loss is
// small enough. custom-callback.svg shows the curve grow: broad strokes first, the details later.

import Cajal
import Foundation

final class Film: Callback {
  private(set) var frames: [(epoch: Int, outputs: Tensor)] = []
  private let inputs: Tensor
  private let goal: Double

  init(of inputs: Tensor, until goal: Double) {
    self.inputs = inputs
    self.goal = goal
  }

  func on(_ event: TrainingEvent, in run: TrainingRun) throws {
    guard case .epochFinished(let report) = event, let model = run.model as? any Layer else { return }
    let isGood = report.loss < goal
    if [1, 4, 16, 64].contains(report.epoch) || isGood {
      frames.append((report.epoch, try model.predict(inputs)))
    }
    if isGood { run.stop("the loss is \(report.loss)") }
  }
}

let isSmoke = ProcessInfo.processInfo.environment["CAJAL_SMOKE"] == "1"
let x = Tensor.linspace(-2, 2, count: 240).reshaped(240, 1)
let y = (x * 2).sin() * 0.6 + (x * 6).sin() * 0.2
let model = withSeed(3) {
  Sequential {
    Dense(64, activation: .relu)
    Dense(64, activation: .relu)
    Dense(1)
  }
}
let film = Film(of: x, until: 0.001)
let trainer = Trainer(model, loss: .meanSquaredError, optimizer: Adam(learningRate: 5e-3))
let report = try trainer.fit(
  LabeledData(inputs: x, targets: y), epochs: isSmoke ? 4 : 1000, batchSize: 48, callbacks: [film])
print("\(report.epochs) epochs; \(report.stopReason ?? "all that were asked for")")

let places = try x.scalars(Double.self)
var plot = Plot("A curve while it is learned", x: "x", y: "y")
plot.points("the examples", x: places, try y.scalars(Double.self))
for frame in film.frames {
  plot.line("after epoch \(frame.epoch)", x: places, try frame.outputs.scalars(Double.self))
}
try plot.save("custom-callback.svg")
print("custom-callback.svg shows how it grew")
