// XOR with a hidden layer: four neurons bend the plane so that one more can part it. They learn together,
// each weight moved a little against the gradient of the loss (Rumelhart, Hinton and Williams 1986).
// xor.svg shows what the network answers everywhere: one kind of corner here, the other there.

import Cajal
import Foundation

let isSmoke = ProcessInfo.processInfo.environment["CAJAL_SMOKE"] == "1"
let x = Tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
let y = Tensor([[0.0], [1.0], [1.0], [0.0]])

let model = withSeed(1) {
  Sequential {
    Dense(4, inputs: 2, activation: .tanh)
    Dense(1, inputs: 4, activation: .sigmoid)
  }
}
print("\(model.parameterCount) weights")

let optimizer = SGD(learningRate: 0.5, momentum: 0.9)
for step in 1...(isSmoke ? 100 : 500) {
  let (loss, gradients) = valueAndGradient(of: model) { (model(x) - y).squared().mean() }
  optimizer.update(model, gradients)
  if step % 50 == 0 { print("step \(step)  loss \(try loss.item())") }
}

for (point, answer) in zip(["00", "01", "10", "11"], try model(x).scalars(Float.self)) {
  print("\(point) -> \(String(format: "%.3f", answer))")
}

// The answers on a grid of 45 × 45 points.
let side = stride(from: -0.5, through: 1.5, by: 2.0 / 44).map { $0 }
let grid = side.flatMap { first in side.map { [first, $0] } }
let answers = try model(Tensor(grid, dtype: .float32)).scalars(Float.self)
var plot = Plot("XOR, learned", x: "first input", y: "second input")
for (name, isYes) in [("answers 1", true), ("answers 0", false)] {
  let part = zip(grid, answers).filter { ($1 > 0.5) == isYes }.map(\.0)
  plot.points(name, x: part.map { $0[0] }, part.map { $0[1] })
}
plot.points("the four points", x: [0, 0, 1, 1], [0, 1, 0, 1])
try plot.save("xor.svg")
print("xor.svg shows the answers in between")
