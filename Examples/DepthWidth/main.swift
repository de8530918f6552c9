// Deep or wide? Three networks with about as many weights each, on one problem: which of two spirals, wound
// around each other, is a point on? The wide one has a single layer and must cover the plane with straight folds.
// A deeper one folds what is folded already, so that few neurons make many pieces (Montúfar et al. 2014).
// depth-width.svg shows the losses, each the average of three starts.

import Cajal
import Foundation

let isSmoke = ProcessInfo.processInfo.environment["CAJAL_SMOKE"] == "1"
let angles = Tensor.linspace(0.5, 3 * Double.pi, count: 200)
let arm = Tensor.stack([angles * angles.cos(), angles * angles.sin()], axis: 1) / 9  // [200, 2]
let spirals = LabeledData(
  inputs: Tensor.concatenate([arm, -arm]),
  targets: Tensor.concatenate([Tensor.zeros([200, 1]), Tensor.ones([200, 1])]))

var plot = Plot("Two spirals, about 600 weights", x: "epoch", y: "loss")
for (depth, width) in [(1, 155), (2, 22), (4, 13)] {
  let starts = isSmoke ? 1 : 3
  let epochs = isSmoke ? 5 : 150
  var curve = [Double](repeating: 0, count: epochs)
  var weights = 0
  for seed in 0..<starts {
    let model = withSeed(UInt64(seed)) {
      Sequential {
        for _ in 0..<depth { Dense(width, activation: .relu) }
        Dense(1)
      }
    }
    let trainer = Trainer(model, loss: .binaryCrossEntropy, optimizer: Adam(learningRate: 0.01))
    try trainer.fit(spirals, epochs: epochs, batchSize: 40, seed: UInt64(seed))
    curve = zip(curve, trainer.history["loss"]).map { $0 + $1 / Double(starts) }
    weights = model.parameterCount
  }
  let shape = depth == 1 ? "1 layer of \(width)" : "\(depth) layers of \(width)"
  print("\(shape), \(weights) weights: loss \(String(format: "%.3f", curve[epochs - 1]))")
  plot.line(shape, curve)
}
try plot.save("depth-width.svg")
print("depth-width.svg shows the losses")
