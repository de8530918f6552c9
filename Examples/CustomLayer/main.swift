// A layer of your own is a struct: parameters, and what it makes of its input. This one is Snake, x + sin²(ax) / a,
// with an a that each channel learns. It repeats itself, so a network with it goes on where the examples end;
// one of ReLUs goes straight on (Ziyin, Hartwig and Ueda 2020). custom-layer.svg shows both.

import Cajal
import Foundation

/// x + sin²(a · x) / a.
///
/// **Shapes**: `[…, channels]` to the same; a `[channels]`.
struct Snake: DescribedLayer {
  let frequency: Parameter

  init(channels: Int) { frequency = Parameter([channels], .constant(2)) }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let a = frequency.value
    return x + (a * x).sin().squared() / a
  }

  // With these a model file can hold it.
  static let kind = "snake"
  var configuration: Int { frequency.shape?[0] ?? 0 }
  init(configuration: Int) { self.init(channels: configuration) }
}

let isSmoke = ProcessInfo.processInfo.environment["CAJAL_SMOKE"] == "1"
let function = { (x: Tensor) in (x * 2).sin() + x / 4 }
let x = Tensor.linspace(-4, 4, count: 160).reshaped(160, 1)  // what is learned
let wide = Tensor.linspace(-8, 8, count: 320).reshaped(320, 1)  // what is asked
let places = try wide.scalars(Double.self)
var plot = Plot("Learned between −4 and 4, asked beyond", x: "x", y: "y")
plot.line("the function", x: places, try function(wide).scalars(Double.self))

for (name, layer) in [("ReLU", Activation.relu as any Layer), ("Snake", Snake(channels: 32))] {
  let model = withSeed(2) { Sequential([Dense(32, inputs: 1), layer, Dense(1)]) }
  print(model.summary(input: [1, 1]))
  let trainer = Trainer(model, loss: .meanSquaredError, optimizer: Adam(learningRate: 0.01))
  try trainer.fit(
    LabeledData(inputs: x, targets: function(x)), epochs: isSmoke ? 5 : 300, batchSize: 16, schedule: .cosine())
  try model.save("custom-layer.safetensors")
  let loaded = try Sequential.load("custom-layer.safetensors")  // the layer of our own among the rest
  plot.line(name, x: places, try loaded(wide).scalars(Double.self))
  print("\(name): loss \(trainer.history["loss"].last ?? .nan) where it learned\n")
}
plot.marker("examples end", x: -4)
plot.marker("and here", x: 4)
try plot.save("custom-layer.svg")
print("custom-layer.svg shows what they say beyond the examples")
