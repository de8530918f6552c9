import CajalBase

/// A small file system in memory, so that a disk can be full.
enum SmallDisk {
  private typealias Mount =
    @convention(c) (
      UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafePointer<CChar>, CUnsignedLong, UnsafePointer<CChar>
    ) -> CInt
  private typealias Unmount = @convention(c) (UnsafePointer<CChar>) -> CInt

  // Through the C library, because Swift's modules do not all show these.
  private static let library = DynamicLibrary.open(["libc.so.6", "libc.so"])

  /// Whether it is there; only the superuser of a Linux may.
  static func mount(kilobytes: Int, at folder: String) -> Bool {
    library?.symbol("mount", as: Mount.self)?("tmpfs", folder, "tmpfs", 0, "size=\(kilobytes)k") == 0
  }

  static func unmount(_ folder: String) { _ = library?.symbol("umount", as: Unmount.self)?(folder) }
}
