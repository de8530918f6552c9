#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Makes and removes a folder whole or not at all: under its name there is never a part of it.
public enum AtomicFolder {
  /// What the names of unfinished folders begin with.
  public static let hiddenPrefix = ".cajal-"

  /// Makes a folder, and those around it, unless they are there.
  ///
  /// **Errors**: `FormatError` where that is not possible.
  public static func create(_ path: String) throws {
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return }
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex { try create(String(path[..<slash])) }
    if !path.isEmpty, mkdir(path, 0o777) != 0, errno != EEXIST {
      throw FormatError(
        path: path, problem: "the folder cannot be made (\(systemMessage(errno)))", remedy: "Name another place for it")
    }
  }

  /// Calls `body` with the path of a new folder, and gives it the name `name` in `parent` when that is full.
  ///
  /// **Errors**: `FormatError` where `parent` is missing or may not be written, or the name is taken; and what `body`
  /// throws. Then nothing is left.
  public static func write(_ name: String, in parent: String, _ body: (String) throws -> Void) throws {
    let target = parent + "/" + name
    let temporary = hidden(parent)
    guard mkdir(temporary, 0o777) == 0 else { throw writingError(target, errno, folder: parent) }
    do {
      try body(temporary)
      AtomicFile.flush(folder: temporary)
      guard rename(temporary, target) == 0 else { throw writingError(target, errno, folder: parent) }
    } catch {
      removeTree(temporary)
      throw error
    }
    AtomicFile.flush(folder: parent)
  }

  /// Removes a folder and what is in it. First it loses its name, so that nobody takes what is left for the whole.
  public static func remove(_ name: String, in parent: String) throws {
    let temporary = hidden(parent)
    guard rename(parent + "/" + name, temporary) == 0 else {
      throw writingError(parent + "/" + name, errno, folder: parent)
    }
    removeTree(temporary)
  }

  /// Removes what a process that was killed left in `parent`.
  public static func removeUnfinished(in parent: String) {
    for name in names(in: parent) where name.hasPrefix(hiddenPrefix) { removeTree(parent + "/" + name) }
  }

  /// The names in a folder, in no order; none if it cannot be read.
  public static func names(in folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var found: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: pointer.pointee)) {
          String(cString: $0)
        }
      }
      if name != "." && name != ".." { found.append(name) }
    }
    return found
  }

  private static func hidden(_ parent: String) -> String {
    parent + "/" + hiddenPrefix + String(UInt64.random(in: .min ... .max), radix: 16)
  }

  /// A link is removed, not what it points to.
  private static func removeTree(_ path: String) {
    if unlink(path) == 0 { return }
    for name in names(in: path) { removeTree(path + "/" + name) }
    rmdir(path)
  }
}
