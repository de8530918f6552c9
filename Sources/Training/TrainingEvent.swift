import CajalEngine
import Foundation

/// What happens in a training run, for whoever shows or stores it. One stream; progress lines and
/// JSON are its readers.
public enum TrainingEvent: Sendable {
  /// The version of this stream's form.
  public static let version = 1

  case started(epochs: Int, steps: Int, examples: Int)
  /// After some of the steps: about ten a second.
  case progress(epoch: Int, step: Int, steps: Int, loss: Float, examplesPerSecond: Double)
  case epochFinished(EpochReport)
  case finished(TrainingReport)
}

/// One pass over the training data.
public struct EpochReport: Sendable {
  public let epoch: Int
  public let epochs: Int
  /// The mean over the epoch's steps.
  public let loss: Float
  /// The fraction of the validation part that was right, if there is one.
  public let validationAccuracy: Double?
  /// Of training alone.
  public let seconds: Double
}

/// A whole run.
public struct TrainingReport: Sendable {
  public let epochs: Int
  public let steps: Int
  /// Of training alone: without loading and evaluation.
  public let seconds: Double
  /// What the engine did in the steps.
  public let stepCounters: EngineCounters
  /// Whether somebody asked for the end before it.
  public let wasStopped: Bool
}

/// Why a run ended before its time.
public struct TrainingError: Error, CustomStringConvertible, Sendable {
  public let problem: String
  public let remedy: String
  public var description: String { "\(problem). \(remedy)." }
}
