import CajalNN

/// Shows a run in TensorBoard: the curves of its measures (`loss/train`, `loss/validation`, and within an epoch
/// `loss/step`), the learning rate, and after each epoch how the weights are spread
/// and how long the gradients of the last step were. See ``TensorBoardWriter``.
///
/// Steps are those of the run. What cannot be written is told, once, and training goes on.
public final class TensorBoardLog: Callback {
  private let folder: String
  private let hasHistograms: Bool
  private var writer: TensorBoardWriter?
  private var hasFailed = false

  /// - Parameter histograms: of weights, which are read for it.
  public init(_ folder: String, histograms: Bool = true) {
    self.folder = folder
    hasHistograms = histograms
  }

  public func on(_ event: TrainingEvent, in run: TrainingRun) throws {
    if hasFailed { return }
    do {
      switch event {
      case .progress(let report):
        for (name, value) in report.measures { try board().add("\(name)/step", scalar: value, step: run.totalSteps) }
      case .epochFinished(let report): try write(report, run)
      case .warning(let text): try board().add("warnings", text: text, step: run.totalSteps)
      case .started: run.watchesGradients = true
      case .stepFinished, .finished: break
      }
    } catch {
      hasFailed = true
      run.warn("TensorBoard's file was not written: \(error) Training goes on without.")
    }
  }

  private func write(_ report: EpochReport, _ run: TrainingRun) throws {
    let board = try board()
    for (path, norm) in run.gradientNorms {
      try board.add("gradients/\(path)", scalar: Double(norm.item(as: Float.self)), step: run.totalSteps)
    }
    for (name, value) in report.measures {
      let isValidation = name.hasPrefix("val_")
      let tag = isValidation ? "\(name.dropFirst(4))/validation" : "\(name)/train"
      try board.add(tag, scalar: value, step: run.totalSteps)
    }
    try board.add("learning_rate", scalar: report.learningRate, step: run.totalSteps)
    for (path, parameter) in run.model.namedParameters where hasHistograms {
      try board.add("weights/\(path)", histogram: parameter.value, step: run.totalSteps)
    }
  }

  private func board() throws -> TensorBoardWriter {
    let board = try writer ?? TensorBoardWriter(folder: folder)
    writer = board
    return board
  }
}

extension Callback where Self == TensorBoardLog {
  /// See ``TensorBoardLog``.
  public static func tensorBoard(_ folder: String, histograms: Bool = true) -> TensorBoardLog {
    TensorBoardLog(folder, histograms: histograms)
  }
}
