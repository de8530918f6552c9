/// A file of PyTorch's `torch.save` open for reading (`.pt`, `.pth`, `.bin`): zip archives, and the legacy format of
/// PyTorch before 1.6.
///
/// Its pickle is read as data (`Pickle`): nothing is executed, and only the names that build tensors are known; any
/// other is refused by name. Tensors of nested dictionaries and lists go by their path: what a checkpoint
/// `{"epoch": 3, "model": {"fc.weight": …}}` holds is `model.fc.weight`; values other than tensors are left out.
/// Tensors may share their storage, and be views of it.
///
/// <https://docs.pytorch.org/docs/stable/notes/serialization.html>
public struct PyTorchFile: Sendable {
  /// What the file says of one tensor.
  public struct Entry: Sendable {
    public let name: String
    /// The element type, by the names of the safetensors format, such as `F32` or `BF16`.
    public let dtype: String
    /// The extents; empty for a scalar.
    public let shape: [Int]

    let view: PyTorchView
  }

  /// The most bytes that the pickle may have: 16 MiB, enough for a hundred thousand tensors.
  static let greatestPickle = 1 << 24
  /// The most bytes that a tensor may have whose elements lie over each other, such as an expanded one, and that a
  /// deflated storage may unfold to: 1 GiB.
  static let greatestExpansion = 1 << 30

  /// The file, as the caller named it.
  public let path: String
  /// The tensors in the order of the file.
  public let tensors: [Entry]

  private let storages: any PyTorchStorages
  private let indices: [String: Int]

  /// Opens the file at `path`, reads its pickle and checks that every tensor lies within its storage.
  ///
  /// A dtype that Cajal lacks is no error until that tensor is asked for.
  ///
  /// **Errors**: `FormatError` where the file is corrupt, a TorchScript program, of a big-endian machine, or its pickle
  /// asks for anything but tensors in dictionaries and lists.
  public static func read(_ path: String) throws -> PyTorchFile {
    let file = try FileReader(path)
    let start = try file.bytes(at: 0, count: min(file.size, 2))
    let (pickle, storages): (Pickle, any PyTorchStorages)
    if start.starts(with: [0x50, 0x4b]) {
      (pickle, storages) = try PyTorchArchive.open(path)
    } else if start.first == 0x80 {
      (pickle, storages) = try PyTorchLegacy.open(file)
    } else {
      throw FormatError(
        path: path, problem: "it begins neither as a zip archive nor as PyTorch's legacy files do",
        remedy: "Check that torch.save wrote it, or download it again")
    }
    return try PyTorchFile(path, pickle, storages)
  }

  private init(_ path: String, _ pickle: Pickle, _ storages: any PyTorchStorages) throws {
    var collector = PyTorchCollector(path: path, pickle: pickle, storages: storages)
    try collector.collect(pickle.root, name: "", depth: 0)
    self.path = path
    self.tensors = collector.entries
    self.storages = storages
    self.indices = collector.indices
  }

  /// The tensor called `name`, or nil.
  public subscript(name: String) -> Entry? { indices[name].map { tensors[$0] } }

  /// Reads the tensor called `name`: row-major, little-endian, a BOOL being 0 or 1.
  ///
  /// **Errors**: `FormatError` where there is none, Cajal has no such dtype, a BOOL is neither 0 nor 1, a checksum is
  /// wrong, or the disk fails.
  public func bytes(of name: String) throws -> [UInt8] {
    guard let entry = self[name] else {
      let names = tensors.isEmpty ? "none" : tensors.prefix(5).map { quoted($0.name) }.joined(separator: ", ")
      throw FormatError(
        path: path, problem: "it has no tensor \(quoted(name)) among its \(tensors.count)",
        remedy: "Check the name; the file's first tensors are \(names)")
    }
    guard SafetensorsDType.index(of: entry.dtype) != nil else {
      throw FormatError(
        path: path, problem: "tensor \(quoted(name)) has dtype \(quoted(entry.dtype)), which Cajal does not read",
        remedy: "Save it as one of \(SafetensorsDType.list)")
    }
    let bytes = try entry.view.bytes(of: try storages.bytes(of: entry.view), path)
    if entry.dtype == "BOOL", let value = bytes.first(where: { $0 > 1 }) {
      throw FormatError(
        path: path, problem: "tensor \(quoted(name)) is BOOL and holds \(value)",
        remedy: "Save it again with 0 and 1, or as uint8")
    }
    return bytes
  }
}

/// Where a file of PyTorch keeps the elements of tensors.
protocol PyTorchStorages: Sendable {
  /// The bytes that the storage called `key` has; `nil` where there is none.
  func byteCount(of key: String) -> Int?
  /// The bytes of the storage from the first to the last element of `view`.
  func bytes(of view: PyTorchView) throws -> ArraySlice<UInt8>
}

/// A tensor as a view of a storage.
struct PyTorchView: Sendable {
  /// The storage's name.
  let storage: String
  let shape: [Int]
  /// In elements; 0 where the extent is 1, whatever the file says.
  let strides: [Int]
  /// The first element.
  let offset: Int
  let elementSize: Int
  /// How many elements of the storage lie between the first and the last, both included.
  let span: Int
  let count: Int

  /// The bytes of the storage that the view lies in.
  var range: Range<Int> { offset * elementSize..<(offset + span) * elementSize }

  /// `nil` where an extent or stride makes no sense, or a number is beyond `Int`.
  init?(storage: String, shape: [Int], strides: [Int], offset: Int, elementSize: Int) {
    guard shape.count == strides.count, shape.count <= 64, offset >= 0, (shape + strides).allSatisfy({ $0 >= 0 }),
      let count = checkedProduct(shape), checkedProduct([count, elementSize]) != nil
    else { return nil }
    var span = 1
    for (extent, stride) in zip(shape, strides) where count > 0 {
      guard let step = checkedProduct([extent - 1, stride]),
        case (let sum, let overflow) = span.addingReportingOverflow(step),
        !overflow
      else { return nil }
      span = sum
    }
    if count == 0 { span = 0 }
    guard case (let end, let overflow) = offset.addingReportingOverflow(span), !overflow,
      checkedProduct([end, elementSize]) != nil
    else { return nil }
    (self.storage, self.shape, self.offset) = (storage, shape, offset)
    self.strides = zip(shape, strides).map { $0 == 1 ? 0 : $1 }
    (self.elementSize, self.span, self.count) = (elementSize, span, count)
  }

  /// Whether the elements stand in row-major order without holes.
  private var isContiguous: Bool {
    var expected = 1
    for (extent, stride) in zip(shape, strides).reversed() where extent != 1 {
      guard stride == expected else { return false }
      expected *= extent
    }
    return true
  }

  /// The elements in row-major order, of those between the first and the last.
  func bytes(of span: ArraySlice<UInt8>, _ path: String) throws -> [UInt8] {
    if count == 0 { return [] }
    if isContiguous { return Array(span) }
    return try makeBytes(count * elementSize, for: path) { target in
      span.withUnsafeBytes { source in
        var index = [Int](repeating: 0, count: shape.count)
        var place = 0
        for element in 0..<count {
          (target.baseAddress! + element * elementSize).copyMemory(
            from: source.baseAddress! + place * elementSize, byteCount: elementSize)
          for axis in shape.indices.reversed() {
            index[axis] += 1
            place += strides[axis]
            if index[axis] < shape[axis] { break }
            place -= strides[axis] * shape[axis]
            index[axis] = 0
          }
        }
      }
      return target.count
    }
  }
}
