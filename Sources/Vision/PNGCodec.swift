import CajalBase
import CajalFormats

/// PNG through libpng's simplified interface (`png_image` of `png.h`, since 1.6), found at run time.
struct PNGCodec: Sendable {
  private typealias Begin = @convention(c) @Sendable (UnsafeMutableRawPointer, UnsafeRawPointer?, Int) -> CInt
  private typealias Finish =
    @convention(c) @Sendable (
      UnsafeMutableRawPointer, UnsafeRawPointer?, UnsafeMutableRawPointer?, Int32, UnsafeMutableRawPointer?
    ) -> CInt
  private typealias Write =
    @convention(c) @Sendable (
      UnsafeMutableRawPointer, UnsafeMutableRawPointer?, UnsafeMutablePointer<Int>, CInt, UnsafeRawPointer?, Int32,
      UnsafeRawPointer?
    ) -> CInt
  private typealias Free = @convention(c) @Sendable (UnsafeMutableRawPointer) -> Void

  private let begin: Begin
  private let finish: Finish
  private let write: Write
  private let free: Free

  static let shared = PNGCodec(.libpng)

  private init?(_ description: OptionalLibrary) {
    guard let library = description.open(),
      let begin = library.symbol("png_image_begin_read_from_memory", as: Begin.self),
      let finish = library.symbol("png_image_finish_read", as: Finish.self),
      let write = library.symbol("png_image_write_to_memory", as: Write.self),
      let free = library.symbol("png_image_free", as: Free.self)
    else { return nil }
    (self.begin, self.finish, self.write, self.free) = (begin, finish, write, free)
  }

  /// The picture in `data`: palettes become colours, 16 bits become 8.
  func decode(_ data: [UInt8], limit: Int, path: String) throws -> Image {
    try withControl { control in
      try data.withUnsafeBytes { source in
        guard begin(control.memory, source.baseAddress, source.count) != 0 else { throw failure(control, path) }
        let (width, height) = (Int(control[.width]), Int(control[.height]))
        try checkPixels(width, height, limit: limit, path)
        // Bit 0: opacity; bit 1: colour. Linear values and palettes are not asked for.
        control[.format] &= 3
        control[.flags] |= Control.sRGBOf16Bits
        let channels = (control[.format] & 2 == 0 ? 1 : 3) + Int(control[.format] & 1)
        let bytes = try withPixels(width * height * channels, path) { target in
          guard finish(control.memory, nil, target.baseAddress, Int32(width * channels), nil) != 0 else {
            throw failure(control, path)
          }
        }
        return Image(width, height, channels, bytes)
      }
    }
  }

  func encode(_ image: Image, path: String) throws -> [UInt8] {
    try withControl { control in
      control[.width] = UInt32(image.width)
      control[.height] = UInt32(image.height)
      control[.format] = (image.colors == 3 ? 2 : 0) | (image.hasOpacity ? 1 : 0)
      // What does not compress grows by less than this: filters, blocks of zlib, chunks of 8 KiB, headers.
      var size = image.bytes.count + image.bytes.count / 64 + 2 * image.height + 4096
      return try [UInt8](unsafeUninitializedCapacity: size) { target, initialized in
        let code = image.bytes.withUnsafeBytes {
          write(control.memory, target.baseAddress, &size, 0, $0.baseAddress, Int32(image.width * image.channels), nil)
        }
        guard code != 0 else {
          throw FormatError(
            path: path, problem: "a \(image) cannot be a PNG: libpng says \"\(control.message)\"",
            remedy: "Make it smaller than a million pixels a side")
        }
        initialized = size
      }
    }
  }

  /// Calls `body` with a fresh `png_image`.
  private func withControl<Result>(_ body: (Control) throws -> Result) rethrows -> Result {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: Control.size, alignment: 8)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: Control.size)
    defer {
      free(memory)
      memory.deallocate()
    }
    let control = Control(memory: memory)
    control[.version] = 1
    return try body(control)
  }

  private func failure(_ control: Control, _ path: String) -> FormatError {
    FormatError(
      path: path, problem: "it is no whole PNG picture: libpng says \"\(control.message)\"",
      remedy: "Download or copy it again")
  }

  /// C's `png_image`: a pointer, seven numbers of 32 bits, a text of 64 bytes.
  private struct Control {
    enum Field: Int {
      case version = 8
      case width = 12
      case height = 16
      case format = 20
      case flags = 24
    }

    static let size = 104
    /// Samples of 16 bits are of the usual curve of brightness, not linear: PNG_IMAGE_FLAG_16BIT_sRGB.
    static let sRGBOf16Bits: UInt32 = 4

    let memory: UnsafeMutableRawPointer

    subscript(field: Field) -> UInt32 {
      get { memory.load(fromByteOffset: field.rawValue, as: UInt32.self) }
      nonmutating set { memory.storeBytes(of: newValue, toByteOffset: field.rawValue, as: UInt32.self) }
    }

    var message: String { String(cString: (memory + 36).assumingMemoryBound(to: CChar.self)) }
  }
}
