/// Named tensors in a file of weights, whichever program wrote it: safetensors, or PyTorch's `.pt` and `.pth`.
///
/// ```swift
/// let file = try WeightFile.read("resnet18.pth")
/// for entry in file.tensors { print(entry.name, entry.dtype, entry.shape) }
/// ```
public struct WeightFile: Sendable {
  /// What the file says of one tensor.
  public struct Entry: Sendable, Equatable {
    public let name: String
    /// The element type, by the names of the safetensors format, such as `F32` or `BF16`.
    public let dtype: String
    /// The extents; empty for a scalar.
    public let shape: [Int]
  }

  /// The file, as the caller named it.
  public let path: String
  /// The file's free text; files of PyTorch have none.
  public let metadata: [String: String]
  /// The tensors in the order of the file.
  public let tensors: [Entry]

  private let data: @Sendable (_ name: String) throws -> [UInt8]
  private let indices: [String: Int]

  /// Opens the file at `path`; its first bytes say of which format it is.
  ///
  /// **Errors**: those of `SafetensorsFile.read` and `PyTorchFile.read`.
  public static func read(_ path: String) throws -> WeightFile {
    let reader = try FileReader(path)
    let start = try reader.bytes(at: 0, count: min(9, reader.size))
    // A safetensors file's length may begin as anything; its header follows.
    let isSafetensors = start.count == 9 && start[8] == UInt8(ascii: "{")
    if !isSafetensors, start.starts(with: [0x50, 0x4b]) || start.starts(with: [0x80]) {
      let file = try PyTorchFile.read(path)
      return WeightFile(
        path, [:], file.tensors.map { Entry(name: $0.name, dtype: $0.dtype, shape: $0.shape) }, file.bytes)
    }
    let file = try SafetensorsFile.read(path)
    return WeightFile(
      path, file.metadata, file.tensors.map { Entry(name: $0.name, dtype: $0.dtype, shape: $0.shape) }
    ) { try file.bytes(of: $0) }
  }

  private init(
    _ path: String, _ metadata: [String: String], _ tensors: [Entry],
    _ data: @escaping @Sendable (_ name: String) throws -> [UInt8]
  ) {
    (self.path, self.metadata, self.tensors, self.data) = (path, metadata, tensors, data)
    indices = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
  }

  /// The tensor called `name`, or nil.
  public subscript(name: String) -> Entry? { indices[name].map { tensors[$0] } }

  /// Reads the tensor called `name`: row-major, little-endian.
  ///
  /// **Errors**: those of `SafetensorsFile.bytes(of:)` and `PyTorchFile.bytes(of:)`.
  public func bytes(of name: String) throws -> [UInt8] { try data(name) }
}
