import CajalBase
import CajalFormats
import CajalTensor
import Foundation

/// Labelled pictures with a part to train on and a part to test with.
public struct ImageDataset: Sendable {
  public let name: String
  public let train: LabeledData
  public let test: LabeledData
  /// The classes' names, where the data has some.
  public var labels: [String]?
  public var classes: Int { train.classes ?? 0 }

  /// Reads a folder of pictures in MNIST's form or in CIFAR-10's, as its files' names tell; MNIST's come first.
  public static func read(folder: String, classes: Int = 10) throws -> ImageDataset {
    let isIdx = path("train-images-idx3-ubyte", folder) != nil || CIFAR10.files(in: folder).isEmpty
    return try isIdx ? idx(folder: folder, classes: classes) : CIFAR10.read(folder: folder)
  }

  /// Reads a folder of four idx files named as MNIST's (`train-images-idx3-ubyte` and so on, with or
  /// without `.gz`).
  ///
  /// - Parameter classes: labels must be in 0..<classes; others are refused.
  public static func idx(folder: String, classes: Int = 10) throws -> ImageDataset {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
      throw FormatError(
        path: folder, problem: "there is no such folder",
        remedy: "Pass `mnist`, or a folder of files in MNIST's or CIFAR-10's form")
    }
    return ImageDataset(
      name: URL(fileURLWithPath: folder).lastPathComponent, train: try part("train", folder, classes),
      test: try part("t10k", folder, classes))
  }

  private static func part(_ prefix: String, _ folder: String, _ classes: Int) throws -> LabeledData {
    let images = try read("\(prefix)-images-idx3-ubyte", folder, rank: 3)
    let labels = try read("\(prefix)-labels-idx1-ubyte", folder, rank: 1)
    guard images.array.shape[0] == labels.array.shape[0] else {
      throw FormatError(
        path: labels.path, problem: "it has \(labels.array.shape[0]) labels for \(images.array.shape[0]) pictures",
        remedy: "Use files of one data set")
    }
    guard images.array.shape.allSatisfy({ $0 > 0 }) else {
      throw FormatError(path: images.path, problem: "it holds no pictures", remedy: "Use a file with at least one")
    }
    if let position = labels.array.bytes.firstIndex(where: { Int($0) >= classes }) {
      throw FormatError(
        path: labels.path,
        problem: "label \(labels.array.bytes[position]) at position \(position) is outside 0..<\(classes)",
        remedy: "Say how many classes there are with --classes, or mend the file")
    }
    let inputs = images.array.bytes.withUnsafeBytes {
      Tensor(bytes: $0, shape: Shape(images.array.shape), dtype: .uint8)
    }
    return LabeledData(inputs: inputs, labels: Tensor(labels.array.bytes.map { Int32($0) }), classes: classes)
  }

  /// Where the file lies, plain or packed; `nil` where there is none.
  private static func path(_ name: String, _ folder: String) -> String? {
    ["\(folder)/\(name)", "\(folder)/\(name).gz"].first { FileManager.default.fileExists(atPath: $0) }
  }

  private static func read(_ name: String, _ folder: String, rank: Int) throws -> (path: String, array: IdxArray) {
    guard let path = path(name, folder) else {
      throw FormatError(
        path: folder, problem: "it has no \(name) or \(name).gz", remedy: "Name the four files as MNIST's are named")
    }
    let array = try IdxFile.read(path)
    guard array.shape.count == rank, array.elementType == .uint8 else {
      throw FormatError(
        path: path, problem: "it holds \(array.elementType) of \(array.shape.count) axes",
        remedy: "It must hold bytes of \(rank) axes")
    }
    return (path, array)
  }
}
