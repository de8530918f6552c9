import ArgumentParser
import Cajal
import CajalFormats
import Foundation

struct Predict: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Let a trained network say something of new examples.",
    discussion: """
      A table gets one column more, or two: what is predicted, and of classes how sure the network is. The model file \
      knows how rows become numbers; a table needs its columns, by name, in any order. Pictures are an idx file, or one \
      PNG or JPEG, which is brought to the network's size.

      EXAMPLES
        cajal predict iris.safetensors flowers.csv --out predicted.csv
        cajal predict iris.safetensors --set sepal_length=5.1 --set petal_width=0.2
        cajal predict digits.safetensors t10k-images-idx3-ubyte.gz
        cajal predict digits.safetensors scanned.png --inverted
      """)

  @Argument(help: "A file that `cajal train --save` wrote.", completion: .file(extensions: ["safetensors"]))
  var model: String

  @Argument(
    help: "A table (CSV or JSON lines; or a name of `cajal data`), an idx file of pictures (.gz or not), or a picture.",
    completion: .file())
  var data: String?

  @Option(help: "A column's value, as NAME=VALUE, for one row without a file; columns not set are missing.")
  var set: [String] = []

  @Flag(help: "Exchange bright and dark of pictures: MNIST's digits are white on black.")
  var inverted = false

  @Option(help: "Write CSV to this file instead of standard output.")
  var out: String?

  @Flag(inversion: .prefixedNo, help: "Whether a table's first row names the columns; seen from the rows otherwise.")
  var header: Bool?

  @OptionGroup var machine: MachineOptions

  func validate() throws {
    if (data == nil) == set.isEmpty {
      throw ValidationError("Name a file of examples, or one example by --set NAME=VALUE, once a column.")
    }
    if let out { try checkWritable(out, option: "--out") }
    if let wrong = set.first(where: { !$0.contains("=") }) {
      throw ValidationError("--set \(wrong) has no value. Write it as NAME=VALUE.")
    }
  }

  func run() async throws {
    try machine.run {
      if set.isEmpty, let data, try isPicture(data) { return try predictPicture(data) }
      if set.isEmpty, let data, try isPictures(data) { return try predictPictures(data) }
      if inverted {
        throw ValidationError(
          "--inverted is about pictures, and rows of a table have no bright and dark. Leave it out.")
      }
      let predictor = try TablePredictor.load(model)
      let source = try data.map { try TableSource($0, header: header, Output(isJSON: machine.json)) }
      let table = try source.map { $0.test ?? $0.train } ?? row(predictor)
      let predictions = try predictor.predict(table)
      try machine.json ? writeJSON(predictions) : writeTable(table, predictor, predictions)
    }
  }

  /// A table of the columns that were set.
  private func row(_ predictor: TablePredictor) throws -> Table {
    let pairs = set.map { $0.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init) }
    let columns = predictor.preprocessing.features.map(\.column)
    if let stranger = pairs.first(where: { !columns.contains($0[0]) }) {
      throw FormatError(
        path: model, problem: "its network does not look at a column \"\(stranger[0])\"",
        remedy: "Set some of: \(columns.joined(separator: ", "))")
    }
    let values = Dictionary(pairs.map { ($0[0], $0[1]) }) { $1 }
    return try Table(names: columns, rows: [columns.map { values[$0] ?? "" }])
  }

  // MARK: Writing

  private func writeJSON(_ predictions: [TablePredictor.Prediction]) throws {
    let lines = predictions.map { prediction -> String in
      switch prediction {
      case .number(let number): JSON.object([("prediction", .number(number))]).text
      case .label(let label, let chances):
        JSON.object([("prediction", .text(label)), ("probabilities", .array(chances.map(JSON.number)))]).text
      }
    }
    try write(lines)
  }

  private func writeTable(
    _ table: Table, _ predictor: TablePredictor, _ predictions: [TablePredictor.Prediction]
  ) throws {
    let isSure = predictor.preprocessing.target.labels != nil
    let added = ["predicted \(predictor.preprocessing.target.column)"] + (isSure ? ["probability"] : [])
    var lines = [(table.names + added).map(CSV.field).joined(separator: ",")]
    for (row, prediction) in predictions.enumerated() {
      var fields = table.names.indices.map { table.text(row, $0) } + [prediction.text]
      if case .label(_, let chances) = prediction { fields.append(String(format: "%.4f", chances.max() ?? 0)) }
      lines.append(fields.map(CSV.field).joined(separator: ","))
    }
    try write(lines)
  }

  func write(_ lines: [String]) throws {
    let text = lines.joined(separator: "\n") + "\n"
    if let out {
      try AtomicFile.write(to: out) { try $0.write(Array(text.utf8)) }
    } else {
      do { try FileHandle.standardOutput.write(contentsOf: Data(text.utf8)) } catch { throw OutputError() }
    }
  }

  // MARK: Pictures

  /// An idx file begins with two zeros, which no text does; packed, its name tells.
  private func isPictures(_ path: String) throws -> Bool {
    guard let file = FileHandle(forReadingAtPath: path), let first = try file.read(upToCount: 2) else { return false }
    if Array(first) == [0x1F, 0x8B] { return URL(fileURLWithPath: path).lastPathComponent.contains("idx") }
    return Array(first) == [0, 0]
  }

  private func predictPictures(_ path: String) throws {
    let network = try Sequential.load(model)
    let taken = try PictureModel.inputs(of: network, SafetensorsFile.read(model).metadata)
    let pictures = try IdxFile.read(path)
    let shape = Shape(pictures.shape)
    guard pictures.elementType == .uint8, shape.rank > 1, taken == shape.suffix(from: 1).count else {
      throw FormatError(
        path: path,
        problem: "it holds \(pictures.elementType) of shape \(shape); the network takes "
          + "\(taken ?? 0) bytes an example", remedy: "Use pictures like those it was trained on")
    }
    let inputs = pictures.bytes.withUnsafeBytes { Tensor(bytes: $0, shape: shape, dtype: .uint8) }
    let brightness = inputs / 255
    let chances = try network.predict(
      inverted ? 1 - brightness : brightness, batchSize: PictureTraining.testBatchSize
    ).softmax()
    let (best, sure) = (try chances.argmax(axis: -1).scalars(Int.self), try chances.max(axis: -1).scalars(Float.self))
    let lines = zip(best, sure).enumerated().map { index, said in
      machine.json
        ? JSON.object([("prediction", .integer(said.0)), ("probability", .number(Double(said.1)))]).text
        : "\(index),\(said.0)," + String(format: "%.4f", said.1)
    }
    try write((machine.json ? [] : ["picture,predicted,probability"]) + lines)
  }
}

/// Writing CSV.
enum CSV {
  /// A field, quoted where it must be (RFC 4180).
  static func field(_ text: String) -> String {
    guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
    return "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\""
  }
}
