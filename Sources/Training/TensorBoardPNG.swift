import CajalBase
import CajalFormats
import CajalTensor

/// PNG pictures (ISO/IEC 15948) of 8 bits a channel, not compressed: what a run shows is small.
enum PNG {
  /// See ``TensorBoardWriter/add(_:image:step:)``.
  static func encode(_ image: Tensor) throws -> [UInt8] {
    let channels = image.rank == 2 ? 1 : image.rank == 3 ? image.shape[2] : 0
    if let error = image.error { throw error }
    guard (1...4).contains(channels), image.count > 0 else {
      throw TensorError(
        .shape, operation: "image", operands: [TensorType(image.shape, image.dtype)], "this is no picture",
        remedy: "Pass [H, W] or [H, W, C] with one to four channels; of a batch, one after the other")
    }
    let pixels = try (image.dtype.isFloat ? image * 255 : image).scalars(Double.self)
      .map { UInt8($0.isNaN ? 0 : min(255, max(0, $0.rounded()))) }
    let (height, width) = (image.shape[0], image.shape[1])
    var header: [UInt8] = []
    header.append(bigEndian: UInt32(width))
    header.append(bigEndian: UInt32(height))
    // 8 bits; grey, grey and opacity, red-green-blue, and these and opacity by the format's numbers; no interlacing.
    header += [8, [0, 4, 2, 6][channels - 1], 0, 0, 0]
    // Each row begins with its filter: none.
    let rowLength = width * channels
    let rows = (0..<height).flatMap { [0] + pixels[$0 * rowLength..<($0 + 1) * rowLength] }
    return [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] + chunk("IHDR", header) + chunk("IDAT", stored(rows))
      + chunk("IEND", [])
  }

  private static func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
    let body = Array(name.utf8) + data
    var chunk: [UInt8] = []
    chunk.append(bigEndian: UInt32(data.count))
    chunk += body
    chunk.append(bigEndian: CRC32.ieee.of(body))
    return chunk
  }

  /// A zlib stream (RFC 1950) of stored blocks (RFC 1951).
  private static func stored(_ data: [UInt8]) -> [UInt8] {
    var stream: [UInt8] = [0x78, 0x01]
    var start = 0
    repeat {
      let end = min(data.count, start + 0xffff)
      stream.append(end == data.count ? 1 : 0)
      stream.append(littleEndian: UInt16(end - start))
      stream.append(littleEndian: ~UInt16(end - start))
      stream += data[start..<end]
      start = end
    } while start < data.count
    stream.append(bigEndian: adler(data))
    return stream
  }

  /// Adler-32, zlib's checksum.
  private static func adler(_ data: [UInt8]) -> UInt32 {
    var (a, b) = (UInt32(1), UInt32(0))
    for byte in data {
      a = (a + UInt32(byte)) % 65521
      b = (b + a) % 65521
    }
    return b << 16 | a
  }
}
