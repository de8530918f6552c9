import CajalBase
import CajalIR
import CajalNN
import CajalTensor

/// Limited-memory BFGS: Nocedal 1980, Liu and Nocedal 1989; as PyTorch's, which follows Schmidt's minFunc.
///
/// A quasi-Newton method for smooth losses without noise: of small models, or of all data at once. It evaluates
/// the loss several times a step, and so takes it as a closure:
///
/// ```swift
/// let optimizer = LBFGS(lineSearch: .strongWolfe)
/// for _ in 0..<10 { loss = try optimizer.step(model) { meanSquaredError(model(x), y) } }
/// ```
/// Memory and time a step are those of `historySize` vectors as long as all parameters. Everything is read on the
/// host between evaluations, so it cannot be part of a compiled function.
public final class LBFGS: Sendable {
  /// How the length of a move is found.
  public enum LineSearch: Sendable {
    /// It is the learning rate; the first time no longer than 1 / Σ|g| allows.
    case none
    /// Moves until the loss has fallen enough and its slope too: Nocedal and Wright 2006, algorithms 3.5 and 3.6.
    case strongWolfe
  }

  public let maxIterations: Int
  public let maxEvaluations: Int
  public let gradientTolerance: Double
  public let changeTolerance: Double
  public let historySize: Int
  public let lineSearch: LineSearch
  private let rate: Locked<Double>
  let memory = Locked(Memory())

  /// - Parameters:
  ///   - maxIterations: moves a step.
  ///   - maxEvaluations: of the loss a step; 5/4 of the moves if `nil`.
  ///   - gradientTolerance: a step ends where no gradient is greater.
  ///   - changeTolerance: or where neither a parameter nor the loss changes by more.
  public init(
    learningRate: Double = 1, maxIterations: Int = 20, maxEvaluations: Int? = nil, gradientTolerance: Double = 1e-7,
    changeTolerance: Double = 1e-9, historySize: Int = 100, lineSearch: LineSearch = .none
  ) {
    rate = Locked(learningRate)
    self.maxIterations = maxIterations
    self.maxEvaluations = maxEvaluations ?? maxIterations * 5 / 4
    self.gradientTolerance = gradientTolerance
    self.changeTolerance = changeTolerance
    self.historySize = historySize
    self.lineSearch = lineSearch
  }

  public var learningRate: Double {
    get { rate.withLock { $0 } }
    set { rate.withLock { $0 = newValue } }
  }

  /// What is known of the loss's curvature.
  struct Memory {
    /// Moves and how the gradient changed by them, the latest last.
    var moves: [Tensor] = []
    var changes: [Tensor] = []
    /// What the last move began with, its direction and length.
    var gradient: Tensor?
    var direction: Tensor?
    var length = 1.0
    /// The diagonal of the first guess of the inverse Hessian.
    var scale = 1.0
  }

  /// A loss, and its gradient as one vector.
  struct Point {
    let loss: Double
    let gradient: Tensor
  }

  /// Moves the trainable parameters of `model` to where the loss is smaller.
  ///
  /// - Returns: the loss before.
  /// - Throws: what `loss` throws, and ``TensorError`` where it cannot be read; the model and what the optimizer knows
  ///   are as before then.
  @discardableResult
  public func step(_ model: some Module, _ loss: () throws -> Tensor) throws -> Tensor {
    try withoutActuallyEscaping(loss) { loss in
      let space = ParameterSpace(model, loss)
      return try memory.withLock { memory in
        let (start, before) = (space.point, memory)
        do {
          return try minimize(space, &memory)
        } catch {
          space.point = start
          memory = before
          throw error
        }
      }
    }
  }

