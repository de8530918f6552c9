import CajalBase

/// The functions of zlib that Cajal calls, found at run time.
///
/// The declarations follow `zlib.h`, whose interface has not changed since
/// version 1.0 and is zlib-ng's in its compatible mode. Pointers to the stream
/// are raw because a C function type cannot name a Swift struct.
struct Zlib: Sendable {
  typealias Step = @convention(c) @Sendable (UnsafeMutableRawPointer, Int32) -> Int32
  typealias End = @convention(c) @Sendable (UnsafeMutableRawPointer) -> Int32
  typealias InflateInit =
    @convention(c) @Sendable (UnsafeMutableRawPointer, Int32, UnsafePointer<CChar>, Int32) -> Int32
  typealias DeflateInit =
    @convention(c) @Sendable (
      UnsafeMutableRawPointer, Int32, Int32, Int32, Int32, Int32, UnsafePointer<CChar>, Int32
    ) -> Int32

  let inflateInit: InflateInit
  let inflate: Step
  let inflateReset: End
  let inflateEnd: End
  let deflateInit: DeflateInit
  let deflate: Step
  let deflateEnd: End

  // Window of 2^15 bytes (the format's largest), plus 16: a gzip wrapper.
  static let windowBits: Int32 = 15 + 16
  // zlib compares only the first digit with its own version.
  static let version = "1.2.11"

  // Return codes and flush modes of zlib.h.
  static let ok: Int32 = 0
  static let streamEnd: Int32 = 1
  static let dataError: Int32 = -3
  static let memoryError: Int32 = -4
  static let bufferError: Int32 = -5
  static let noFlush: Int32 = 0
  static let finish: Int32 = 4
  static let deflated: Int32 = 8

  private static let shared = Zlib(.zlib)

  private init?(_ description: OptionalLibrary) {
    guard let library = description.open(),
      let inflateInit = library.symbol("inflateInit2_", as: InflateInit.self),
      let inflate = library.symbol("inflate", as: Step.self),
      let inflateReset = library.symbol("inflateReset", as: End.self),
      let inflateEnd = library.symbol("inflateEnd", as: End.self),
      let deflateInit = library.symbol("deflateInit2_", as: DeflateInit.self),
      let deflate = library.symbol("deflate", as: Step.self),
      let deflateEnd = library.symbol("deflateEnd", as: End.self)
    else { return nil }
    self.inflateInit = inflateInit
    self.inflate = inflate
    self.inflateReset = inflateReset
    self.inflateEnd = inflateEnd
    self.deflateInit = deflateInit
    self.deflate = deflate
    self.deflateEnd = deflateEnd
  }

  /// The machine's zlib, or an error for `path` that says how to install it.
  ///
  /// Tests pass a library that does not exist.
  static func load(for path: String, from library: OptionalLibrary? = nil) throws -> Zlib {
    if let zlib = library.map({ Zlib($0) }) ?? shared { return zlib }
    let description = library ?? .zlib
    throw FormatError(
      path: path,
      problem: "\(description.name) is needed for gzip and was not found "
        + "(looked for \(description.candidates.joined(separator: ", ")))",
      remedy: "Install it (apt-get install \(description.package)), or decompress the file with gunzip")
  }
}

/// C's `z_stream`: Swift lays stored properties out in order with their natural
/// alignment, which is what C does here.
struct ZlibStream {
  var nextIn: UnsafePointer<UInt8>?
  var availableIn: CUnsignedInt = 0
  var totalIn: CUnsignedLong = 0
  var nextOut: UnsafeMutablePointer<UInt8>?
  var availableOut: CUnsignedInt = 0
  var totalOut: CUnsignedLong = 0
  var message: UnsafePointer<CChar>?
  var state: UnsafeMutableRawPointer?
  var allocate: UnsafeMutableRawPointer?
  var deallocate: UnsafeMutableRawPointer?
  var opaque: UnsafeMutableRawPointer?
  var dataType: CInt = 0
  var checksum: CUnsignedLong = 0
  var reserved: CUnsignedLong = 0
}
