// Deflate (RFC 1951) of what is in memory whole.

extension Zlib {
  /// A window of 2^15 bytes, and neither header nor checksum: as zip files hold it.
  static let rawWindowBits: Int32 = -15

  /// `bytes` compressed, in the wrapper that `windowBits` says.
  func deflated(_ bytes: [UInt8], level: Int, windowBits: Int32, path: String) throws -> [UInt8] {
    let stream = UnsafeMutablePointer<ZlibStream>.allocate(capacity: 1)
    stream.initialize(to: ZlibStream())
    defer { stream.deallocate() }
    // zlib.h's defaults: memory level 8, strategy 0.
    let code = deflateInit(
      stream, Int32(level), Zlib.deflated, windowBits, 8, 0, Zlib.version, Int32(MemoryLayout<ZlibStream>.size))
    guard code == Zlib.ok else { throw GzipStream.cannotStart(path, code) }
    defer { _ = deflateEnd(stream) }

    var result: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: GzipStream.chunk)
    bytes.withUnsafeBufferPointer { input in
      var position = 0
      var code = Zlib.ok
      while code != Zlib.streamEnd {
        let count = min(input.count - position, 1 << 30)  // avail_in has 32 bits
        stream.pointee.nextIn = input.baseAddress.map { $0 + position }
        stream.pointee.availableIn = CUnsignedInt(count)
        let produced = chunk.withUnsafeMutableBufferPointer { output in
          stream.pointee.nextOut = output.baseAddress
          stream.pointee.availableOut = CUnsignedInt(output.count)
          code = deflate(stream, position + count == input.count ? Zlib.finish : Zlib.noFlush)
          return output.count - Int(stream.pointee.availableOut)
        }
        position += count - Int(stream.pointee.availableIn)
        result += chunk[..<produced]
      }
    }
    return result
  }

  /// The `size` bytes that raw deflate data unfolds to; `nil` where it is corrupt or of another size.
  func inflatedRaw(_ bytes: [UInt8], size: Int, path: String) throws -> [UInt8]? {
    let stream = UnsafeMutablePointer<ZlibStream>.allocate(capacity: 1)
    stream.initialize(to: ZlibStream())
    defer { stream.deallocate() }
    let code = inflateInit(stream, Zlib.rawWindowBits, Zlib.version, Int32(MemoryLayout<ZlibStream>.size))
    guard code == Zlib.ok else { throw GzipStream.cannotStart(path, code) }
    defer { _ = inflateEnd(stream) }

    // One more, so that an end at `size` is seen.
    let result = try makeBytes(size + 1, for: path) { output in
      try bytes.withUnsafeBufferPointer { input in
        var (taken, given) = (0, 0)
        var code = Zlib.ok
        while code == Zlib.ok {
          let (available, room) = (min(input.count - taken, 1 << 30), min(output.count - given, 1 << 30))
          stream.pointee.nextIn = input.baseAddress.map { $0 + taken }
          stream.pointee.availableIn = CUnsignedInt(available)
          stream.pointee.nextOut = (output.baseAddress! + given).assumingMemoryBound(to: UInt8.self)
          stream.pointee.availableOut = CUnsignedInt(room)
          code = inflate(stream, Zlib.noFlush)
          taken += available - Int(stream.pointee.availableIn)
          given += room - Int(stream.pointee.availableOut)
        }
        if code == Zlib.memoryError { throw GzipStream.cannotStart(path, code) }
        return code == Zlib.streamEnd && taken == input.count ? given : 0
      }
    }
    return result.count == size ? result : nil
  }
}
