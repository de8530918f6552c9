import CajalBase
import CajalFormats
import CajalTensor
import Foundation

/// Writes an event file for TensorBoard: numbers, histograms, pictures and text along the steps of a run.
///
/// ```swift
/// let board = try TensorBoardWriter(folder: "runs/1")
/// try board.add("loss", scalar: 0.25, step: 100)
/// try board.add("kernel", histogram: model.parameters[0].value, step: 100)
/// ```
/// `tensorboard --logdir runs` shows it, while it grows too: every record is written as it is added. A file is a run's
/// alone; one folder may have several, of which TensorBoard shows all.
public final class TensorBoardWriter: Sendable {
  /// The event file.
  public let path: String
  private let file: Locked<FileHandle>

  private static let count = Locked(0)

  /// Makes the folder where it does not exist, and a file in it.
  ///
  /// - Throws: ``FormatError`` where that cannot be done.
  public init(folder: String) throws {
    // A name of its own, in the form that TensorBoard looks for: events.out.tfevents.SECONDS.HOST.PROCESS.NUMBER.
    let number = TensorBoardWriter.count.withLock { count in
      count += 1
      return count
    }
    let host = ProcessInfo.processInfo.hostName.split(separator: "/").joined()
    let process = ProcessInfo.processInfo.processIdentifier
    let seconds = Int(Date().timeIntervalSince1970)
    path = "\(folder)/events.out.tfevents.\(seconds).\(host).\(process).\(number)"
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try Data().write(to: URL(fileURLWithPath: path), options: .withoutOverwriting)
      file = Locked(try FileHandle(forWritingTo: URL(fileURLWithPath: path)))
    } catch {
      throw TensorBoardWriter.failure(path, error)
    }
    try write(step: 0) { $0.add(3, string: "brain.Event:2") }
  }

  // MARK: What is shown

  /// A number on the curve `tag`. Parts of a tag before a slash group it: `train/loss`.
  public func add(_ tag: String, scalar: Double, step: Int) throws {
    try add(tag, step) { $0.add(2, float: Float(scalar)) }
  }

  /// How the elements of a tensor are spread, of any shape and dtype. NaNs and infinities are left out.
  ///
  /// - Throws: ``TensorError`` where the tensor cannot be read.
  public func add(_ tag: String, histogram tensor: Tensor, step: Int) throws {
    let histogram = Histogram(try tensor.scalars(Double.self))
    try add(tag, step) { value in value.add(5) { histogram.encode(into: &$0) } }
  }

  /// A picture.
  ///
  /// **Shapes**: `[H, W]`, or `[H, W, C]` with 1 (grey), 2 (grey and opacity), 3 (red, green, blue) or 4 channels (and
  /// opacity). dtypes: integers are 0 to 255, floats 0 to 1; what is beyond is cut off.
  ///
  /// - Throws: ``TensorError`` for other shapes and where the tensor cannot be read.
  public func add(_ tag: String, image: Tensor, step: Int) throws {
    let png = try PNG.encode(image)
    let (height, width) = (image.shape[0], image.shape[1])
    try add(tag, step) { value in
      value.add(4) { picture in
        picture.add(1, integer: height)
        picture.add(2, integer: width)
        picture.add(3, integer: image.rank == 2 ? 1 : image.shape[2])
        picture.add(4, bytes: png)
      }
    }
  }

  /// Markdown.
  public func add(_ tag: String, text: String, step: Int) throws {
    try add(tag, step) { value in
      value.add(8) { tensor in
        // DT_STRING, of shape [1].
        tensor.add(1, integer: 7)
        tensor.add(2) { shape in shape.add(2) { $0.add(1, integer: 1) } }
        tensor.add(8, string: text)
      }
      value.add(9) { metadata in metadata.add(1) { $0.add(1, string: "text") } }
    }
  }

  // MARK: Records

  /// A summary of one value.
  private func add(_ tag: String, _ step: Int, _ body: (inout ProtobufMessage) -> Void) throws {
    try write(step: step) { event in
      event.add(5) { summary in
        summary.add(1) { value in
          value.add(1, string: tag)
          body(&value)
        }
      }
    }
  }

  private func write(step: Int, _ body: (inout ProtobufMessage) -> Void) throws {
    var event = ProtobufMessage()
    event.add(1, double: Date().timeIntervalSince1970)
    event.add(2, integer: step)
    body(&event)
    let record = TensorFlowRecord.encode(event.bytes)
    try file.withLock { file in
      do { try file.write(contentsOf: record) } catch { throw TensorBoardWriter.failure(path, error) }
    }
  }

  private static func failure(_ path: String, _ error: any Error) -> FormatError {
    FormatError(
      path: path, problem: "it cannot be written (\(error.localizedDescription))",
      remedy: "Check the folder's permissions and the space on its disk, or write elsewhere")
  }
}

/// Counts of numbers in intervals of equal width, as TensorFlow's HistogramProto has them.
private struct Histogram {
  private var count = 0.0
  private var (least, greatest) = (0.0, 0.0)
  private var (sum, squares) = (0.0, 0.0)
  /// Upper limits.
  private var limits: [Double] = []
  private var counts: [Double] = []

  /// What TensorBoard's own writers take by default.
  private static let bucketCount = 30

  init(_ numbers: [Double]) {
    let finite = numbers.filter(\.isFinite)
    guard let low = finite.min(), let high = finite.max() else { return }
    (count, least, greatest) = (Double(finite.count), low, high)
    for number in finite {
      sum += number
      squares += number * number
    }
    let buckets = low < high ? Histogram.bucketCount : 1
    let width = high / Double(buckets) - low / Double(buckets)
    limits = (1...buckets).map { $0 == buckets ? high : low + width * Double($0) }
    counts = [Double](repeating: 0, count: buckets)
    for number in finite {
      let position = width > 0 ? (number / width - low / width).rounded(.down) : 0
      counts[min(buckets - 1, max(0, Int(position)))] += 1
    }
  }

  func encode(into message: inout ProtobufMessage) {
    for (field, number) in [least, greatest, count, sum, squares].enumerated() {
      message.add(field + 1, double: number)
    }
    message.add(6, doubles: limits)
    message.add(7, doubles: counts)
  }
}
