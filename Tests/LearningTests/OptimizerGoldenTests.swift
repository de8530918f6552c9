import Cajal
import Foundation
import Testing

/// Runs of other people's optimizers on a small network in float64.
private struct Golden: Decodable, Sendable {
  struct Options: Decodable {
    var lr: Double
    var weightDecay: Double?
    var momentum: Double?
    var dampening: Double?
    var nesterov: Bool?
    var amsgrad: Bool?
    var centered: Bool?
    var lrDecay: Double?
    var lineSearchFn: String?
    var adjustLrFn: String?
    var maxIter: Int?
    var historySize: Int?
  }

  /// Kernels are stored `[outputs, inputs]`, row by row.
  struct Parameters<Kernel: Decodable & Sendable>: Decodable, Sendable {
    var firstKernel: Kernel
    var firstBias: [Double]
    var secondKernel: Kernel
    var secondBias: [Double]
    enum CodingKeys: String, CodingKey {
      case firstKernel = "0.weight"
      case firstBias = "0.bias"
      case secondKernel = "2.weight"
      case secondBias = "2.bias"
    }
  }

  struct Sample: Decodable, Sendable {
    var iteration: Int
    var parameters: Parameters<[Double]>

    enum CodingKeys: CodingKey { case iteration }

    init(from decoder: any Decoder) throws {
      iteration = try decoder.container(keyedBy: CodingKeys.self).decode(Int.self, forKey: .iteration)
      parameters = try Parameters(from: decoder)
    }
  }

  struct Run: Decodable, Sendable {
    var optimizer: String
    var options: Options
    var samples: [Sample]
  }

  var input: [[Double]]
  /// What the outputs should be; their sum is the loss where there is none.
  var target: [[Double]]?
  var initialParameters: Parameters<[[Double]]>
  var runs: [Run]

  static func read(_ path: String?) -> Golden? {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return path.flatMap { try? decoder.decode(Golden.self, from: Data(contentsOf: URL(fileURLWithPath: $0))) }
  }

  /// Of PyTorch 1.13.
  static let shared = read(testData("torch-golden/optimizers.json"))
  /// Of PyTorch 2.13 and of papers: `Golden/optimizers.py`.
  static let own = read(
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden/optimizers.json").path)
}

/// The network of the runs.
private struct Network: Module {
  let first: Dense
  let second: Dense
  let input: Tensor
  let target: Tensor?

  init(_ golden: Golden, _ dtype: DType) {
    first = Dense(3, inputs: 2, activation: .sigmoid, dtype: dtype)
    second = Dense(1, inputs: 3, activation: .sigmoid, dtype: dtype)
    input = Tensor(golden.input, dtype: dtype)
    target = golden.target.map { Tensor($0, dtype: dtype) }
    let start = golden.initialParameters
    first.kernel.value = Tensor(start.firstKernel, dtype: dtype).T
    first.bias?.value = Tensor(start.firstBias, dtype: dtype)
    second.kernel.value = Tensor(start.secondKernel, dtype: dtype).T
    second.bias?.value = Tensor(start.secondBias, dtype: dtype)
  }

  func loss() -> Tensor {
    let output = second(first(input))
    return target.map { (output - $0).squared().sum() } ?? output.sum()
  }

  /// As a sample lists them.
  var numbers: [Double] { [first.bias!, first.kernel, second.bias!, second.kernel].flatMap { $0.value.T.numbers } }
}

extension Golden.Sample {
  fileprivate var numbers: [Double] {
    parameters.firstBias + parameters.firstKernel + parameters.secondBias + parameters.secondKernel
  }
}

extension Golden.Run {
  /// One step of ours with these options.
  fileprivate func step(_ network: Network, isPyTorch1: Bool, isCompiled: Bool) -> () throws -> Void {
    if optimizer == "LBFGS" {
      let optimizer = LBFGS(
        learningRate: options.lr, maxIterations: options.maxIter ?? 20, historySize: options.historySize ?? 100,
        lineSearch: options.lineSearchFn == "strong_wolfe" ? .strongWolfe : .none)
      return { _ = try optimizer.step(network) { network.loss() } }
    }
    let optimizer = make(isPyTorch1)
    func step() -> Tensor {
      let (loss, gradients) = valueAndGradient(of: network) { network.loss() }
      optimizer.update(network, gradients)
      return loss
    }
    let compiled = compile { (_: [Tensor]) in [step()] }
    return { _ = isCompiled ? compiled([])[0] : step() }
  }

