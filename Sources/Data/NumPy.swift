import CajalBase
import CajalFormats
import CajalTensor

/// Tensors from NumPy's files, and to them.
public enum NumPy {
  /// Reads a `.npy` file.
  ///
  /// - Throws: ``FormatError``; see `NumPyFile`.
  public static func read(_ path: String) throws -> Tensor { tensor(try NumPyFile.read(path)) }

  /// Reads the arrays of a `.npz` file, by name.
  public static func readArchive(_ path: String) throws -> [String: Tensor] {
    try NumPyArchive.read(path).mapValues(tensor)
  }

  /// Writes a `.npy` file, whole or not at all. bfloat16, which NumPy does not have, is written as float32.
  ///
  /// - Throws: ``FormatError``, or the ``TensorError`` of a tensor that could not be computed.
  public static func write(_ tensor: Tensor, to path: String) throws {
    try NumPyFile.write(try array(tensor), to: path)
  }

  /// Writes a `.npz` file, whole or not at all.
  public static func writeArchive(_ tensors: [String: Tensor], to path: String, compressed: Bool = false) throws {
    try NumPyArchive.write(try tensors.mapValues(array), to: path, compressed: compressed)
  }

  private static func tensor(_ array: NumPyArray) -> Tensor {
    array.bytes.withUnsafeBytes { Tensor(bytes: $0, shape: Shape(array.shape), dtype: array.dtype) }
  }

  private static func array(_ tensor: Tensor) throws -> NumPyArray {
    let bytes = try tensor.bytes()
    return NumPyArray(shape: (0..<tensor.rank).map { tensor.shape[$0] }, dtype: tensor.dtype, bytes: bytes)
  }
}
