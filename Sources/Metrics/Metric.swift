import CajalBase
import CajalTensor

/// A number (or a table) that says how good a model is, from all batches of a data set together.
///
/// A batch adds some tensors to what the others added; they merge by addition, by concatenation or by a rule of the
/// metric's own, so that parts of a data set may be measured apart. One of your own:
///
/// ```swift
/// let bias = Metric("bias", merging: .sum) { outputs, targets in
///   [(outputs - targets).sum(), Tensor(scalar: targets.count)]
/// } result: { sums in sums[0] / sums[1] }
/// ```
public struct Metric: Sendable {
  /// How what one batch adds meets what another one adds.
  public enum Merge: Sendable {
    case sum
    /// Along the first axis. Everything is kept until the end.
    case concatenation
    /// By what is known of two parts that of both together, whichever comes first.
    case rule(@Sendable (_ left: [Tensor], _ right: [Tensor]) -> [Tensor])
  }

  /// For tables and histories.
  public let name: String
  public let merge: Merge
  /// Whether more is better.
  public let isHigherBetter: Bool
  let observe: @Sendable (_ outputs: Tensor, _ targets: Tensor) -> [Tensor]
  let result: @Sendable (_ state: [Tensor]) throws -> Tensor

  /// - Parameters:
  ///   - observe: what a batch adds: as many tensors, of the same shapes but for the first axis, each time.
  ///   - result: the metric from what all batches added.
  public init(
    _ name: String, merging merge: Merge, isHigherBetter: Bool = true,
    observe: @escaping @Sendable (_ outputs: Tensor, _ targets: Tensor) -> [Tensor],
    result: @escaping @Sendable (_ state: [Tensor]) throws -> Tensor
  ) {
    self.name = name
    self.merge = merge
    self.isHigherBetter = isHigherBetter
    self.observe = observe
    self.result = result
  }

  /// The metric of one batch.
  public func callAsFunction(_ outputs: Tensor, _ targets: Tensor) throws -> Double {
    var accumulator = MetricAccumulator(self)
    accumulator.observe(outputs, targets)
    return try accumulator.result()
  }
}

/// A metric on its way through a data set.
///
/// ```swift
/// var auc = MetricAccumulator(.auc)
/// for (x, y) in batches { auc.update(model(x), y) }
/// print(try auc.result())
/// ```
public struct MetricAccumulator: Sendable {
  public let metric: Metric
  /// What batches added: merged, or the parts to be concatenated.
  private var parts: [[Tensor]] = []

  public init(_ metric: Metric) { self.metric = metric }

  /// Adds a batch, and sets the computation going without waiting for it.
  public mutating func update(_ outputs: Tensor, _ targets: Tensor) {
    observe(outputs, targets)
    Runtime.startPending()
  }

  /// Adds a batch, which is computed with whatever else is: part of a training step's plan, or of the next update.
  public mutating func observe(_ outputs: Tensor, _ targets: Tensor) {
    add(metric.observe(outputs.stoppingGradient(), targets))
  }

  /// Adds what another accumulator of the same metric saw.
  public mutating func merge(_ other: MetricAccumulator) { for part in other.parts { add(part) } }

  private mutating func add(_ new: [Tensor]) {
    guard let known = parts.first else {
      parts = [new]
      return
    }
    switch metric.merge {
    case .sum: parts = [zip(known, new).map { $0 + $1 }]
    case .concatenation: parts.append(new)
    case .rule(let merged): parts = [merged(known, new)]
    }
  }

  /// What was added so far, for a checkpoint; empty before the first batch.
  public var state: [Tensor] {
    get {
      guard let first = parts.first, parts.count > 1 else { return parts.first ?? [] }
      return first.indices.map { index in Tensor.concatenate(parts.map { $0[index] }) }
    }
    set { parts = newValue.isEmpty ? [] : [newValue] }
  }

  /// Begins anew.
  public mutating func reset() { parts = [] }

  /// The metric of everything added, which is one number.
  ///
  /// - Throws: ``TensorError``: before the first batch, for tables, and for whatever went wrong on the way.
  public func result() throws -> Double { try table().item(as: Double.self) }

  /// The metric of everything added, of any shape.
  public func table() throws -> Tensor {
    guard !parts.isEmpty else {
      throw TensorError(
        .input, operation: metric.name, "no batch was added", remedy: "Update the metric with outputs and targets")
    }
    return try metric.result(state)
  }
}

extension [MetricAccumulator] {
  /// Adds a batch to all, and sets the computation going as one, without waiting for it.
  public mutating func update(_ outputs: Tensor, _ targets: Tensor) {
    for index in indices { self[index].observe(outputs, targets) }
    Runtime.startPending()
  }
}

extension Tensor {
  /// What sums over data sets are taken in.
  var double: Tensor { cast(to: .float64) }
}

/// A count as a tensor: data, so that the last batch's is no other plan's.
func count(_ number: Int) -> Tensor { Tensor(scalar: Double(number), dtype: .float64) }