  private func make(_ isPyTorch1: Bool) -> any Optimizer {
    let (rate, decay, momentum) = (options.lr, options.weightDecay ?? 0, options.momentum ?? 0)
    let usesAMSGrad = options.amsgrad ?? false
    switch optimizer {
    case "SGD":
      return SGD(
        learningRate: rate, momentum: momentum, dampening: options.dampening ?? 0,
        isNesterov: options.nesterov ?? false, weightDecay: decay)
    case "Adam": return Adam(learningRate: rate, weightDecay: decay, usesAMSGrad: usesAMSGrad)
    case "AdamW":
      return AdamW(learningRate: rate, weightDecay: options.weightDecay ?? 0.01, usesAMSGrad: usesAMSGrad)
    case "Adagrad":
      return AdaGrad(learningRate: rate, learningRateDecay: options.lrDecay ?? 0, weightDecay: decay)
    case "RMSprop":
      return RMSProp(
        learningRate: rate, momentum: momentum, isCentered: options.centered ?? false, weightDecay: decay)
    case "Adadelta": return AdaDelta(learningRate: rate, weightDecay: decay)
    case "Adamax": return AdaMax(learningRate: rate, weightDecay: decay)
    case "NAdam": return NAdam(learningRate: rate, weightDecay: decay, matchesPyTorch1: isPyTorch1)
    case "RAdam": return RAdam(learningRate: rate, weightDecay: decay)
    case "Lion": return Lion(learningRate: rate, weightDecay: decay)
    case "LAMB": return LAMB(learningRate: rate, weightDecay: decay)
    case "Adafactor": return Adafactor(learningRate: rate, weightDecay: decay)
    case "Muon":
      return Muon(
        learningRate: rate, momentum: options.momentum ?? 0.95, isNesterov: options.nesterov ?? true,
        matchesAdam: options.adjustLrFn != nil, weightDecay: options.weightDecay ?? 0.1)
    default:
      Issue.record("there is no \(optimizer)")
      return SGD()
    }
  }
}

@Suite struct OptimizerGoldenTests {
  @Test(.enabled(if: Golden.shared != nil, "no golden values of PyTorch"), arguments: [DType.float64, .float32])
  func stepsAgreeWithPyTorch(_ dtype: DType) throws {
    let golden = try #require(Golden.shared)
    #expect(golden.runs.count == 27)
    for run in golden.runs { try follow(run, golden, dtype, isPyTorch1: true) }
  }

  @Test(arguments: [DType.float64, .float32])
  func stepsAgreeWithPapersAndLaterPyTorch(_ dtype: DType) throws {
    let golden = try #require(Golden.own)
    #expect(golden.runs.count == 12)
    for run in golden.runs { try follow(run, golden, dtype, isPyTorch1: false) }
  }

  private func follow(_ run: Golden.Run, _ golden: Golden, _ dtype: DType, isPyTorch1: Bool) throws {
    let isWide = dtype == .float64
    // The first swings about the minimum: even in float64 the last bit grows to 10⁻¹². The second lives on differences
    // of gradients, which float32 knows to few digits near a minimum.
    if !isWide, run.optimizer == "RMSprop", run.options.weightDecay == 0.01 { return }
    if !isWide, run.optimizer == "LBFGS", run.options.maxIter != nil { return }
    let network = Network(golden, dtype)
    let step = run.step(network, isPyTorch1: isPyTorch1, isCompiled: isWide)
    let samples = run.samples.filter { isWide || isFull || $0.iteration <= 100 }
    #expect(samples.count > 1)
    for iteration in 0...(samples.last?.iteration ?? 0) {
      try step()
      guard let sample = samples.first(where: { $0.iteration == iteration }) else { continue }
      let (found, expected) = (network.numbers, sample.numbers)
      #expect(found.count == 13 && expected.count == 13)
      for (a, b) in zip(found, expected) {
        let bound = isWide ? 1e-5 * abs(b) : 1e-4 * max(1, abs(b))
        #expect(abs(a - b) <= bound, "\(run.optimizer) \(run.options) at \(iteration): \(a), \(b)")
      }
    }
  }
}
