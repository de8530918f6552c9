import CajalBase
import CajalFormats

/// JPEG through libjpeg-turbo's `turbojpeg.h` (the functions that versions 1.4 to 3 have), found at run time.
struct JPEGCodec: Sendable {
  private typealias Handle = OpaquePointer
  private typealias Start = @convention(c) @Sendable () -> Handle?
  private typealias Header =
    @convention(c) @Sendable (
      Handle, UnsafePointer<UInt8>?, CUnsignedLong, UnsafeMutablePointer<CInt>, UnsafeMutablePointer<CInt>,
      UnsafeMutablePointer<CInt>, UnsafeMutablePointer<CInt>
    ) -> CInt
  private typealias Decompress =
    @convention(c) @Sendable (
      Handle, UnsafePointer<UInt8>?, CUnsignedLong, UnsafeMutablePointer<UInt8>?, CInt, CInt, CInt, CInt, CInt
    ) -> CInt
  private typealias Compress =
    @convention(c) @Sendable (
      Handle, UnsafePointer<UInt8>?, CInt, CInt, CInt, CInt, UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>,
      UnsafeMutablePointer<CUnsignedLong>, CInt, CInt, CInt
    ) -> CInt
  private typealias Message = @convention(c) @Sendable (Handle?) -> UnsafePointer<CChar>?
  private typealias Code = @convention(c) @Sendable (Handle) -> CInt
  private typealias Free = @convention(c) @Sendable (UnsafeMutablePointer<UInt8>?) -> Void

  private let startDecompress: Start
  private let startCompress: Start
  private let header: Header
  private let decompress: Decompress
  private let compress: Compress
  private let message: Message
  private let code: Code
  private let destroy: Code
  private let free: Free

  static let shared = JPEGCodec(.turbojpeg)

  // Of turbojpeg.h.
  private static let pixelsRGB: CInt = 0
  private static let pixelsGray: CInt = 6
  private static let pixelsCMYK: CInt = 11
  private static let spaceGray: CInt = 2
  private static let spaceCMYK: CInt = 3
  /// Refuses pictures of more than 500 passes, which would take minutes.
  private static let limitScans: CInt = 1 << 15
  private static let stopOnWarning: CInt = 1 << 13
  private static let fatal: CInt = 1
  private static let samplingFull: CInt = 0
  private static let samplingHalf: CInt = 2
  private static let samplingGray: CInt = 3

  private init?(_ description: OptionalLibrary) {
    guard let library = description.open(), let startDecompress = library.symbol("tjInitDecompress", as: Start.self),
      let startCompress = library.symbol("tjInitCompress", as: Start.self),
      let header = library.symbol("tjDecompressHeader3", as: Header.self),
      let decompress = library.symbol("tjDecompress2", as: Decompress.self),
      let compress = library.symbol("tjCompress2", as: Compress.self),
      let message = library.symbol("tjGetErrorStr2", as: Message.self),
      let code = library.symbol("tjGetErrorCode", as: Code.self),
      let destroy = library.symbol("tjDestroy", as: Code.self), let free = library.symbol("tjFree", as: Free.self)
    else { return nil }
    (self.startDecompress, self.startCompress, self.header) = (startDecompress, startCompress, header)
    (self.decompress, self.compress, self.message) = (decompress, compress, message)
    (self.code, self.destroy, self.free) = (code, destroy, free)
  }

  /// The picture in `data`: grey or red-green-blue.
  func decode(_ data: [UInt8], limit: Int, path: String) throws -> Image {
    guard let handle = startDecompress() else { throw cannotStart(path) }
    defer { _ = destroy(handle) }
    var (width, height, sampling, space) = (CInt(0), CInt(0), CInt(0), CInt(0))
    let length = CUnsignedLong(data.count)
    guard header(handle, data, length, &width, &height, &sampling, &space) == 0, width > 0, height > 0 else {
      throw failure(handle, path)
    }
    try checkPixels(Int(width), Int(height), limit: limit, path)
    // Both spaces of four inks.
    let isInk = space >= Self.spaceCMYK
    let (pixels, channels) =
      isInk ? (Self.pixelsCMYK, 4) : space == Self.spaceGray ? (Self.pixelsGray, 1) : (Self.pixelsRGB, 3)
    let bytes = try withPixels(Int(width) * Int(height) * channels, path) { target in
      // A warning leaves a picture: only of a file that breaks off, the rest of which would be grey, it is an error. The
      // first warning says so, later ones may not.
      for flags in [Self.limitScans | Self.stopOnWarning, Self.limitScans] {
        let status = decompress(
          handle, data, length, target.baseAddress, width, width * CInt(channels), height, pixels, flags)
        if status == 0 { return }
        if ["end of JPEG file", "end of input file"].contains(where: text(handle).contains) { break }
        if flags == Self.limitScans, code(handle) != Self.fatal { return }
      }
      throw failure(handle, path)
    }
    let image = Image(Int(width), Int(height), channels, bytes)
    return isInk ? image.withoutInk : image
  }

  func encode(_ image: Image, quality: Int, path: String) throws -> [UInt8] {
    guard let handle = startCompress() else { throw cannotStart(path) }
    defer { _ = destroy(handle) }
    let isGray = image.colors == 1
    let image = isGray ? image.gray : image.rgb
    var (result, size) = (UnsafeMutablePointer<UInt8>?.none, CUnsignedLong(0))
    defer { free(result) }
    // Colour at half the size, as most programs do, but not in the best quality.
    let sampling = isGray ? Self.samplingGray : quality > 95 ? Self.samplingFull : Self.samplingHalf
    let status = compress(
      handle, image.bytes, CInt(image.width), CInt(image.width * image.channels), CInt(image.height),
      isGray ? Self.pixelsGray : Self.pixelsRGB, &result, &size, sampling, CInt(min(100, max(1, quality))), 0)
    guard status == 0, let result else {
      throw FormatError(
        path: path, problem: "a \(image) cannot be a JPEG: \(text(handle))",
        remedy: "Make it smaller than 65,500 pixels a side, or write PNG")
    }
    return Array(UnsafeBufferPointer(start: result, count: Int(size)))
  }

  private func text(_ handle: Handle) -> String { message(handle).map { String(cString: $0) } ?? "unknown" }

  private func failure(_ handle: Handle, _ path: String) -> FormatError {
    FormatError(
      path: path, problem: "it is no whole JPEG picture: libjpeg-turbo says \"\(text(handle))\"",
      remedy: "Download or copy it again")
  }

  private func cannotStart(_ path: String) -> FormatError {
    FormatError(path: path, problem: "libjpeg-turbo found no memory to start", remedy: "Free memory")
  }
}

extension Image {
  /// Red, green and blue of the four inks as Adobe's programs store them: 255 is none.
  fileprivate var withoutInk: Image {
    var result: [UInt8] = []
    result.reserveCapacity(3 * width * height)
    for pixel in stride(from: 0, to: bytes.count, by: 4) {
      let black = Int(bytes[pixel + 3])
      for ink in bytes[pixel..<pixel + 3] { result.append(UInt8(Int(ink) * black / 255)) }
    }
    return Image(width, height, 3, result)
  }
}
