/// Reads and writes NumPy's `.npz` files: zip archives of `.npy` files, stored (`numpy.savez`) or deflated
/// (`numpy.savez_compressed`).
public enum NumPyArchive {
  /// Reads all arrays, by name.
  ///
  /// **Errors**: `FormatError` where the file is missing, no archive, corrupt, or holds anything but arrays that
  /// `NumPyFile` reads.
  public static func read(_ path: String) throws -> [String: NumPyArray] {
    let archive = try ZipArchive(path)
    var arrays: [String: NumPyArray] = [:]
    for entry in archive.entries {
      let name = entry.name.hasSuffix(".npy") ? String(entry.name.dropLast(4)) : entry.name
      arrays[name] = try NumPyFile.parse(try archive.read(entry), path: "\(path) (\(quoted(entry.name)))")
    }
    return arrays
  }

  /// Writes `arrays`, whole or not at all, in the order of their names: equal arrays give equal bytes.
  ///
  /// - Parameter compressed: deflates them, as `numpy.savez_compressed` does.
  /// **Errors**: `FormatError` for more than 4 GiB, and all those of `NumPyFile.write`.
  public static func write(_ arrays: [String: NumPyArray], to path: String, compressed: Bool = false) throws {
    let entries = try arrays.sorted { $0.key < $1.key }.map { name, array in
      (name: name + ".npy", bytes: try NumPyFile.encode(array, path: path))
    }
    try ZipArchive.write(entries, to: path, level: compressed ? 6 : 0)
  }
}
