import CajalBase
import CajalEngine
import CajalLosses
import CajalNN
import CajalOptimizers
import CajalTensor
import Testing

/// y = x · w: the smallest model there is.
struct Linear: Layer {
  let weight: Parameter

  init(_ weight: Tensor) { self.weight = Parameter(weight) }
  func callAsFunction(_ input: Tensor) -> Tensor { input.matmul(weight.value) }
}

/// Two layers and a cross-entropy: a step with everything in it.
struct Classifier: Layer {
  let hidden: Dense
  let output: Dense

  init(inputs: Int = 8, classes: Int = 4) {
    hidden = Dense(16, inputs: inputs, activation: .relu)
    output = Dense(classes, inputs: 16)
  }

  func callAsFunction(_ input: Tensor) -> Tensor { output(hidden(input)) }

  /// All weights, one behind the other.
  func weights() throws -> [Float] { try parameters.flatMap { try $0.value.scalars(Float.self) } }
}

/// Inputs and labels that a small classifier can learn.
func makeBatch(_ count: Int = 12, seed: UInt64 = 1, label: (Int) -> Int = { $0 % 4 }) -> (x: Tensor, y: Tensor) {
  (withSeed(seed) { Tensor.normal([count, 8]) }, Tensor((0..<count).map(label)))
}

/// One training step; the loss.
@discardableResult
func step(_ model: Classifier, _ optimizer: some Optimizer, _ x: Tensor, _ y: Tensor) -> Tensor {
  let (loss, gradients) = valueAndGradient(of: model) { softmaxCrossEntropy(model(x), y) }
  optimizer.update(model, gradients)
  return loss
}

/// Plans compiled by `body`.
func plansCompiled(_ body: () throws -> Void) rethrows -> Int {
  let meter = EngineMeter()
  try meter.measure(body)
  return meter.counters.plansCompiled
}
