import Cajal
import CajalMallocCount
import Foundation

// A warm plan allocates for its live outputs, not for its steps. A program of its own, as only an optimized build
// allocates what the source says, and nothing else may allocate meanwhile.

@main
enum AllocationChecks {
  static func main() throws {
    guard cajal_malloc_count() >= 0 else { return print("SKIPPED: allocations cannot be counted here") }
    let (few, many) = (try layers(2), try layers(40))
    print("a call of a compiled function allocates \(few) times with 2 layers, \(many) with 40")
    let steps = try (1...3).map(trainingStep)
    print("a training step allocates \(steps) times with 1, 2, 3 layers")
    if few <= 0 || many != few { fail("a plan allocates for its steps") }
    // A layer has two parameters, and each of them three live outputs: value, mean and square.
    let perOutput = Double(steps[2] - steps[0]) / (2 * 6)
    if perOutput > 4 { fail("a live output takes \(perOutput) allocations, not its storage, node, handle and list") }
  }

  /// Calls of malloc that `body` makes once it was called often enough to be warm: the fewest of several.
  private static func allocations(_ body: () throws -> Void) throws -> Int64 {
    for _ in 0..<20 { try body() }
    let counts = try (0..<20).map { _ in
      let before = cajal_malloc_count()
      try body()
      return cajal_malloc_count() - before
    }
    return counts.min() ?? 0
  }

  private static func layers(_ count: Int) throws -> Int64 {
    let kernel = withSeed(1) { Tensor.normal([16, 16]) }
    let function = compile { (x: Tensor) in (0..<count).reduce(x) { h, _ in (h.matmul(kernel) + x).tanh() } }
    let x = withSeed(2) { Tensor.normal([16, 16]) }
    return try allocations { try function(x).evaluated() }
  }

  private static func trainingStep(_ layers: Int) throws -> Int64 {
    let model = withSeed(1) { Sequential((0..<layers).map { _ in Dense(8, inputs: 8, activation: .relu) }) }
    let optimizer = Adam()
    let (x, y) = (withSeed(2) { Tensor.normal([4, 8]) }, Tensor([0, 1, 2, 3]))
    let step = compile { (x: Tensor, y: Tensor) in
      let (loss, gradients) = valueAndGradient(of: model) { softmaxCrossEntropy(model(x), y) }
      optimizer.update(model, gradients)
      return loss
    }
    return try allocations { try step(x, y).evaluated() }
  }

  private static func fail(_ problem: String) -> Never {
    FileHandle.standardError.write(Data("allocations: \(problem)\n".utf8))
    exit(1)
  }
}
