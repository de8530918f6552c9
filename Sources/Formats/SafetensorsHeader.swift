/// The header of a safetensors file, read and checked against the data's size.
struct SafetensorsHeader {
  private(set) var metadata: [String: String] = [:]
  /// In the order of the data.
  private(set) var entries: [SafetensorsFile.Entry] = []

  private let path: String
  private static let remedy = "Check that this is a safetensors file, or download or save it again"

  init(_ json: [UInt8], path: String, dataSize: Int) throws {
    self.path = path
    do {
      guard json.first == UInt8(ascii: "{") else { throw JSONReader.Problem(offset: 0, text: "an object is expected") }
      var reader = JSONReader(json)
      try read(&reader)
      try reader.end()
    } catch let problem as JSONReader.Problem {
      // Offsets in the file: the header comes after its length.
      throw FormatError(
        path: path, problem: "the header is wrong at byte \(8 + problem.offset): \(problem.text)", remedy: Self.remedy)
    }
    try checkPlaces(dataSize)
  }

  private mutating func read(_ reader: inout JSONReader) throws {
    var metadata: [String: String] = [:]
    var entries: [SafetensorsFile.Entry] = []
    try reader.object { reader, name in
      if name == "__metadata__" {
        try reader.object { reader, key in metadata[key] = try reader.string() }
      } else {
        entries.append(try entry(name, &reader))
      }
    }
    self.metadata = metadata
    // Tensors without elements may share their place.
    self.entries = entries.sorted { ($0.begin, $0.end) < ($1.begin, $1.end) }
  }

  private func entry(_ name: String, _ reader: inout JSONReader) throws -> SafetensorsFile.Entry {
    var dtype: String?
    var shape: [Int]?
    var offsets: [Int]?
    try reader.object { reader, key in
      let start = reader.position
      switch key {
      case "dtype": dtype = try reader.string()
      case "shape": shape = try numbers(&reader)
      case "data_offsets": offsets = try numbers(&reader)
      default:
        throw JSONReader.Problem(offset: start, text: "tensor \(quoted(name)) has an unknown key \(quoted(key))")
      }
    }
    guard let dtype, let shape, let offsets else {
      let missing = dtype == nil ? "dtype" : shape == nil ? "shape" : "data_offsets"
      throw error("tensor \(quoted(name)) has no \(missing) in the header")
    }
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw error("tensor \(quoted(name)) has data_offsets \(offsets), which are not a begin and an end")
    }
    let entry = SafetensorsFile.Entry(name: name, dtype: dtype, shape: shape, begin: offsets[0], end: offsets[1])
    try checkSize(entry)
    return entry
  }

  private func numbers(_ reader: inout JSONReader) throws -> [Int] {
    let greatestRank = 64  // NumPy's
    var numbers: [Int] = []
    try reader.array { reader in
      guard numbers.count < greatestRank else {
        throw JSONReader.Problem(offset: reader.position, text: "more than \(greatestRank) numbers stand in a row")
      }
      numbers.append(try reader.wholeNumber())
    }
    return numbers
  }

  /// Throws where shape × dtype is not the size of the entry's place.
  private func checkSize(_ entry: SafetensorsFile.Entry) throws {
    guard let bits = SafetensorsDType.bitCount(of: entry.dtype) else { return }
    guard let total = checkedProduct(entry.shape + [bits]) else {
      throw error("tensor \(quoted(entry.name)) of shape \(entry.shape) would have more than 2^63 bits")
    }
    guard total % 8 == 0, total / 8 == entry.byteCount else {
      throw error(
        "tensor \(quoted(entry.name)) of dtype \(entry.dtype) and shape \(entry.shape) needs \(total / 8) bytes and has "
          + "\(entry.byteCount) at data_offsets [\(entry.begin), \(entry.end)]")
    }
  }

  /// Throws unless the entries fill the data from end to end.
  private func checkPlaces(_ dataSize: Int) throws {
    var position = 0
    for entry in entries {
      guard entry.end <= dataSize else {
        throw error(
          "tensor \(quoted(entry.name)) ends at byte \(entry.end) of the data, which has only \(dataSize): "
            + "the file is truncated or corrupt")
      }
      guard entry.begin == position else {
        let place = "tensor \(quoted(entry.name)) at data_offsets [\(entry.begin), \(entry.end)]"
        throw error(
          entry.begin < position
            ? "\(place) overlaps the one before it, which ends at \(position)"
            : "\(place) leaves a hole after the one before it, which ends at \(position)")
      }
      position = entry.end
    }
    guard position == dataSize else {
      throw error("\(dataSize - position) bytes that belong to no tensor follow byte \(position) of the data")
    }
  }

  private func error(_ problem: String) -> FormatError {
    FormatError(path: path, problem: problem, remedy: Self.remedy)
  }
}
