import CajalBase
import Foundation

// What these tests ask of the operating system beyond Foundation, through the C
// library, because Swift's modules do not all show it.

private let library = DynamicLibrary.open(["libc.so.6", "libc.so", "libSystem.dylib"])

/// A small file system in memory, so that a disk can be full.
enum SmallDisk {
  private typealias Mount =
    @convention(c) (
      UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafePointer<CChar>, CUnsignedLong, UnsafePointer<CChar>
    ) -> CInt
  private typealias Unmount = @convention(c) (UnsafePointer<CChar>) -> CInt

  /// Whether this process may mount one.
  static let isPossible = (try? withTemporaryFolder { try with(kilobytes: 16, at: $0) {} }) != nil

  /// Calls `body` while a disk of so many kilobytes is mounted at `folder`.
  static func with(kilobytes: Int, at folder: String, _ body: () throws -> Void) throws {
    #if os(Linux)
      guard let mount = library?.symbol("mount", as: Mount.self),
        let unmount = library?.symbol("umount", as: Unmount.self),
        mount("tmpfs", folder, "tmpfs", 0, "size=\(kilobytes)k") == 0
      else { throw CocoaError(.featureUnsupported) }
      defer { _ = unmount(folder) }
      try body()
    #else
      throw CocoaError(.featureUnsupported)
    #endif
  }
}

/// Permissions bind everyone but the superuser.
enum Permissions {
  private typealias SetUser = @convention(c) (CUnsignedInt) -> CInt

  static let isSuperuser = geteuid() == 0
  private static let setUser = library?.symbol("setfsuid", as: SetUser.self)

  /// Whether `enforced` can be used.
  static let canEnforce = !isSuperuser || setUser != nil

  /// Calls `body` as a user whom permissions bind. Of the superuser, only this
  /// thread, and only for files, becomes user 65534, "nobody".
  static func enforced(_ body: () throws -> Void) rethrows {
    guard isSuperuser, let setUser = setUser else { return try body() }
    _ = setUser(65534)
    defer { _ = setUser(0) }
    try body()
  }
}

/// Whether the machine refuses memory that it does not have.
let refusesHugeAllocations: Bool = {
  let policy = try? String(contentsOfFile: "/proc/sys/vm/overcommit_memory", encoding: .utf8)
  return policy.map { !$0.hasPrefix("1") } ?? false
}()
