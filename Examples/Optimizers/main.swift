// Three ways down the same hill. Gradient descent (SGD) takes a step against the gradient, as long for every
// weight. AdaGrad divides each weight's step by the gradients that weight has had: rare ones stay quick, all grow
// slower (Duchi, Hazan and Singer 2011). Adam divides by a fading average instead, and keeps momentum
// (Kingma and Ba 2015). Same network, same start, same order of digits. optimizers.svg shows the losses.

import Cajal
import Foundation

let isSmoke = ProcessInfo.processInfo.environment["CAJAL_SMOKE"] == "1"
let digits = try MNIST.load().train
let data = digits.selecting(Array(0..<(isSmoke ? 6400 : 32000)))
var plot = Plot("One network, three optimizers", x: "step", y: "loss, average of 25 steps")
plot.yScale = .logarithmic

let optimizers: [(String, any Optimizer)] = [
  ("SGD, rate 0.1", SGD(learningRate: 0.1)),
  ("AdaGrad, rate 0.01", AdaGrad(learningRate: 0.01)),
  ("Adam, rate 0.001", Adam(learningRate: 0.001)),
]
for (name, optimizer) in optimizers {
  let model = withSeed(0) {
    Sequential {
      Flatten()
      Dense(64, activation: .relu)
      Dense(10)
    }
  }
  let trainer = Trainer(model, loss: .softmaxCrossEntropy, optimizer: optimizer)
  var losses: [Tensor] = []
  let recorder = EventCallback { event, _ in
    if case .stepFinished(let report) = event { losses.append(report.loss) }
  }
  try trainer.fit(data, epochs: 3, batchSize: 128, callbacks: [recorder])

  let windows = losses.count / 25
  let averages = try Tensor.stack(losses)[0..<windows * 25].reshaped(windows, 25).mean(axis: 1).scalars(Double.self)
  plot.line(name, x: averages.indices.map { Double(25 * $0 + 13) }, averages)
  print("\(name): loss \(String(format: "%.3f", averages[windows - 1])) after \(losses.count) steps")
}
try plot.save("optimizers.svg")
print("optimizers.svg shows the losses")
