/// Writes safetensors files.
public enum SafetensorsWriter {
  /// A tensor to write.
  public struct Tensor: Sendable, Equatable {
    public let name: String
    /// The format's code: F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL.
    public let dtype: String
    /// The extents; empty for a scalar.
    public let shape: [Int]
    /// The elements, row-major and little-endian.
    public let bytes: [UInt8]

    public init(name: String, dtype: String, shape: [Int], bytes: [UInt8]) {
      self.name = name
      self.dtype = dtype
      self.shape = shape
      self.bytes = bytes
    }
  }

  /// Writes `tensors` to `path`, whole or not at all (see `AtomicFile`).
  ///
  /// The file is byte for byte that of the reference implementation: tensors by
  /// falling alignment of their dtype, then by name; a header padded with spaces
  /// so that the data begins at a multiple of 8; the same content gives the same
  /// bytes.
  ///
  /// **Errors**: `FormatError` for a name that comes twice or is
  /// `__metadata__`, a dtype that the format lacks, bytes that do not fit the
  /// shape, and those of `AtomicFile`.
  ///
  /// ```swift
  /// let bias = SafetensorsWriter.Tensor(name: "bias", dtype: "F32", shape: [2], bytes: bytes)
  /// try SafetensorsWriter.write([bias], metadata: ["format": "cajal"], to: "model.safetensors")
  /// ```
  public static func write(_ tensors: [Tensor], metadata: [String: String] = [:], to path: String) throws {
    let sorted = try checked(tensors, path: path)
    let header = header(of: sorted, metadata: metadata)
    guard header.count <= SafetensorsFile.greatestHeader else {
      throw FormatError(
        path: path,
        problem: "the header would have \(header.count) bytes, beyond the format's \(SafetensorsFile.greatestHeader)",
        remedy: "Save less metadata, shorter names or fewer tensors in one file")
    }
    let length = UInt64(header.count)
    try AtomicFile.write(to: path) { file in
      try file.write((0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + header)
      for tensor in sorted { try file.write(tensor.bytes) }
    }
  }

  /// `tensors` in the order of the file.
  private static func checked(_ tensors: [Tensor], path: String) throws -> [Tensor] {
    var names: Set<String> = ["__metadata__"]
    var ranked: [(rank: Int, tensor: Tensor)] = []
    for tensor in tensors {
      func error(_ problem: String, _ remedy: String) -> FormatError {
        FormatError(path: path, problem: "tensor \(quoted(tensor.name)) \(problem)", remedy: remedy)
      }
      guard names.insert(tensor.name).inserted else {
        throw error(
          tensor.name == "__metadata__" ? "has the name that the format keeps for itself" : "comes twice",
          "Give it a name of its own")
      }
      guard let rank = SafetensorsDType.index(of: tensor.dtype) else {
        throw error("has dtype \(quoted(tensor.dtype))", "Convert it to one of \(SafetensorsDType.list)")
      }
      let elementSize = SafetensorsDType.supported[rank].byteCount
      guard tensor.shape.allSatisfy({ $0 >= 0 }), tensor.shape.count <= 64,
        checkedProduct(tensor.shape + [elementSize, 8]) == 8 * tensor.bytes.count
      else {
        throw error(
          "of dtype \(tensor.dtype) and shape \(tensor.shape) comes with \(tensor.bytes.count) bytes",
          "Pass \(elementSize) bytes for each element")
      }
      ranked.append((rank, tensor))
    }
    // Names in the order of their bytes; Swift's own order is another.
    return ranked.sorted { left, right in
      left.rank != right.rank
        ? left.rank < right.rank : left.tensor.name.utf8.lexicographicallyPrecedes(right.tensor.name.utf8)
    }.map(\.tensor)
  }

  private static func header(of tensors: [Tensor], metadata: [String: String]) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      members.append(
        "\"__metadata__\":{" + pairs.map { literal($0.key) + ":" + literal($0.value) }.joined(separator: ",") + "}")
    }
    var offset = 0
    for tensor in tensors {
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      let end = offset + tensor.bytes.count
      let info = "{\"dtype\":\"\(tensor.dtype)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}"
      members.append("\(literal(tensor.name)):\(info)")
      offset = end
    }
    var header = Array("{\(members.joined(separator: ","))}".utf8)
    header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    return header
  }

  /// `text` as a JSON string, escaped as the reference implementation does.
  private static func literal(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\u{8}": result += "\\b"
      case "\u{c}": result += "\\f"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\0"..<" ":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
