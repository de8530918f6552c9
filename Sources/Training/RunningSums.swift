import CajalData
import CajalMetrics
import CajalTensor

/// What an epoch's measures are made of: sums over its examples so far.
struct RunningSums {
  /// Each loss times its examples, and the same of a custom step's other numbers.
  private var totals: [(name: String, sum: Tensor)] = []
  private(set) var examples = 0
  private(set) var metrics: [MetricAccumulator]

  init(_ metrics: [Metric]) { self.metrics = metrics.map { MetricAccumulator($0) } }

  /// Records what a batch adds; with the step's other results it becomes part of its plan.
  mutating func add(_ result: StepResult, _ batch: Batch) {
    let count = batch.count
    examples += count
    add("loss", result.loss, count)
    for (name, value) in result.measures { add(name, value, count) }
    guard let outputs = result.outputs else { return }
    for index in metrics.indices { metrics[index].observe(outputs, batch.targets) }
  }

  private mutating func add(_ name: String, _ value: Tensor, _ count: Int) {
    let part = value.stoppingGradient() * Float(count)
    // In memory from the start: the first step has the plan of those that follow.
    let index = totals.firstIndex { $0.name == name } ?? totals.count
    if index == totals.count { totals.append((name, Tensor([Float(0)], shape: []))) }
    totals[index].sum = totals[index].sum + part
  }

  /// The means; waits for the steps that they come from.
  func measures() throws -> Measures {
    var measures = Measures()
    for (name, sum) in totals { measures[name] = Double(try sum.item(as: Float.self)) / Double(max(1, examples)) }
    for metric in metrics where !metric.state.isEmpty { measures[metric.metric.name] = try metric.result() }
    return measures
  }

  // MARK: In a checkpoint

  /// Its tensors by name, in an order that ``restored(_:from:examples:)`` needs.
  var tensors: [(name: String, tensor: Tensor)] {
    totals.map { ("total/\($0.name)", $0.sum) }
      + metrics.flatMap { metric in
        metric.state.enumerated().map { ("metric/\(metric.metric.name)/\($0.offset)", $0.element) }
      }
  }

  static func restored(_ metrics: [Metric], from tensors: [String: Tensor], names: [String], examples: Int)
    -> RunningSums
  {
    var sums = RunningSums(metrics)
    sums.examples = examples
    for name in names where name.hasPrefix("total/") {
      if let tensor = tensors[name] { sums.totals.append((String(name.dropFirst("total/".count)), tensor)) }
    }
    for index in sums.metrics.indices {
      let prefix = "metric/\(sums.metrics[index].metric.name)/"
      let state = names.filter { $0.hasPrefix(prefix) }.compactMap { tensors[$0] }
      sums.metrics[index].state = state
    }
    return sums
  }
}

/// What a step of one's own tells: a loss, for people to watch, and other numbers by name.
public struct StepResult: Sendable {
  public var loss: Tensor
  public var measures: [(name: String, value: Tensor)]
  /// What the metrics judge.
  public var outputs: Tensor?

  public init(loss: Tensor, measures: KeyValuePairs<String, Tensor> = [:], outputs: Tensor? = nil) {
    self.loss = loss
    self.measures = measures.map { ($0.key, $0.value) }
    self.outputs = outputs
  }
}
