import CajalFormats
import CajalNN
import CajalTensor
import Foundation

/// Keeps how weights and gradients grow or die, layer by layer, in a CSV file: of each parameter after each epoch the
/// mean, the standard deviation and the length of its weights, the length of its last gradient, and the ratio of the
/// two lengths. Gradients that vanish or explode show here first.
public final class Statistics: Callback {
  private static let header = "epoch,parameter,mean,deviation,norm,gradient_norm,gradient_share\n"
  private let path: String
  private var text = Statistics.header

  public init(_ path: String) { self.path = path }

  public func on(_ event: TrainingEvent, in run: TrainingRun) throws {
    switch event {
    case .started:
      if run.totalSteps == 0 { text = Statistics.header }
      run.watchesGradients = true
    case .epochFinished(let report):
      for (path, parameter) in run.model.namedParameters { text += try line(report.epoch, path, parameter, run) }
      do {
        try AtomicFile.write(to: path) { try $0.write(Array(text.utf8)) }
      } catch {
        run.warn("the statistics were not written: \(error) Training goes on.")
      }
    default: break
    }
  }

  private func line(_ epoch: Int, _ path: String, _ parameter: Parameter, _ run: TrainingRun) throws -> String {
    let weights = parameter.value.cast(to: .float32)
    let mean = weights.mean()
    let parts = [mean, (weights - mean).squared().mean().sqrt(), weights.squared().sum().sqrt()]
    var numbers = try parts.map { try $0.item(as: Float.self) }
    if let norm = try run.gradientNorms[path]?.item(as: Float.self) {
      numbers += [norm, norm / max(numbers[2], 1e-12)]
    }
    let fields = numbers.map { $0.isFinite ? "\($0)" : "" }
    return ([String(epoch), path] + fields + Array(repeating: "", count: 5 - fields.count)).joined(separator: ",")
      + "\n"
  }

  public func savedState() throws -> CallbackState? { try CallbackState([text]) }
  public func restore(_ state: CallbackState) throws { text = try state.decode([String].self).first ?? text }
}

extension Callback where Self == Statistics {
  /// See ``Statistics``.
  public static func statistics(_ path: String) -> Statistics { Statistics(path) }
}
