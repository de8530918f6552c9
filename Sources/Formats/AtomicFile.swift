#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Writes a file whole or not at all.
public enum AtomicFile {
  /// Calls `body` to write a temporary file in the folder of `path`, flushes it
  /// to the disk and renames it over `path`.
  ///
  /// Readers see the old file or the new one, never a part. A file that is
  /// replaced keeps its permissions; of a symbolic link, the file that it
  /// points to is replaced.
  ///
  /// **Errors**: `FormatError` where the folder is missing or may not be
  /// written, the disk is full, or `path` is no regular file; and what `body`
  /// throws. Then the temporary file is gone and the old file is as it was.
  ///
  /// ```swift
  /// try AtomicFile.write(to: "notes.txt") { file in
  ///   try file.write(Array("hello\n".utf8))
  /// }
  /// ```
  public static func write(to path: String, _ body: (FileWriter) throws -> Void) throws {
    try checkPath(path)
    let (target, mode) = try resolve(path)
    let folder = folder(of: target)
    let temporary = folder + "/.cajal-" + String(UInt64.random(in: .min ... .max), radix: 16) + ".tmp"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw writingError(path, errno, folder: folder) }
    let file = FileWriter(path: path, descriptor: descriptor)
    do {
      try body(file)
      if let mode, fchmod(descriptor, mode) != 0 { throw writingError(path, errno, folder: folder) }
      guard fsync(descriptor) == 0 else { throw writingError(path, errno, folder: folder) }
      try file.close()
      guard rename(temporary, target) == 0 else { throw writingError(path, errno, folder: folder) }
    } catch {
      try? file.close()
      unlink(temporary)
      throw error
    }
    flush(folder: folder)
  }

  /// The file to replace, links followed, and its permissions where it exists.
  private static func resolve(_ path: String) throws -> (target: String, mode: mode_t?) {
    var status = stat()
    guard stat(path, &status) == 0 else { return (path, nil) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw notARegularFile(path, status.st_mode) }
    // Renaming would replace a file that its owner protected.
    guard access(path, W_OK) == 0, let resolved = realpath(path, nil) else {
      throw writingError(path, errno, folder: folder(of: path))
    }
    defer { free(resolved) }
    return (String(cString: resolved), status.st_mode & 0o7777)
  }

  private static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Makes the rename itself survive a power cut, where the file system can.
  static func flush(folder: String) {
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }
}

/// The file that `AtomicFile.write` is writing.
public final class FileWriter {
  /// The path that the finished file will have.
  public let path: String
  private var descriptor: Int32

  init(path: String, descriptor: Int32) {
    self.path = path
    self.descriptor = descriptor
  }

  /// Appends `bytes`.
  ///
  /// **Errors**: `FormatError` where the disk is full or fails.
  public func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try write($0) }
  }

  /// Appends the bytes of `buffer`.
  ///
  /// **Errors**: `FormatError` where the disk is full or fails.
  public func write(_ buffer: UnsafeRawBufferPointer) throws {
    var done = 0
    while done < buffer.count {
      let count = systemWrite(descriptor, buffer.baseAddress! + done, buffer.count - done)
      if count < 0 {
        if errno == EINTR { continue }
        throw writingError(path, errno, folder: ".")
      }
      done += count
    }
  }

  /// Closes the file. Network file systems report a full disk only here.
  func close() throws {
    guard descriptor >= 0 else { return }
    let open = descriptor
    descriptor = -1
    let result = systemClose(open)
    if result != 0 && errno != EINTR { throw writingError(path, errno, folder: ".") }
  }
}

// Under these names because `FileWriter` has methods called as the system's are.
private func systemWrite(_ descriptor: Int32, _ start: UnsafeRawPointer, _ count: Int) -> Int {
  write(descriptor, start, count)
}
private func systemClose(_ descriptor: Int32) -> Int32 { close(descriptor) }

func writingError(_ path: String, _ code: Int32, folder: String) -> FormatError {
  let (problem, remedy) =
    switch code {
    case ENOSPC: ("the disk is full", "Free space on it, or save elsewhere; nothing was changed")
    case EDQUOT: ("the disk quota is used up", "Remove files of yours, or save elsewhere; nothing was changed")
    case EFBIG: ("the file is larger than the file system or ulimit -f allows", "Raise the limit, or save elsewhere")
    case ENOENT, ENOTDIR: ("the folder \(folder) does not exist", "Create it (mkdir -p), or save elsewhere")
    case EACCES, EPERM:
      ("permission to write it is denied", "Change the permissions of the file and its folder, or save elsewhere")
    case EROFS: ("its file system is read-only", "Save elsewhere")
    case ENAMETOOLONG: ("the name is too long", "Choose a shorter one")
    case EMFILE, ENFILE: ("too many files are open", "Close some, or raise the limit (ulimit -n)")
    default: ("it cannot be written (\(systemMessage(code)))", "Check the path and the disk, or save elsewhere")
    }
  return FormatError(path: path, problem: problem, remedy: remedy)
}
