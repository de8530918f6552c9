// Handwritten digits by hand: the loop that `cajal train` runs, written out. One pass over 60,000
// pictures brings a small network to about 96 of 100 new ones. digits.svg shows how the loss falls.

import Cajal
import Foundation

let isSmoke = ProcessInfo.processInfo.environment["CAJAL_SMOKE"] == "1"
let data = try MNIST.load()

let model = withSeed(0) {
  Sequential {
    Flatten()  // [N, 28, 28] to [N, 784]
    Dense(128, activation: .relu)
    Dense(10)  // a score for each digit
  }
}
let optimizer = Adam(learningRate: 1e-3)
let batches = data.train.batches(of: 128, shuffled: true)

var step = 0
var losses: [Double] = []
for (x, y) in batches {
  let (loss, gradients) = valueAndGradient(of: model) { softmaxCrossEntropy(model(x), y) }
  optimizer.update(model, gradients)  // the step starts here, as one plan
  step += 1
  if step % 5 == 0 { losses.append(try loss.item(as: Double.self)) }  // waits for it
  if step % 50 == 0 { print("step \(step)/\(batches.count)  loss \(losses[losses.count - 1])") }
  if isSmoke, step == 50 { break }
}

let right = try accuracy(of: model, on: data.test)
print(String(format: "reads %.1f%% of the test pictures right", right * 100))

// What the network sees in the first picture, and how sure it is.
let first = data.test.inputs[0..<1] / 255
let row = try first[0].scalars(Float.self)
for line in 0..<28 where line % 2 == 0 {
  print(String(row[line * 28..<(line + 1) * 28].map { $0 > 0.5 ? "#" : ($0 > 0.1 ? "+" : " ") }))
}
print("digit \(try model(first).argmax().item(as: Int.self)), probabilities \(model(first).softmax()[0])")

var plot = Plot("One pass over 60,000 digits", x: "step", y: "loss")
plot.line("training", x: losses.indices.map { Double(5 * $0 + 5) }, losses)
try plot.save("digits.svg")
print("digits.svg shows the loss")
