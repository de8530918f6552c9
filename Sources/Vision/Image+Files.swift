import CajalBase
import CajalFormats

extension Image {
  /// The most pixels of a picture that is read, unless it is told otherwise: 2^26, such as 8192 × 8192.
  public static let defaultLimit = 1 << 26

  /// Reads a PNG or JPEG file; its first bytes say which it is. Palettes become colours, and 16 bits become 8.
  ///
  /// - Parameter limit: refuses pictures of more pixels before memory is taken for them.
  /// **Errors**: `FormatError` where the file is missing, of another kind, cut, corrupt or too large, or the library
  /// that reads it is missing.
  public static func read(_ path: String, limit: Int = defaultLimit) throws -> Image {
    let file = try FileReader(path)
    // 8 bytes a pixel are 4 channels of 16 bits: no picture within the limit needs more, but for what it says beside.
    guard file.size / 8 <= max(limit, 1 << 20) else {
      throw FormatError(
        path: path, problem: "it has \(file.size) bytes, more than a picture of \(limit) pixels needs",
        remedy: "Raise the limit if you trust the file")
    }
    return try decode(try file.bytes(at: 0, count: file.size), limit: limit, path: path)
  }

  /// The picture in `bytes`, a whole PNG or JPEG file; otherwise as ``read(_:limit:)``.
  ///
  /// - Parameter path: names the bytes in errors.
  public static func decode(
    _ bytes: [UInt8], limit: Int = defaultLimit, path: String = "picture in memory"
  ) throws -> Image {
    switch Format(bytes) {
    case .png: return try codec(PNGCodec.shared, .libpng, path).decode(bytes, limit: limit, path: path)
    case .jpeg: return try codec(JPEGCodec.shared, .turbojpeg, path).decode(bytes, limit: limit, path: path)
    case nil:
      throw FormatError(
        path: path, problem: bytes.isEmpty ? "it is empty" : "it begins neither as PNG nor as JPEG",
        remedy: "Convert it to PNG or JPEG")
    }
  }

  /// Writes a PNG or JPEG file, whole or not at all; the name's ending says which.
  ///
  /// - Parameter quality: of JPEG, 1…100.
  /// **Errors**: `FormatError` for another ending, a missing library, and all those of `AtomicFile`.
  public func write(_ path: String, quality: Int = 90) throws {
    guard let format = Format(name: path) else {
      throw FormatError(
        path: path, problem: "its name says neither PNG nor JPEG", remedy: "Let it end in .png, .jpg or .jpeg")
    }
    let bytes = try encoded(format, quality: quality, path: path)
    try AtomicFile.write(to: path) { try $0.write(bytes) }
  }

  /// The bytes of a file.
  public func encoded(_ format: Format, quality: Int = 90) throws -> [UInt8] {
    try encoded(format, quality: quality, path: "picture in memory")
  }

  private func encoded(_ format: Format, quality: Int, path: String) throws -> [UInt8] {
    switch format {
    case .png: try Self.codec(PNGCodec.shared, .libpng, path).encode(self, path: path)
    case .jpeg: try Self.codec(JPEGCodec.shared, .turbojpeg, path).encode(self, quality: quality, path: path)
    }
  }

  /// A format of files.
  public enum Format: Sendable, CaseIterable {
    /// Lossless; keeps opacity.
    case png
    /// Smaller; no opacity.
    case jpeg

    /// The format whose files begin so.
    public init?(_ bytes: some Collection<UInt8>) {
      if bytes.starts(with: [0x89, 0x50, 0x4e, 0x47]) {
        self = .png
      } else if bytes.starts(with: [0xff, 0xd8, 0xff]) {
        self = .jpeg
      } else {
        return nil
      }
    }

    /// The format of a file of this name.
    public init?(name: String) {
      let name = name.lowercased()
      if name.hasSuffix(".png") {
        self = .png
      } else if name.hasSuffix(".jpg") || name.hasSuffix(".jpeg") {
        self = .jpeg
      } else {
        return nil
      }
    }
  }

  static func codec<Codec>(_ codec: Codec?, _ library: OptionalLibrary, _ path: String) throws -> Codec {
    if let codec { return codec }
    throw FormatError(
      path: path,
      problem: "\(library.name) is needed and was not found (looked for \(library.candidates.joined(separator: ", ")))",
      remedy: "Install it: apt-get install \(library.package)")
  }
}

/// Throws where a picture has no pixels, or more than `limit`.
func checkPixels(_ width: Int, _ height: Int, limit: Int, _ path: String) throws {
  // The libraries count the bytes of a row in 32 bits.
  guard width > 0, height > 0, width <= 1 << 28,
    case (let pixels, let overflow) = width.multipliedReportingOverflow(by: height), !overflow, pixels <= limit
  else {
    throw FormatError(
      path: path, problem: "it claims \(width) × \(height) pixels, and the limit is \(limit) in all",
      remedy: "Raise the limit if you trust the file")
  }
}

/// The bytes that `fill` writes. It gets zeros, because a library that fails half-way must leave no old memory.
func withPixels(
  _ count: Int, _ path: String, _ fill: (UnsafeMutableBufferPointer<UInt8>) throws -> Void
) throws -> [UInt8] {
  try makeBytes(count, for: path) { raw in
    let target = raw.bindMemory(to: UInt8.self)
    target.initialize(repeating: 0)
    try fill(target)
    return count
  }
}
