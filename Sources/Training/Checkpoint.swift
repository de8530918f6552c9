import CajalFormats
import Foundation

/// Writes a run down, so that it can go on after whatever happens: the power goes, the process is killed, the disk
/// is full for a while (then it warns, and training goes on).
///
/// A checkpoint is a folder `step-00000042` with `model.safetensors` and all that the run needs besides. It has its
/// name only when it is whole.
///
/// ```swift
/// try trainer.fit(data.train, epochs: 20, callbacks: [.checkpoint("runs/mnist", resumes: true)])
/// ```
public final class Checkpoint: Callback {
  public let folder: String
  /// Whether a run goes on with what the folder holds; otherwise it must hold none.
  public let resumes: Bool
  private let everySteps: Int?
  private let everySeconds: Double?
  private let keeps: Int
  private let metadata: [String: String]
  private var lastWritten: Int?
  private var lastTime = ContinuousClock.now

  /// - Parameters:
  ///   - everySteps, everySeconds: also in the middle of epochs.
  ///   - keeps: so many of the newest; older ones are removed.
  ///   - metadata: for the model file, as `Module.save` takes it.
  public init(
    _ folder: String, resumes: Bool = false, everySteps: Int? = nil, everySeconds: Double? = nil, keeps: Int = 2,
    metadata: [String: String] = [:]
  ) {
    self.folder = folder
    self.resumes = resumes
    self.everySteps = everySteps
    self.everySeconds = everySeconds
    self.keeps = max(1, keeps)
    self.metadata = metadata
  }

  public func on(_ event: TrainingEvent, in run: TrainingRun) throws {
    switch event {
    case .started: try begin(run)
    case .stepFinished(let report):
      let isDue = everySteps.map { report.totalSteps % $0 == 0 } ?? false
      let isLate = everySeconds.map { lastTime.duration(to: .now).seconds >= $0 } ?? false
      if isDue || isLate { write(run) }
    case .epochFinished, .finished: write(run)
    case .progress, .warning: break
    }
  }

  private func begin(_ run: TrainingRun) throws {
    lastWritten = nil
    try AtomicFolder.create(folder)
    AtomicFolder.removeUnfinished(in: folder)
    if run.totalSteps == 0, let name = CheckpointFolder(folder).latest {
      throw TrainingError(
        problem: "\(folder) holds \(name), of an earlier run",
        remedy: "Go on with that run (resumes: true), or name another folder")
    }
    lastTime = .now
  }

  /// A checkpoint that cannot be written is told, and ends nothing.
  private func write(_ run: TrainingRun) {
    lastTime = .now
    guard lastWritten != run.totalSteps || run.stepInEpoch == 0 else { return }
    // Weights that have diverged are nothing to go on with, and would push out those that are.
    if let loss = (try? run.sums.measures())?["loss"], !loss.isFinite { return }
    do {
      try CheckpointFolder(folder).write(run, metadata: metadata, keeps: keeps)
      lastWritten = run.totalSteps
    } catch {
      run.warn("no checkpoint was written: \(error) Training goes on.")
    }
  }
}

extension Callback where Self == Checkpoint {
  /// See ``Checkpoint``.
  public static func checkpoint(
    _ folder: String, resumes: Bool = false, everySteps: Int? = nil, everySeconds: Double? = nil, keeps: Int = 2,
    metadata: [String: String] = [:]
  ) -> Checkpoint {
    Checkpoint(
      folder, resumes: resumes, everySteps: everySteps, everySeconds: everySeconds, keeps: keeps, metadata: metadata)
  }
}

/// A folder of checkpoints.
struct CheckpointFolder {
  private let path: String
  private static let prefix = "step-"

  init(_ path: String) { self.path = path }

  /// Their names, the newest last.
  private var names: [String] {
    AtomicFolder.names(in: path).filter { CheckpointFolder.rank(of: $0) != nil }
      .sorted { (CheckpointFolder.rank(of: $0) ?? (0, 0)) < (CheckpointFolder.rank(of: $1) ?? (0, 0)) }
  }

  var latest: String? { names.last }

  /// The steps done, and the epochs: an epoch may end without a step.
  private static func rank(of name: String) -> (Int, Int)? {
    guard name.hasPrefix(prefix) else { return nil }
    let numbers = name.dropFirst(prefix.count).split(separator: "-", omittingEmptySubsequences: false)
    guard numbers.count == 2, let steps = Int(numbers[0]), let epochs = Int(numbers[1]) else { return nil }
    return (steps, epochs)
  }

  /// Writes what `run` is now, and removes what is too old then.
  func write(_ run: TrainingRun, metadata: [String: String], keeps: Int) throws {
    let epochs = run.history.epochs.count
    let name = CheckpointFolder.prefix + String(format: "%08d-%d", run.totalSteps, epochs)
    let known = names
    // What is there is the same, bit for bit: a resumed run went this way again.
    if !known.contains(name) {
      try AtomicFolder.write(name, in: path) { folder in
        try SavedRun(run, in: folder).write(run.model, metadata: metadata)
      }
    }
    for old in names.dropLast(keeps) { try AtomicFolder.remove(old, in: path) }
  }

  func load() throws -> SavedRun {
    guard let latest else {
      throw FormatError(path: path, problem: "it holds no checkpoint", remedy: "Name a folder that a run wrote them to")
    }
    return try SavedRun(readFrom: path + "/" + latest)
  }
}
