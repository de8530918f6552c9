// A network with one hidden layer can come as close as you like to any continuous function on an interval, if
// the layer is wide enough (Cybenko 1989; Hornik, Stinchcombe and White 1989). Each hidden neuron adds one
// bend: two neurons can follow a slope, thirty-two the whole curve. approximation.svg shows the fits.

import Cajal
import Foundation

let isSmoke = ProcessInfo.processInfo.environment["CAJAL_SMOKE"] == "1"
let x = Tensor.linspace(-3, 3, count: 200).reshaped(200, 1)
let y = (x * 2).sin() * 0.6 + (x * 5).cos() * 0.3 + x.squared() / 9  // any function would do

let places = try x.scalars(Double.self)
var plot = Plot("One hidden layer of 2, 6 and 32 neurons", x: "x", y: "y")
plot.line("the function", x: places, try y.scalars(Double.self))

for width in [2, 6, 32] {
  let model = withSeed(4) {
    Sequential {
      Dense(width, inputs: 1, activation: .tanh, kernelInitializer: .normal(standardDeviation: 2))
      Dense(1)
    }
  }
  let optimizer = Adam(learningRate: 0.02)
  let step = compile { x, y in  // recorded once, run thousands of times
    let (loss, gradients) = valueAndGradient(of: model) { meanSquaredError(model(x), y) }
    optimizer.update(model, gradients)
    return loss
  }
  for _ in 0..<(isSmoke ? 100 : 4000) { _ = step(x, y) }

  let fit = model(x)
  let error = try (fit - y).squared().mean().sqrt().item()
  print("\(width) neurons, \(model.parameterCount) parameters: off by \(String(format: "%.4f", error)) on average")
  plot.line("\(width) neurons", x: places, try fit.scalars(Double.self))
}
try plot.save("approximation.svg")
print("approximation.svg shows the fits")
