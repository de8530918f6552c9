import CajalBase
import CajalTensor

/// A picture of 8 bits a channel: grey, grey and opacity, red-green-blue, or red-green-blue and opacity.
///
/// **Shapes**: `[H, W, C]`, uint8, as ``tensor``.
///
/// ```swift
/// let cat = try Image.read("cat.jpg").rgb.resized(shorterSide: 256).centerCropped(224)
/// try cat.write("small.png")
/// let x = cat.tensor / 255
/// ```
public struct Image: Sendable, Equatable {
  public let width: Int
  public let height: Int
  /// 1: grey; 2: grey and opacity; 3: red-green-blue; 4: these and opacity.
  public let channels: Int
  /// Row by row, pixel by pixel, channel by channel.
  public internal(set) var bytes: [UInt8]

  /// A picture of `bytes`, which must be as many as it has.
  public init(width: Int, height: Int, channels: Int, bytes: [UInt8]) throws {
    guard width > 0, height > 0, 1...4 ~= channels,
      case (let pixels, let overflow) = width.multipliedReportingOverflow(by: height), !overflow,
      pixels <= bytes.count, pixels * channels == bytes.count
    else {
      throw TensorError(
        .shape, operation: "Image", "\(bytes.count) bytes are no picture of \(width) × \(height) × \(channels)",
        remedy: "Give width × height × channels bytes, with one to four channels")
    }
    self.init(width, height, channels, bytes)
  }

  /// A picture whose bytes are known to be as many.
  init(_ width: Int, _ height: Int, _ channels: Int, _ bytes: [UInt8]) {
    (self.width, self.height, self.channels, self.bytes) = (width, height, channels, bytes)
  }

  /// A picture of one colour.
  init(_ width: Int, _ height: Int, color: [UInt8]) {
    self.init(width, height, color.count, (0..<width * height).flatMap { _ in color })
  }

  // MARK: Tensors

  /// `[H, W, C]`, uint8.
  public var tensor: Tensor {
    bytes.withUnsafeBytes { Tensor(bytes: $0, shape: [height, width, channels], dtype: .uint8) }
  }

  /// A picture of a tensor: integers 0…255, or floats 0…1; others are clipped, what is no number is black.
  ///
  /// **Shapes**: `[H, W]` or `[H, W, C]`.
  public init(_ tensor: Tensor) throws {
    if let error = tensor.error { throw error }
    let channels = tensor.rank == 2 ? 1 : tensor.rank == 3 ? tensor.shape[2] : 0
    guard 1...4 ~= channels, tensor.count > 0 else {
      throw TensorError(
        .shape, operation: "Image", operands: [TensorType(tensor.shape, tensor.dtype)], "this is no picture",
        remedy: "Pass [H, W] or [H, W, C] with one to four channels; of a batch, one after the other")
    }
    let bytes =
      tensor.dtype == .uint8
      ? try tensor.bytes()
      : try (tensor.dtype.isFloat ? tensor * 255 : tensor).scalars(Double.self)
        .map { UInt8($0.isNaN ? 0 : min(255, max(0, $0.rounded()))) }
    self.init(tensor.shape[1], tensor.shape[0], channels, bytes)
  }

  // MARK: Channels

  /// Its channels of colour, without opacity.
  var colors: Int { channels > 2 ? 3 : 1 }
  var hasOpacity: Bool { channels % 2 == 0 }

  /// The picture in red, green and blue, without opacity: a transparent pixel has the colour that it hides.
  public var rgb: Image {
    if channels == 3 { return self }
    let colors = colors
    return mapPixels(to: 3) { source, target in
      for channel in 0..<3 { target[channel] = source[colors == 3 ? channel : 0] }
    }
  }

  /// The picture in grey, without opacity: 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601), in Pillow's integers.
  public var gray: Image {
    if channels == 1 { return self }
    let colors = colors
    return mapPixels(to: 1) { source, target in
      target[0] = colors == 3 ? Image.luminance(source[0], source[1], source[2]) : source[0]
    }
  }

  private static func luminance(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> UInt8 {
    UInt8(truncatingIfNeeded: (Int(red) * 19595 + Int(green) * 38470 + Int(blue) * 7471 + 0x8000) >> 16)
  }

  /// A picture of the same size whose pixels `body` writes.
  private func mapPixels(
    to count: Int, _ body: (UnsafePointer<UInt8>, UnsafeMutablePointer<UInt8>) -> Void
  ) -> Image {
    let pixels = width * height
    let result = [UInt8](unsafeUninitializedCapacity: pixels * count) { target, initialized in
      bytes.withUnsafeBufferPointer { source in
        for pixel in 0..<pixels {
          body(source.baseAddress! + pixel * channels, target.baseAddress! + pixel * count)
        }
      }
      initialized = pixels * count
    }
    return Image(width, height, count, result)
  }
}

extension Image: CustomStringConvertible {
  public var description: String { "\(width) × \(height) picture of \(channels) channels" }
}
