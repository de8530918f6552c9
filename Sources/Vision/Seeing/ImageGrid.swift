import CajalBase
import CajalTensor

// What a network has learned and what it sees, as pictures beside each other.

extension Image {
  /// Pictures beside and below each other, each in the corner of a cell of the largest one's size.
  ///
  /// - Parameters:
  ///   - columns: about as many as rows, if `nil`.
  ///   - gap: pixels between cells.
  public static func grid(_ images: [Image], columns: Int? = nil, gap: Int = 1, fill: UInt8 = 255) -> Image {
    guard !images.isEmpty else { return Image(1, 1, color: [fill]) }
    let columns = min(images.count, max(1, columns ?? Int(Double(images.count).squareRoot().rounded(.up))))
    let rows = (images.count + columns - 1) / columns
    let (width, height) = (images.map(\.width).max()! + gap, images.map(\.height).max()! + gap)
    let isGray = images.allSatisfy { $0.colors == 1 }
    var sheet = Image(
      columns * width - gap, rows * height - gap, color: [UInt8](repeating: fill, count: isGray ? 1 : 3))
    for (index, image) in images.enumerated() {
      sheet.paste(isGray ? image.gray : image.rgb, left: index % columns * width, top: index / columns * height)
    }
    return sheet
  }

  /// Puts a picture of as many channels, which must lie within this one.
  mutating func paste(_ image: Image, left: Int, top: Int) {
    let length = image.width * channels
    for row in 0..<image.height {
      let start = ((top + row) * width + left) * channels
      bytes.replaceSubrange(start..<start + length, with: image.bytes[row * length..<(row + 1) * length])
    }
  }

  /// Each pixel as a square of so many.
  public func enlarged(_ factor: Int) -> Image { resized(width: width * factor, height: height * factor, .nearest) }

  /// A convolution's filters, one picture each: of one input channel in grey, of three in colour, of others the mean in
  /// grey. Each filter is stretched from black to white by itself, 0 staying in the middle.
  ///
  /// **Shapes**: `[KH, KW, inputs, outputs]`.
  public static func filters(_ kernel: Tensor, columns: Int? = nil, enlarged factor: Int = 8) throws -> Image {
    try checkRank(kernel, 4, "filters", "[KH, KW, inputs, outputs]")
    let shown = kernel.shape[2] == 3 ? kernel : kernel.mean(axis: 2, keepingAxes: true)
    let images = try (0..<shown.shape[3]).map { index in
      let filter = shown[.all, .all, .all, index]
      let greatest = try filter.abs().max().item()
      return try Image(filter / (2 * Swift.max(greatest, .leastNormalMagnitude)) + 0.5).enlarged(factor)
    }
    return grid(images, columns: columns, gap: 2)
  }

  /// The channels of a layer's output for one picture, each stretched from black to white by itself.
  ///
  /// **Shapes**: `[H, W, C]`.
  public static func featureMaps(_ maps: Tensor, columns: Int? = nil, enlarged factor: Int = 2) throws -> Image {
    try checkRank(maps, 3, "feature maps", "[H, W, C]")
    let images = try (0..<maps.shape[2]).map { try Image(stretched(maps[.all, .all, $0])).enlarged(factor) }
    return grid(images, columns: columns, gap: 2)
  }

  /// (x − least) / (greatest − least), zeros where all are equal.
  static func stretched(_ x: Tensor) throws -> Tensor {
    let (least, greatest) = (try x.min().item(), try x.max().item())
    return greatest > least ? (x - least) / (greatest - least) : Tensor.zeros(x.shape)
  }

  static func checkRank(_ tensor: Tensor, _ rank: Int, _ name: String, _ shape: String) throws {
    if let error = tensor.error { throw error }
    guard tensor.rank == rank, tensor.count > 0 else {
      throw TensorError(
        .shape, operation: "Image", operands: [TensorType(tensor.shape, tensor.dtype)], "these are no \(name)",
        remedy: "Pass \(shape)")
    }
  }
}
