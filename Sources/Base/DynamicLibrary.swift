// Native libraries are found at run time, so that the toolchain alone builds
// Cajal. Every such library comes through `DynamicLibrary`, and every one that
// Cajal knows has a line in `OptionalLibrary.all`.

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A native library opened at run time.
///
/// It stays open until the process ends: function pointers taken from it never
/// dangle.
public final class DynamicLibrary: Sendable {
  /// The candidate under which the library was found, such as `libz.so.1`.
  public let name: String

  // An opaque token of the dynamic loader, which is thread-safe.
  private nonisolated(unsafe) let handle: UnsafeMutableRawPointer

  private init(name: String, handle: UnsafeMutableRawPointer) {
    self.name = name
    self.handle = handle
  }

  /// Opens the first of `candidates` that the dynamic loader finds, or returns
  /// nil where there is none.
  ///
  /// A candidate is a file name, looked up as the loader does, or a path.
  public static func open(_ candidates: [String]) -> DynamicLibrary? {
    for candidate in candidates {
      if let handle = dlopen(candidate, RTLD_NOW | RTLD_LOCAL) {
        return DynamicLibrary(name: candidate, handle: handle)
      }
    }
    return nil
  }

  /// The function called `name`, or nil where the library has none.
  ///
  /// `type` must be a `@convention(c)` function type that agrees with the C
  /// declaration; nothing can check that.
  ///
  /// ```swift
  /// typealias Version = @convention(c) () -> UnsafePointer<CChar>?
  /// let version = OptionalLibrary.zlib.open()?.symbol("zlibVersion", as: Version.self)
  /// ```
  public func symbol<T>(_ name: String, as type: T.Type) -> T? {
    precondition(
      MemoryLayout<T>.size == MemoryLayout<UnsafeMutableRawPointer>.size,
      "DynamicLibrary.symbol: \(type) is not a @convention(c) function type")
    guard let address = dlsym(handle, name) else { return nil }
    return unsafeBitCast(address, to: type)
  }
}

/// A native library that Cajal uses where the machine has it.
public struct OptionalLibrary: Sendable {
  /// The library's usual name, such as `zlib`.
  public let name: String
  /// The file names under which to look for it, the preferred one first.
  public let candidates: [String]
  /// What does not work without it, to be read after "without it, ".
  public let lostWithout: String
  /// The Debian and Ubuntu package that brings it.
  public let package: String

  public init(name: String, candidates: [String], lostWithout: String, package: String) {
    self.name = name
    self.candidates = candidates
    self.lostWithout = lostWithout
    self.package = package
  }

  /// Opens the library, or returns nil where it is missing.
  public func open() -> DynamicLibrary? { DynamicLibrary.open(candidates) }

  /// zlib, which reads and writes gzip.
  public static let zlib = OptionalLibrary(
    name: "zlib",
    candidates: ["libz.so.1", "libz.so", "libz.1.dylib"],
    lostWithout: "gzip files (.gz), such as the MNIST files that come with Cajal, cannot be read",
    package: "zlib1g")

  /// libpng, which reads and writes PNG pictures.
  public static let libpng = OptionalLibrary(
    name: "libpng",
    candidates: ["libpng16.so.16", "libpng16.so", "libpng16.16.dylib", "libpng16.dylib"],
    lostWithout: "PNG pictures cannot be read, and what networks see cannot be drawn",
    package: "libpng16-16")

  /// libjpeg-turbo's own interface, which reads and writes JPEG pictures.
  public static let turbojpeg = OptionalLibrary(
    name: "libjpeg-turbo",
    candidates: ["libturbojpeg.so.0", "libturbojpeg.so", "libturbojpeg.0.dylib", "libturbojpeg.dylib"],
    lostWithout: "JPEG pictures cannot be read or written",
    package: "libturbojpeg0")

  /// Every library that Cajal looks for.
  public static let all: [OptionalLibrary] = [zlib, libpng, turbojpeg]
}
