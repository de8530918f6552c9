// XOR with a hidden layer: four neurons bend the plane so that one more can part it. They learn together,
// each weight moved a little against the gradient of the loss (Rumelhart, Hinton and Williams 1986).

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