  private func minimize(_ space: ParameterSpace, _ memory: inout Memory) throws -> Tensor {
    var (current, loss) = try space.evaluate()
    var evaluations = 1
    func isFlat(_ gradient: Tensor) throws -> Bool { try gradient.greatest() <= gradientTolerance }
    if try isFlat(current.gradient) { return loss }
    for iteration in 1...max(1, maxIterations) {
      let isFirst = memory.gradient == nil
      let direction = try nextDirection(current.gradient, &memory)
      memory.gradient = current.gradient
      memory.direction = direction
      memory.length = learningRate
      if isFirst { memory.length *= min(1, 1 / (try current.gradient.abs().sum().item(as: Double.self))) }
      let slope = try current.gradient.dot(direction)
      if slope > -changeTolerance { break }
      let previous = current
      if lineSearch == .strongWolfe {
        let line = Line(
          space: space, start: space.point, direction: direction, tolerance: changeTolerance,
          limit: maxEvaluations - evaluations)
        let found = try line.search(from: current, slope: slope, length: memory.length)
        (current, memory.length) = (found.trial.point, found.trial.length)
        space.point = line.start + direction * memory.length
        evaluations += found.evaluations
      } else {
        space.point = space.point + direction * memory.length
        if iteration < maxIterations {
          current = try space.evaluate().point
          evaluations += 1
        }
      }
      try eval(space.point)
      if try iteration >= maxIterations || evaluations >= maxEvaluations || isFlat(current.gradient)
        || direction.greatest() * abs(memory.length) <= changeTolerance
        || abs(current.loss - previous.loss) < changeTolerance
      {
        break
      }
    }
    return loss
  }

  /// The direction −H g, by the two loops over what is remembered.
  private func nextDirection(_ gradient: Tensor, _ memory: inout Memory) throws -> Tensor {
    guard let before = memory.gradient, let direction = memory.direction else { return -gradient }
    let (change, move) = (gradient - before, direction * memory.length)
    let curvature = try change.dot(move)
    if curvature > 1e-10 {
      memory.changes.append(change)
      memory.moves.append(move)
      if memory.moves.count > historySize {
        memory.changes.removeFirst()
        memory.moves.removeFirst()
      }
      memory.scale = curvature / (try change.dot(change))
    }
    let pairs = Array(zip(memory.moves, memory.changes))
    let weights = pairs.map { 1 / ($0 * $1).sum() }
    var q = -gradient
    var shares: [Tensor] = []
    for ((move, change), weight) in zip(pairs, weights).reversed() {
      let share = (move * q).sum() * weight
      shares.append(share)
      q = q - change * share
    }
    q = q * memory.scale
    for (((move, change), weight), share) in zip(zip(pairs, weights), shares.reversed()) {
      q = q + move * (share - (change * q).sum() * weight)
    }
    try eval([q] + memory.changes + memory.moves)
    return q
  }
}

extension Tensor {
  /// The sum of products, on the host.
  func dot(_ other: Tensor) throws -> Double { try (self * other).sum().item(as: Double.self) }
  /// The greatest magnitude.
  func greatest() throws -> Double { count == 0 ? 0 : try abs().max().item(as: Double.self) }
}

/// The trainable parameters of a model as one vector: float64 where one of them is, float32 elsewhere.
final class ParameterSpace {
  private let parameters: [Parameter]
  private let dtype: DType
  private let differentiate: () throws -> (Tensor, Gradients)

  init(_ model: some Module, _ loss: @escaping () throws -> Tensor) {
    parameters = model.trainableParameters
    dtype = ParameterSpace.type(of: model).dtype
    differentiate = { try valueAndGradient(of: model, loss) }
  }

  static func type(of model: some Module) -> (count: Int, dtype: DType) {
    let parameters = model.trainableParameters
    let isWide = parameters.contains { $0.dtype == .float64 }
    return (parameters.reduce(0) { $0 + $1.value.count }, isWide ? .float64 : .float32)
  }

  /// **Shapes**: `[n]`, the number of parameters.
  var point: Tensor {
    get { joined(parameters.map(\.value)) }
    set {
      var start = 0
      for parameter in parameters {
        let (shape, count) = (parameter.value.shape, parameter.value.count)
        parameter.value = newValue[start..<start + count].reshaped(to: shape).cast(to: parameter.value.dtype)
        start += count
      }
    }
  }

  func evaluate() throws -> (point: LBFGS.Point, loss: Tensor) {
    let (loss, gradients) = try differentiate()
    let gradient = joined(parameters.map { gradients[$0] ?? Tensor.zeros(like: $0.value) })
    try eval(loss, gradient)
    return (LBFGS.Point(loss: try loss.item(as: Double.self), gradient: gradient), loss)
  }

  private func joined(_ tensors: [Tensor]) -> Tensor {
    Tensor.concatenate(tensors.map { $0.cast(to: dtype).reshaped(to: [$0.count]) }, axis: 0)
  }
}
