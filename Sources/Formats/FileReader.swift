#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A regular file open for reading at any offset.
///
/// The file stays the one that was opened, also when another is renamed over
/// its path.
package final class FileReader: Sendable {
  package let path: String
  /// The file's size in bytes when it was opened.
  package let size: Int
  private let descriptor: Int32

  package init(_ path: String) throws {
    try checkPath(path)
    // Without O_NONBLOCK, opening a named pipe would wait for its writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw readingError(path, errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      close(descriptor)
      throw readingError(path, code)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw notARegularFile(path, status.st_mode)
    }
    self.path = path
    self.size = Int(status.st_size)
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Fills `buffer` with the bytes from `offset` on, as far as the file has
  /// them, and returns how many it had.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var done = 0
    while done < buffer.count {
      let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
      if count < 0 {
        if errno == EINTR { continue }
        throw readingError(path, errno)
      }
      if count == 0 { break }
      done += count
    }
    return done
  }

  /// The `count` bytes from `offset` on, which the caller knows to lie within
  /// the file's `size`.
  package func bytes(at offset: Int, count: Int) throws -> [UInt8] {
    let bytes = try makeBytes(count, for: path) { try read(at: offset, into: $0) }
    guard bytes.count == count else {
      throw FormatError(
        path: path, problem: "the file ends at byte \(offset + bytes.count); it had \(size) bytes when it was opened",
        remedy: "Something shortened it while it was read; try again once that is done")
    }
    return bytes
  }
}

/// An array of as many bytes as `fill` puts into the buffer of `count` that it
/// is given.
///
/// **Errors**: what `fill` throws, and a `FormatError` for `path` where there is
/// no memory.
package func makeBytes(
  _ count: Int, for path: String, _ fill: (UnsafeMutableRawBufferPointer) throws -> Int
) throws -> [UInt8] {
  // Swift would write the count into the storage that all empty arrays share.
  guard count > 0 else { return [] }
  try checkAllocation(count, for: path)
  return try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
    initialized = try fill(UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]))
  }
}

/// Throws where memory for `count` bytes is not to be had, because an array
/// that cannot be allocated ends the process.
private func checkAllocation(_ count: Int, for path: String) throws {
  // Smaller requests are not worth asking about.
  guard count >= 1 << 26 else { return }
  let probe = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
  guard let probe, probe != MAP_FAILED else {
    throw FormatError(
      path: path, problem: "there is no memory for the \(count) bytes that it holds",
      remedy: "Free memory or use a machine with more")
  }
  munmap(probe, count)
}

/// Throws where `path` cannot name a file: C would silently cut it at a zero
/// byte.
func checkPath(_ path: String) throws {
  if path.isEmpty {
    throw FormatError(path: "\"\"", problem: "the path is empty", remedy: "Name a file")
  }
  if path.utf8.contains(0) {
    throw FormatError(path: quoted(path), problem: "the path contains a zero byte", remedy: "Name a file without one")
  }
}

/// The error for anything but a regular file where one was expected.
func notARegularFile(_ path: String, _ mode: mode_t) -> FormatError {
  let isFolder = mode & S_IFMT == S_IFDIR
  return FormatError(
    path: path, problem: isFolder ? "this is a folder, not a file" : "this is not a regular file",
    remedy: isFolder ? "Name a file in it" : "Name a regular file: pipes and devices do not work here")
}

/// The error of the operating system, in its own words.
func systemMessage(_ code: Int32) -> String { String(cString: strerror(code)) }

private func readingError(_ path: String, _ code: Int32) -> FormatError {
  let (problem, remedy) =
    switch code {
    case ENOENT, ENOTDIR: ("there is no such file", "Check the path")
    case EACCES, EPERM: ("permission to read it is denied", "Change its permissions, or run as a user who may read it")
    case EMFILE, ENFILE: ("too many files are open", "Close some, or raise the limit (ulimit -n)")
    case EIO: ("the disk could not read it (\(systemMessage(code)))", "Check the disk, or copy the file anew")
    default: ("it cannot be read (\(systemMessage(code)))", "Check the path and the disk")
    }
  return FormatError(path: path, problem: problem, remedy: remedy)
}
