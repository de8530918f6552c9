// The last layer says what kind of answer a network gives; there are three kinds. The hidden layers are alike.
//
//   a yes or no    one unit; sigmoid makes it a probability    binary cross-entropy
//   one of n       n units; softmax makes them probabilities   softmax cross-entropy
//   a number       one unit, left as it is (linear)            mean squared error
//
// In Cajal the network gives scores and the loss contains sigmoid or softmax, which is more precise.
// outputs.svg shows how well each does on rows it has not seen.

import Cajal
import Foundation

let isSmoke = ProcessInfo.processInfo.environment["CAJAL_SMOKE"] == "1"
let problems: [(table: String, units: Int, loss: Loss, metric: Metric)] = [
  ("breast-cancer", 1, .binaryCrossEntropy, .binaryAccuracy),  // is a tumour benign?
  ("wine", 3, .softmaxCrossEntropy, .accuracy),  // from which of three vineyards?
  ("diabetes", 1, .meanSquaredError, .r2),  // how far will it be in a year?
]
var plot = Plot("Three kinds of output, on rows not seen in training", x: "epoch", y: "accuracy; R² for diabetes")

for (name, units, loss, metric) in problems {
  let (table, _, target) = try DataCatalog.table(name)
  let parts = try table.split([0.8, 0.2], seed: 1)
  let preprocessing = try Preprocessing.fit(parts[0], target: target)  // mean 0, deviation 1: of the training part
  let model = withSeed(1) {
    Sequential {
      Dense(16, activation: .relu)
      Dropout(0.2)
      Dense(units)
    }
  }
  let trainer = Trainer(model, loss: loss, optimizer: AdamW(weightDecay: 0.05), metrics: [metric])
  try trainer.fit(
    preprocessing.data(parts[0]), epochs: isSmoke ? 3 : 40, batchSize: 8, validation: preprocessing.data(parts[1]))

  let scores = trainer.history["val_\(metric.name)"]
  print("\(name): units \(units), \(loss.name), \(metric.name) \(String(format: "%.3f", scores.last ?? .nan))")
  plot.line(name, scores)

  // What is said of the first row: a class with its probability, or a number in the table's own measure.
  let row = parts[1].selecting([0])
  switch try TablePredictor(model: model, preprocessing: preprocessing).predict(row)[0] {
  case .label(let label, let probabilities): print("  it says \(label), probabilities \(probabilities.map(Float.init))")
  case .number(let number):
    print("  it says \(Float(number)), right is \(row.number(0, try row.column(target)) ?? .nan)")
  }
}
try plot.save("outputs.svg")
print("outputs.svg shows how each learns")
