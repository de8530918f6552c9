// One artificial neuron, as Rosenblatt trained it in 1958: a weighted sum, a threshold, and a rule that
// moves the weights after each mistake. It learns AND and OR: a straight line parts the points it says
// yes to, above, from the others, and neuron.svg shows it. XOR it cannot: no straight line parts the points (0, 1) and
// (1, 0) from (0, 0) and (1, 1). See Examples/XOR for what can.

import Cajal

let points = Tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
let problems = [("AND", Tensor([0.0, 0.0, 0.0, 1.0])), ("OR", [0.0, 1.0, 1.0, 1.0]), ("XOR", [0.0, 1.0, 1.0, 0.0])]
var plot = Plot("What a neuron says yes to lies above its line", x: "first input", y: "second input")
plot.points("the four points", x: [0, 0, 1, 1], [0, 1, 0, 1])

for (name, targets) in problems {
  let neuron = Dense(1, inputs: 2, activation: .step, kernelInitializer: .zeros)
  var epochs = 0
  var mistakes = 4
  while mistakes > 0, epochs < 20 {
    epochs += 1
    mistakes = 0
    for index in 0..<4 {
      let x = points[index..<index + 1]  // [1, 2]
      let error = targets[index] - neuron(x)  // [1, 1]: −1, 0 or 1
      neuron.kernel.value = neuron.kernel.value + x.T * error
      if let bias = neuron.bias { bias.value = bias.value + error[0] }
      if try error.item() != 0 { mistakes += 1 }
    }
  }
  let answers = try neuron(points).scalars(Int.self)
  let verdict = mistakes == 0 ? "learned after \(epochs) epochs" : "not learned in \(epochs) epochs"
  print("\(name): \(verdict); it answers \(answers) to 00, 01, 10, 11")

  guard mistakes == 0, let bias = try neuron.bias?.value.scalars(Double.self)[0] else { continue }
  let weights = try neuron.kernel.value.scalars(Double.self)
  let ends = [-0.4, 1.4]  // on the line, weights[0] · x + weights[1] · y + bias = 0
  plot.line(name, x: ends, ends.map { -(weights[0] * $0 + bias) / weights[1] })
}
try plot.save("neuron.svg")
print("neuron.svg shows the lines")
