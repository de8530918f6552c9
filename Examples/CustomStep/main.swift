// A training step of your own, for what is not one loss and one optimizer. Here two networks play against each
// other (Goodfellow et al. 2014): the forger makes numbers out of noise, the judge tells them from true ones, and
// each learns from the other. custom-step.svg shows how the forger's numbers are spread in the end, and the true ones.

import Cajal
import Foundation

struct Game: Module {
  let forger = Sequential {
    Dense(16, inputs: 4, activation: .relu)
    Dense(1)
  }
  let judge = Sequential {
    Dense(32, inputs: 1, activation: .leakyRelu(slope: 0.2))
    Dense(32, activation: .leakyRelu(slope: 0.2))
    Dense(1)
  }
}

let isSmoke = ProcessInfo.processInfo.environment["CAJAL_SMOKE"] == "1"
let truth = withSeed(1) { Tensor.normal([4096, 1]) * 0.5 + 3 }
let game = withSeed(0) { Game() }
let forging = Adam(learningRate: 1e-3, beta1: 0.5)
let judging = Adam(learningRate: 1e-3, beta1: 0.5)

let trainer = Trainer(game, optimizers: ["forger": forging, "judge": judging]) { game, batch in
  let noise = Tensor.normal([batch.count, 4])
  let (yes, no) = (Tensor.ones([batch.count, 1]), Tensor.zeros([batch.count, 1]))
  let forged = game.forger(noise).stoppingGradient()
  let (loss, lesson) = valueAndGradient(of: game.judge) {
    binaryCrossEntropy(game.judge(batch.inputs), yes) + binaryCrossEntropy(game.judge(forged), no)
  }
  judging.update(game.judge, lesson)
  let (fooled, hint) = valueAndGradient(of: game.forger) { binaryCrossEntropy(game.judge(game.forger(noise)), yes) }
  forging.update(game.forger, hint)
  return StepResult(loss: loss, measures: ["forger": fooled])
}
try trainer.fit(
  LabeledData(inputs: truth, targets: truth), epochs: isSmoke ? 1 : 40, batchSize: 64, schedule: .cosine(),
  callbacks: [.progress])

let forged = try withSeed(2) { game.forger(Tensor.normal([4096, 4])) }.evaluated()
print("true:   mean \(try truth.mean().item()), deviation \(try truth.standardDeviation().item())")
print("forged: mean \(try forged.mean().item()), deviation \(try forged.standardDeviation().item())")
var plot = Plot("Numbers out of noise", x: "number", y: "of 4096, in steps of 0.2")
let edges = stride(from: 0.0, through: 6, by: 0.2).map { $0 }
for (name, numbers) in [("true", truth), ("forged", forged)] {
  plot.line(
    name, x: edges, try edges.map { try ((numbers .> $0) & (numbers .<= $0 + 0.2)).sum().item(as: Double.self) })
}
try plot.save("custom-step.svg")
print("custom-step.svg shows how both are spread")
