/// Reads tar archives (POSIX ustar), gzip or not.
public enum TarArchive {
  /// Calls `body` with the name and the bytes of each regular file whose name ends with `suffix`.
  ///
  /// **Errors**: `FormatError` where the file is missing, no archive, or cut; and what `body` throws.
  public static func forEachFile(
    in path: String, withSuffix suffix: String = "", _ body: (_ name: String, _ bytes: [UInt8]) throws -> Void
  ) throws {
    let stream = try ByteStream(path)
    while true {
      let header = try makeBytes(512, for: path) { try stream.read(into: $0) }
      // Zeros, or nothing, end an archive.
      if header.allSatisfy({ $0 == 0 }) { return }
      guard header.count == 512, let size = octal(header[124..<136]),
        octal(header[148..<156]) == checksum(header)
      else { throw corrupt(path) }
      let name = text(header[0..<100])
      let isFile = header[156] == UInt8(ascii: "0") || header[156] == 0
      // What a header claims is no reason to take memory.
      guard size <= 1 << 32 else { throw corrupt(path) }
      let padded = (size + 511) / 512 * 512
      if isFile, name.hasSuffix(suffix) {
        let bytes = try makeBytes(padded, for: path) { try stream.read(into: $0) }
        guard bytes.count == padded else { throw corrupt(path) }
        try body(name, Array(bytes[..<size]))
      } else {
        try skip(padded, stream)
      }
    }
  }

  private static func skip(_ count: Int, _ stream: ByteStream) throws {
    var left = count
    while left > 0 {
      let taken = try makeBytes(min(left, 1 << 16), for: stream.path) { try stream.read(into: $0) }.count
      guard taken > 0 else { throw corrupt(stream.path) }
      left -= taken
    }
  }

  /// The sum of the header's bytes, its own field counted as spaces.
  private static func checksum(_ header: [UInt8]) -> Int {
    header.enumerated().reduce(0) { $0 + (148..<156 ~= $1.offset ? 32 : Int($1.element)) }
  }

  private static func octal(_ field: ArraySlice<UInt8>) -> Int? { Int(text(field).filter { $0 != " " }, radix: 8) }

  private static func text(_ field: ArraySlice<UInt8>) -> String {
    String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
  }

  private static func corrupt(_ path: String) -> FormatError {
    FormatError(path: path, problem: "it is no tar archive, or cut", remedy: "Download or copy it again")
  }
}
