import CajalBase
import CajalFormats
import CajalMetrics
import CajalNN
import CajalOptimizers
import CajalTensor
import Foundation

/// A run as a checkpoint holds it: `model.safetensors` for whoever wants the model, and beside it
/// `training.safetensors` with all else that going on needs.
struct SavedRun {
  /// What is no tensor.
  struct State: Codable {
    /// 2 since the state of R² is of squares of distances from the mean.
    static let knownVersion = 2

    var version = knownVersion
    var seed: UInt64
    /// What the run is besides.
    var plan: RunPlan?
    var position: TrainingPosition
    var learningRateFactor: Double
    var examples: Int
    /// The names of ``SavedRun/tensors`` that the epoch's sums are in, in their order.
    var sums: [String]
    /// By name and the count among those of that name.
    var callbacks: [String: Data]
    /// Their names.
    var optimizers: [String]
  }

  let folder: String
  var state: State
  private var tensors: [String: Tensor]

  private static let modelFile = "model.safetensors"
  private static let stateFile = "training.safetensors"
  private static let key = "cajal.training"

  // MARK: Writing

  /// What `run` is now.
  init(_ run: TrainingRun, in folder: String) throws {
    self.folder = folder
    var tensors: [String: Tensor] = [:]
    for (name, optimizer) in run.optimizers {
      for (slot, tensor) in optimizer.state(of: run.model) { tensors["optimizer/\(name)/\(slot)"] = tensor }
    }
    let sums = run.sums.tensors
    for (name, tensor) in sums { tensors["sum/\(name)"] = tensor }
    var callbacks: [String: Data] = [:]
    for (name, callback) in SavedRun.named(run.callbacks) {
      guard let saved = try callback.savedState() else { continue }
      callbacks[name] = saved.values
      for (key, tensor) in saved.tensors { tensors["callback/\(name)/\(key)"] = tensor }
    }
    state = State(
      seed: run.seed, plan: run.plan, position: run.position, learningRateFactor: run.learningRateFactor,
      examples: run.sums.examples,
      sums: sums.map(\.name), callbacks: callbacks, optimizers: run.optimizers.keys.sorted())
    self.tensors = tensors
  }

  func write(_ model: any Module, metadata: [String: String]) throws {
    try model.save("\(folder)/\(SavedRun.modelFile)", metadata: metadata)
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let text = String(decoding: try encoder.encode(state), as: UTF8.self)
    let written = try tensors.map { name, tensor in
      SafetensorsWriter.Tensor(
        name: name, dtype: tensor.dtype.safetensorsName, shape: tensor.shape.array, bytes: try tensor.bytes())
    }
    try SafetensorsWriter.write(written, metadata: [SavedRun.key: text], to: "\(folder)/\(SavedRun.stateFile)")
  }

  private static func named(_ callbacks: [any Callback]) -> [(String, any Callback)] {
    var counts: [String: Int] = [:]
    return callbacks.map { callback in
      let name = callback.name
      defer { counts[name, default: 0] += 1 }
      return ("\(name).\(counts[name, default: 0])", callback)
    }
  }

  // MARK: Reading

  init(readFrom folder: String) throws {
    self.folder = folder
    let file = try SafetensorsFile.read("\(folder)/\(SavedRun.stateFile)")
    guard let text = file.metadata[SavedRun.key] else {
      throw FormatError(path: file.path, problem: "it holds no training run", remedy: "Name a run's own folder")
    }
    do {
      state = try JSONDecoder().decode(State.self, from: Data(text.utf8))
    } catch {
      throw FormatError(
        path: file.path, problem: "what it says of its run cannot be read", remedy: "Use an earlier checkpoint")
    }
    guard state.version == State.knownVersion else {
      throw FormatError(
        path: file.path, problem: "it is of version \(state.version), which this program does not know",
        remedy: "Go on with the version that wrote it")
    }
    tensors = [:]
    for entry in file.tensors {
      guard let dtype = DType(safetensorsName: entry.dtype) else { continue }
      tensors[entry.name] = try file.bytes(of: entry).withUnsafeBytes {
        Tensor(bytes: $0, shape: Shape(entry.shape), dtype: dtype)
      }
    }
  }

  /// Gives the model its weights and the optimizers what they remember. Nothing changes unless all of it fits.
  func restore(_ model: any Module, _ optimizers: [String: any Optimizer]) throws {
    guard Set(state.optimizers) == Set(optimizers.keys) else {
      throw TrainingError(
        problem: "the checkpoint is of the optimizers \(state.optimizers), not \(optimizers.keys.sorted())",
        remedy: "Make the trainer as it was made then")
    }
    // The model first: an optimizer's slots are of its shapes.
    let before = model.namedParameters.filter { $0.parameter.shape != nil }.map { ($0.parameter, $0.parameter.value) }
    try model.load("\(folder)/\(SavedRun.modelFile)")
    do {
      for name in state.optimizers {
        try optimizers[name]?.restore(tensors(under: "optimizer/\(name)/"), to: model)
      }
    } catch {
      for (parameter, value) in before { parameter.value = value }
      throw error
    }
  }

  private func tensors(under prefix: String) -> [String: Tensor] {
    var found: [String: Tensor] = [:]
    for (name, tensor) in tensors where name.hasPrefix(prefix) { found[String(name.dropFirst(prefix.count))] = tensor }
    return found
  }

  /// The sums of the epoch that was under way.
  func sums(_ metrics: [Metric]) -> RunningSums {
    .restored(metrics, from: tensors(under: "sum/"), names: state.sums, examples: state.examples)
  }

  /// What is not as it was then, and harmless.
  ///
  /// - Throws: ``TrainingError`` where it makes another run.
  func differences(seed: UInt64, _ plan: RunPlan, _ makePlan: () -> RunPlan) throws -> [String] {
    guard state.seed == seed else {
      throw TrainingError(
        problem: "the run was begun with seed \(state.seed), not \(seed)",
        remedy: "Pass that seed to go on with it, or another folder to begin anew")
    }
    return try state.plan?.differences(from: plan) { makePlan().firstBatch } ?? []
  }

  /// Gives the callbacks of `run` what they remember.
  func restore(_ run: TrainingRun) throws {
    run.learningRateFactor = state.learningRateFactor
    let callbacks = SavedRun.named(run.callbacks)
    for name in Set(state.callbacks.keys).subtracting(callbacks.map(\.0)).sorted() {
      run.warn("what \(name) remembered in the checkpoint is lost: this run has no such callback.")
    }
    for (name, callback) in callbacks {
      guard let values = state.callbacks[name] else { continue }
      try callback.restore(CallbackState(values: values, tensors: tensors(under: "callback/\(name)/")))
    }
  }
}
