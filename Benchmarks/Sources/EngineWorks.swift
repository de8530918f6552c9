import Cajal

// What the engine itself costs: Cajal alone.

/// A step of 500 nodes: 100 times a small layer of five operations.
private struct SmallStep {
  static let nodes = 500
  let x: Tensor
  private let shift: Tensor
  private let kernel = signed(.weight, 0, [8, 8], scale: 0.25)

  /// - Parameter rows: another number is another plan.
  init(rows: Int) {
    x = signed(.input, 0, [rows, 8])
    shift = unit(.shift, 0, [rows, 8])
  }

  /// Records the step and runs it, as small as it is before this returns: the plan is found, or compiled.
  func start() -> Tensor {
    let h = layers(x)
    Runtime.startPending()
    return h
  }

  func layers(_ x: Tensor) -> Tensor {
    var h = x
    for _ in 0..<SmallStep.nodes / 5 { h = (h.matmul(kernel) + shift).tanh() * x - h }
    return h
  }

  /// Milliseconds that a node takes.
  func time() throws -> Double { try time(start) }

  func time(_ start: () -> Tensor) throws -> Double {
    var result: Tensor?
    let time = seconds { result = start() }
    try result?.evaluated()
    return time * 1e3 / Double(SmallStep.nodes)
  }
}

/// `engine record`: recording a node, its share of finding the plan, of handing over and letting go: what a step
/// takes, less what it takes where it is compiled into a function, and one node is recorded.
struct Recording: Job {
  let checks: [Check] = []
  private let step: SmallStep
  private let compiled: () -> Tensor

  init() {
    let step = SmallStep(rows: 8)
    let function = compile { (x: Tensor) in step.layers(x) }
    self.step = step
    compiled = {
      let h = function(step.x)
      Runtime.startPending()
      return h
    }
  }

  mutating func warm() throws { _ = try sample(seconds: 0.3) }

  mutating func sample(seconds limit: Double) throws -> [Double] {
    try samples(limit) {
      let whole = try step.time()
      return whole - (try step.time(compiled))
    }
  }
}

/// `engine compile`: what a node of a new plan takes, less what it takes in a known one.
struct Compiling: Job {
  let checks: [Check] = []
  private var rows = 8

  mutating func warm() throws { _ = try sample(seconds: 0.1) }

  mutating func sample(seconds limit: Double) throws -> [Double] {
    try samples(limit) {
      rows += 1
      let step = SmallStep(rows: rows)
      let first = try step.time()
      return first - (try step.time())
    }
  }
}

/// What `one` takes, as means over at least ten milliseconds.
private func samples(_ limit: Double, _ one: () throws -> Double) throws -> [Double] {
  var samples: [Double] = []
  var total = 0.0
  while samples.count < 4 || total < limit {
    var (sum, count, elapsed) = (0.0, 0, 0.0)
    while elapsed < sampleSeconds {
      elapsed += try seconds { sum += try one() }
      count += 1
    }
    samples.append(sum / Double(count))
    total += elapsed
  }
  return Array(samples.dropFirst())
}
