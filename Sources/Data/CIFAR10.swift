import CajalBase
import CajalFormats
import CajalTensor
import Foundation

/// Colour pictures of 32×32 in ten classes (Krizhevsky 2009).
public enum CIFAR10 {
  public static let labels = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
  ]

  /// Reads files of the binary version, such as `data_batch_1.bin`, one after the other; gzip or not.
  ///
  /// **Shapes**: inputs `[N, 32, 32, 3]`, uint8.
  ///
  /// **Errors**: `FormatError` where a file is missing, no whole number of records, or has a label beyond the classes.
  public static func read(_ paths: [String]) throws -> LabeledData { try format.read(paths) }

  /// Reads a folder of such files: those with the word `test` in their names are the part to test with. The classes
  /// have the names in `batches.meta.txt`, a line each, where there is one.
  public static func read(folder: String) throws -> ImageDataset {
    let (test, train) = files(in: folder).reduce(into: ([String](), [String]())) { parts, name in
      let isTest = name.lowercased().split { !$0.isLetter }.contains("test")
      isTest ? parts.0.append("\(folder)/\(name)") : parts.1.append("\(folder)/\(name)")
    }
    guard !test.isEmpty, !train.isEmpty else {
      throw FormatError(
        path: folder, problem: "it has \(train.count) files to train on and \(test.count) to test with",
        remedy: "Put files as data_batch_1.bin and test_batch.bin there, .gz or not")
    }
    let name = URL(fileURLWithPath: folder).lastPathComponent
    let named = (try? String(contentsOfFile: "\(folder)/batches.meta.txt", encoding: .utf8))?
      .split(whereSeparator: \.isNewline).map(String.init)
    return ImageDataset(name: name, train: try read(train), test: try read(test), labels: named ?? labels)
  }

  /// The names of the files of the binary version; a file that lies there packed as well counts once.
  static func files(in folder: String) -> [String] {
    let names = Set((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
    return names.filter { name in
      name.hasSuffix(".bin") || name.hasSuffix(".bin.gz") && !names.contains(String(name.dropLast(".gz".count)))
    }.sorted()
  }

  /// Reads the archive of the binary version.
  static func read(archive path: String) throws -> ImageDataset {
    try format.read(
      archive: path, name: "cifar10", train: (1...5).map { "data_batch_\($0).bin" }, test: "test_batch.bin",
      labels: labels)
  }

  /// The pictures of records in memory.
  static func data(_ records: [UInt8], _ path: String) throws -> LabeledData { try format.data(records, path) }

  private static let format = CIFARFormat(labelBytes: 1, classes: 10)
}

/// Records of pictures: bytes of labels, the last of which counts, and a plane each of red, green and blue.
struct CIFARFormat {
  let labelBytes: Int
  let classes: Int

  private static let side = 32
  private static let pixels = side * side

  func read(_ paths: [String]) throws -> LabeledData {
    var records: [UInt8] = []
    for path in paths {
      let file = try FileReader(path)
      let isPacked = Gzip.isGzip(try file.bytes(at: 0, count: min(2, file.size)))
      let bytes = isPacked ? try Gzip.decompress(file: path) : try file.bytes(at: 0, count: file.size)
      try check(bytes, path)
      records += bytes
    }
    return try data(records, paths.joined(separator: ", "))
  }

  func read(
    archive path: String, name: String, train: [String], test: String, labels: [String]
  ) throws -> ImageDataset {
    var parts: [String: [UInt8]] = [:]
    try TarArchive.forEachFile(in: path, withSuffix: ".bin") { name, bytes in
      parts[name.split(separator: "/").last.map(String.init) ?? name] = bytes
    }
    guard let tested = parts[test], train.allSatisfy({ parts[$0] != nil }) else {
      throw FormatError(
        path: path, problem: "it lacks one of \((train + [test]).joined(separator: ", "))", remedy: "Download it again")
    }
    return ImageDataset(
      name: name, train: try data(train.flatMap { parts[$0] ?? [] }, path), test: try data(tested, path),
      labels: labels)
  }

  private func check(_ records: [UInt8], _ path: String) throws {
    let size = labelBytes + 3 * Self.pixels
    guard !records.isEmpty, records.count % size == 0 else {
      throw FormatError(
        path: path, problem: "\(records.count) bytes are no records of \(size)", remedy: "Download it again")
    }
  }

  /// **Shapes**: `[N, 32, 32, 3]`, uint8.
  func data(_ records: [UInt8], _ path: String) throws -> LabeledData {
    try check(records, path)
    let (pixels, side) = (Self.pixels, Self.side)
    let size = labelBytes + 3 * pixels
    let count = records.count / size
    let labels = (0..<count).map { Int32(records[$0 * size + labelBytes - 1]) }
    if let place = labels.firstIndex(where: { $0 >= classes }) {
      throw FormatError(
        path: path, problem: "label \(labels[place]) at position \(place) is outside 0..<\(classes)",
        remedy: "Download it again")
    }
    let pictures = [UInt8](unsafeUninitializedCapacity: count * 3 * pixels) { target, initialized in
      records.withUnsafeBufferPointer { source in
        for picture in 0..<count {
          let (from, to) = (picture * size + labelBytes, picture * 3 * pixels)
          for pixel in 0..<pixels {
            for channel in 0..<3 { target[to + 3 * pixel + channel] = source[from + channel * pixels + pixel] }
          }
        }
      }
      initialized = count * 3 * pixels
    }
    let inputs = pictures.withUnsafeBytes { Tensor(bytes: $0, shape: [count, side, side, 3], dtype: .uint8) }
    return LabeledData(inputs: inputs, labels: Tensor(labels), classes: classes)
  }
}
