import CajalBase
import CajalFormats
import CajalTensor

/// Colour pictures of 32×32 in ten classes (Krizhevsky 2009).
public enum CIFAR10 {
  public static let labels = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
  ]

  private static let side = 32
  private static let pixels = side * side

  /// Reads the archive of the binary version.
  static func read(archive path: String) throws -> ImageDataset {
    var parts: [String: [UInt8]] = [:]
    try TarArchive.forEachFile(in: path, withSuffix: ".bin") { name, bytes in
      parts[name.split(separator: "/").last.map(String.init) ?? name] = bytes
    }
    let names = (1...5).map { "data_batch_\($0).bin" }
    guard let test = parts["test_batch.bin"], names.allSatisfy({ parts[$0] != nil }) else {
      throw FormatError(
        path: path, problem: "it lacks one of \((names + ["test_batch.bin"]).joined(separator: ", "))",
        remedy: "Download it again")
    }
    return ImageDataset(
      name: "cifar10", train: try data(names.flatMap { parts[$0] ?? [] }, path), test: try data(test, path))
  }

  /// Pictures of records: a byte of the label, and a plane each of red, green and blue.
  ///
  /// **Shapes**: `[N, 32, 32, 3]`, uint8.
  static func data(_ records: [UInt8], _ path: String) throws -> LabeledData {
    let size = 1 + 3 * pixels
    guard !records.isEmpty, records.count % size == 0 else {
      throw FormatError(
        path: path, problem: "\(records.count) bytes are no records of \(size)", remedy: "Download it again")
    }
    let count = records.count / size
    let labels = (0..<count).map { Int32(records[$0 * size]) }
    if let place = labels.firstIndex(where: { $0 >= 10 }) {
      throw FormatError(
        path: path, problem: "label \(labels[place]) at position \(place) is outside 0..<10",
        remedy: "Download it again")
    }
    let pictures = [UInt8](unsafeUninitializedCapacity: count * 3 * pixels) { target, initialized in
      records.withUnsafeBufferPointer { source in
        for picture in 0..<count {
          let (from, to) = (picture * size + 1, picture * 3 * pixels)
          for pixel in 0..<pixels {
            for channel in 0..<3 { target[to + 3 * pixel + channel] = source[from + channel * pixels + pixel] }
          }
        }
      }
      initialized = count * 3 * pixels
    }
    let inputs = pictures.withUnsafeBytes { Tensor(bytes: $0, shape: [count, side, side, 3], dtype: .uint8) }
    return LabeledData(inputs: inputs, labels: Tensor(labels), classes: 10)
  }
}
