import CajalEngine
import CajalTensor

/// What happens in a training run, for whoever shows or stores it. One stream: progress lines, JSON, history files,
/// TensorBoard are its readers.
public enum TrainingEvent: Sendable {
  /// The version of this stream's form.
  public static let version = 2

  case started(StartReport)
  case stepFinished(StepReport)
  /// After some of the steps: about ten a second.
  case progress(ProgressReport)
  case epochFinished(EpochReport)
  /// Something that does not end the run, in a sentence or two.
  case warning(String)
  case finished(TrainingReport)
}

/// How a run begins.
public struct StartReport: Sendable {
  /// Passes over the training data, of which some may have been made before a resume.
  public let epochs: Int
  public let epochsDone: Int
  /// Steps in an epoch, where that is known.
  public let steps: Int?
}

/// One step, which may still be running: reading `loss` waits for it.
public struct StepReport: Sendable {
  public let epoch: Int
  /// From 1 in each epoch.
  public let step: Int
  /// From 1 in the whole run.
  public let totalSteps: Int
  public let loss: Tensor
  public let learningRate: Double
}

/// How far an epoch is.
public struct ProgressReport: Sendable {
  public let epoch: Int
  public let epochs: Int
  public let step: Int
  public let steps: Int?
  /// The loss and the metrics over the epoch so far.
  public let measures: Measures
  public let examplesPerSecond: Double
  /// The share of the epoch's time in which no batch was there.
  public let waitShare: Double
  /// Until the epoch's end, where its steps are known.
  public let secondsLeft: Double?
}

/// One pass over the training data.
public struct EpochReport: Sendable, Codable {
  public let epoch: Int
  public let epochs: Int
  /// `loss` and the metrics, means over the epoch's examples while the model learned; behind them those of the
  /// validation part, with `val_` before their names.
  public let measures: Measures
  /// As the epoch ended.
  public let learningRate: Double
  /// Of training alone.
  public let seconds: Double
  /// Of these, without a batch to work on.
  public let waitSeconds: Double
  public let examples: Int

  /// The mean over the epoch's examples.
  public var loss: Double { measures["loss"] ?? .nan }
  public subscript(name: String) -> Double? { measures[name] }
}

/// A whole run.
public struct TrainingReport: Sendable {
  public let epochs: Int
  public let steps: Int
  /// Of training alone: without loading and validation.
  public let seconds: Double
  /// What the engine did in the steps.
  public let stepCounters: EngineCounters
  /// Why the run ended before its time; `nil` if it did not.
  public let stopReason: String?
  public var wasStopped: Bool { stopReason != nil }
}

/// Why a run ended before its time.
public struct TrainingError: Error, CustomStringConvertible, Sendable {
  public let problem: String
  public let remedy: String
  public var description: String { "\(problem). \(remedy)." }

  public init(problem: String, remedy: String) {
    self.problem = problem
    self.remedy = remedy
  }
}
