import CajalBase
import CajalData
import CajalFormats
import CajalLosses
import CajalMetrics
import CajalNN
import CajalTensor

/// A network and how rows of a table become its numbers: from rows to what is said of them.
///
/// A model file holds all of it, so that nothing else is needed to predict:
///
/// ```swift
/// let predictor = try TablePredictor.load("iris.safetensors")
/// for prediction in try predictor.predict(Table(contentsOf: "flowers.csv")) { print(prediction.text) }
/// ```
public struct TablePredictor: Sendable {
  public let model: Sequential
  public let preprocessing: Preprocessing

  /// - Parameter model: from `[N, preprocessing.width]` to `[N, outputs]`: one score for two classes, one a class for
  ///   more, the standardised number for a number.
  public init(model: Sequential, preprocessing: Preprocessing) {
    self.model = model
    self.preprocessing = preprocessing
  }

  /// What the network gives for a row: as the textbooks have it, one unit for two classes or for a number, one a class
  /// for more.
  public static func outputs(for preprocessing: Preprocessing) -> Int {
    let classes = preprocessing.target.classes?.count ?? 1
    return classes == 2 ? 1 : classes
  }

  // MARK: Files

  public var metadata: [String: String] {
    get throws { ["cajal.task": "table", Preprocessing.metadataKey: try preprocessing.json()] }
  }

  public func save(_ path: String) throws { try model.save(path, metadata: metadata) }

  public static func load(_ path: String) throws -> TablePredictor {
    let file = try SafetensorsFile.read(path)
    guard let text = file.metadata[Preprocessing.metadataKey] else {
      throw FormatError(
        path: path, problem: "it does not say how rows of a table become its numbers",
        remedy: "Use a model that was trained on a table")
    }
    let preprocessing = try Preprocessing(json: text, path: path)
    let model = try Sequential.load(path)
    let inputs = model.layers.lazy.compactMap { $0 as? Dense }.first?.kernel.shape?[0]
    let outputs = model.layers.lazy.compactMap { $0 as? Dense }.last?.units
    guard inputs ?? preprocessing.width == preprocessing.width,
      outputs ?? TablePredictor.outputs(for: preprocessing) == TablePredictor.outputs(for: preprocessing)
    else {
      throw FormatError(
        path: path, problem: "its network does not fit its preprocessing", remedy: "Train and save the model again")
    }
    return TablePredictor(model: model, preprocessing: preprocessing)
  }

  // MARK: Learning

  private var classes: Int? { preprocessing.target.classes?.count }

  /// What fits the output layer: binary or softmax cross-entropy, or the mean squared error.
  public var loss: Loss {
    switch classes {
    case nil: .meanSquaredError
    case 2: .binaryCrossEntropy
    default: .softmaxCrossEntropy
    }
  }

  /// What tells people how learning goes: accuracy, or R².
  public var metrics: [Metric] {
    switch classes {
    case nil: [.r2]
    case 2: [.binaryAccuracy]
    default: [.accuracy]
    }
  }

  // MARK: Predicting

  /// What is said of a row.
  public enum Prediction: Sendable, Hashable {
    /// A class and the probabilities of all.
    case label(String, probabilities: [Double])
    case number(Double)

    public var text: String {
      switch self {
      case .label(let label, _): label
      case .number(let number): "\(number)"
      }
    }
  }

  /// Says something of each row; the target's column may be missing.
  public func predict(_ table: Table) throws -> [Prediction] {
    let outputs = try checked(model.predict(preprocessing.transform(table)), table.count)
    guard let labels = preprocessing.target.labels else {
      return try preprocessing.inverse(outputs).scalars(Double.self).map { .number(preprocessing.rounded($0)) }
    }
    if labels.count == 2 {
      return try outputs.sigmoid().scalars(Float.self).map { chance in
        .label(labels[chance > 0.5 ? 1 : 0], probabilities: [1 - Double(chance), Double(chance)])
      }
    }
    let chances = try outputs.softmax().scalars(Float.self).map(Double.init)
    return stride(from: 0, to: chances.count, by: labels.count).map { start in
      let row = Array(chances[start..<start + labels.count])
      let best = row.indices.max { row[$0] < row[$1] } ?? 0
      return .label(labels[best], probabilities: row)
    }
  }

  /// The network's outputs, which must be as many as its preprocessing says: a file may hold anything.
  private func checked(_ outputs: Tensor, _ rows: Int) throws -> Tensor {
    let expected: Shape = [rows, TablePredictor.outputs(for: preprocessing)]
    if outputs.shape == expected { return outputs }
    throw FormatError(
      path: "model", problem: "its network gives \(outputs.shape) where \(expected) are expected",
      remedy: "Train and save the model again")
  }

  /// How good the predictions for `data` are: `accuracy`, and `auc` of two classes; or `r2`, and `rmse` and `mae` in the
  /// table's own measure.
  public func evaluate(_ data: LabeledData) throws -> Measures {
    let outputs = try checked(model.predict(data.inputs), data.count)
    var measures = Measures()
    if let classes {
      measures["accuracy"] = try metrics[0](outputs, data.targets)
      if classes == 2 { measures["auc"] = try Metric.auc(outputs, data.targets) }
      return measures
    }
    let (said, right) = (preprocessing.inverse(outputs), preprocessing.inverse(data.targets))
    for metric in [Metric.r2, .rmse, .mae] { measures[metric.name] = try metric(said, right) }
    return measures
  }
}
