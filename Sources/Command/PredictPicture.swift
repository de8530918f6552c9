import Cajal
import CajalFormats
import Foundation

// What a network says of one picture.

extension Predict {
  /// A PNG or JPEG file by its first bytes.
  func isPicture(_ path: String) throws -> Bool {
    guard let file = FileHandle(forReadingAtPath: path), let first = try file.read(upToCount: 4) else { return false }
    return Image.Format(first) != nil
  }

  func predictPicture(_ path: String) throws {
    let network = try PictureModel(model)
    let image = try Image.read(path)
    let chances = try network.chances(of: inverted ? image.inverted : image)
    let best = chances.indices.sorted { chances[$0] > chances[$1] }.prefix(5)
    let lines = best.map { index in
      let chance = Double(chances[index])
      return machine.json
        ? JSON.object([("prediction", .text(network.label(index))), ("probability", .number(chance))]).text
        : CSV.field(network.label(index)) + "," + String(format: "%.4f", chance)
    }
    try write((machine.json ? [] : ["predicted,probability"]) + lines)
  }
}

/// A network for pictures, and what its file says of them.
struct PictureModel {
  /// The metadata's key of an example's extents, such as `28 28` or `32 32 3`.
  static let exampleKey = "cajal.example"
  /// That of the classes' names, between commas.
  static let labelsKey = "cajal.labels"

  /// That of the catalogue's name of the data.
  static let datasetKey = "cajal.dataset"

  private let path: String
  private let network: any DescribedLayer
  private let example: [Int]
  private let labels: [String]?

  init(_ path: String) throws {
    let metadata = try WeightFile.read(path).metadata
    guard let example = Self.example(metadata), example.count == 2 || example[2] <= 4 else {
      throw FormatError(
        path: path, problem: "it does not say what pictures its network looks at",
        remedy: "Use a model that `cajal train --save` made of pictures")
    }
    self.path = path
    self.example = example
    network = try Architecture.load(path)
    // Models that were saved without the names have that of the data.
    let known = ["cifar10": CIFAR10.labels, "cifar100": CIFAR100.labels]
    labels =
      metadata[Self.labelsKey]?.split(separator: ",").map(String.init)
      ?? metadata[Self.datasetKey].flatMap { known[$0] }
  }

  /// The extents of an example, `[H, W]` or `[H, W, C]`, where a file says them.
  private static func example(_ metadata: [String: String]) -> [Int]? {
    let extents = metadata[exampleKey]?.split(separator: " ").compactMap { Int($0) } ?? []
    return 2...3 ~= extents.count && extents.allSatisfy { 1...1 << 14 ~= $0 } ? extents : nil
  }

  /// How many numbers an example has, as the network's file says; as its first neurons do, where it does not.
  static func inputs(of network: Sequential, _ metadata: [String: String]) -> Int? {
    example(metadata)?.reduce(1, *) ?? network.sizes.first
  }

  /// The probability of each class.
  func chances(of image: Image) throws -> [Float] {
    let channels = example.count == 2 ? 1 : example[2]
    let sized = (channels < 3 ? image.gray : image.rgb).resized(width: example[1], height: example[0], .bilinear)
    guard sized.channels == channels else {
      throw FormatError(
        path: path, problem: "its network looks at pictures of \(channels) channels, which are not read",
        remedy: "Use a network for grey pictures or colours")
    }
    let x = sized.tensor.reshaped(to: Shape([1] + example)) / 255
    let scores = try network.predict(x)
    return try scores.reshaped(-1).softmax().scalars(Float.self)
  }

  func label(_ index: Int) -> String {
    labels.flatMap { $0.indices.contains(index) ? $0[index] : nil } ?? String(index)
  }
}
