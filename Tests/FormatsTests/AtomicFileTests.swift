import Foundation
import Testing

@testable import CajalFormats

@Suite struct AtomicFileTests {
  private func names(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  @Test func aFileIsWrittenAndReplaced() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/file"
      try AtomicFile.write(to: path) { file in
        try file.write([1, 2])
        try file.write([])
        try file.write([3])
      }
      #expect(try contents(of: path) == [1, 2, 3])
      try AtomicFile.write(to: path) { try $0.write([4]) }
      #expect(try contents(of: path) == [4])
      #expect(try names(in: folder) == ["file"])
    }
  }

  @Test func aFailureLeavesTheOldFileAlone() throws {
    struct Interruption: Error {}
    try withTemporaryFolder { folder in
      let path = folder + "/file"
      try put([1, 2, 3], at: path)
      #expect(throws: Interruption.self) {
        try AtomicFile.write(to: path) { file in
          try file.write([9])
          throw Interruption()
        }
      }
      #expect(try contents(of: path) == [1, 2, 3])
      #expect(try names(in: folder) == ["file"])
    }
  }

  @Test(.enabled(if: SmallDisk.isPossible, "skipped: only the superuser can mount a small disk to fill"))
  func aFullDiskLeavesTheOldFileAlone() throws {
    try withTemporaryFolder { folder in
      try SmallDisk.with(kilobytes: 64, at: folder) {
        let path = folder + "/model.safetensors"
        let small = SafetensorsWriter.Tensor(name: "a", dtype: "U8", shape: [3], bytes: [1, 2, 3])
        let large = SafetensorsWriter.Tensor(
          name: "a", dtype: "U8", shape: [1 << 20], bytes: [UInt8](repeating: 1, count: 1 << 20))
        expectError("the disk is full", "Free space", path: path) { try SafetensorsWriter.write([large], to: path) }
        #expect(try names(in: folder) == [])
        try SafetensorsWriter.write([small], to: path)
        expectError("the disk is full", "nothing was changed") { try SafetensorsWriter.write([large], to: path) }
        #expect(try SafetensorsFile.read(path).bytes(of: "a") == [1, 2, 3])
        #expect(try names(in: folder) == ["model.safetensors"])
      }
    }
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "skipped: there is no /dev/full"))
  func aFullDiskIsNamed() throws {
    let descriptor = open("/dev/full", O_WRONLY)
    let file = FileWriter(path: "model.safetensors", descriptor: descriptor)
    defer { try? file.close() }
    expectError("model.safetensors: the disk is full. Free space") { try file.write([1]) }
  }

  @Test func aMissingFolderIsNamed() throws {
    try withTemporaryFolder { folder in
      expectError("the folder \(folder)/absent does not exist", "mkdir -p") {
        try AtomicFile.write(to: folder + "/absent/file") { try $0.write([1]) }
      }
      try put([1], at: folder + "/file")
      expectError("the folder \(folder)/file does not exist") {
        try AtomicFile.write(to: folder + "/file/file") { try $0.write([1]) }
      }
      #expect(try names(in: folder) == ["file"])
    }
  }

  @Test(.enabled(if: Permissions.canEnforce, "skipped: permissions do not bind this user"))
  func aFolderWithoutPermissionIsNamed() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/file"
      try put([1, 2, 3], at: path)
      chmod(folder, 0o555)
      Permissions.enforced {
        expectError("permission to write it is denied", "save elsewhere", path: path) {
          try AtomicFile.write(to: path) { try $0.write([1]) }
        }
      }
      chmod(folder, 0o755)
      #expect(try contents(of: path) == [1, 2, 3])
      #expect(try names(in: folder) == ["file"])
      chmod(path, 0)
      Permissions.enforced {
        expectError("permission to read it is denied") { _ = try IdxFile.read(path) }
      }
    }
  }

  @Test(.enabled(if: !Permissions.isSuperuser, "skipped: the superuser may write every file"))
  func aProtectedFileIsNotReplaced() throws {
    try withFile([1]) { path in
      chmod(path, 0o444)
      expectError("permission to write it is denied") { try AtomicFile.write(to: path) { try $0.write([2]) } }
      let kept = try contents(of: path)
      #expect(kept == [1])
    }
  }

  @Test func whatIsNoFileIsNotReplaced() throws {
    try withTemporaryFolder { folder in
      expectError("this is a folder") { try AtomicFile.write(to: folder) { try $0.write([1]) } }
      expectError("the path is empty") { try AtomicFile.write(to: "") { try $0.write([1]) } }
      #expect(mkfifo(folder + "/pipe", 0o600) == 0)
      expectError("not a regular file") { try AtomicFile.write(to: folder + "/pipe") { try $0.write([1]) } }
      let left = try names(in: folder)
      #expect(left == ["pipe"])
    }
    expectError("not a regular file") { try AtomicFile.write(to: "/dev/null") { try $0.write([1]) } }
  }

  @Test func linksAndPermissionsStay() throws {
    try withTemporaryFolder { folder in
      try put([1], at: folder + "/file")
      chmod(folder + "/file", 0o640)
      #expect(symlink("file", folder + "/link") == 0)
      try AtomicFile.write(to: folder + "/link") { try $0.write([2]) }
      #expect(try contents(of: folder + "/file") == [2])
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/link") == "file")
      let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/file")
      #expect(attributes[.posixPermissions] as? Int == 0o640)
    }
  }

  @Test func aNameThatIsTooLongIsNamed() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/" + String(repeating: "n", count: 300)
      expectError("the name is too long") { try AtomicFile.write(to: path) { try $0.write([1]) } }
      let left = try names(in: folder)
      #expect(left == [])
    }
  }
}
