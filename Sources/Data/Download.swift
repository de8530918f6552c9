import CajalFormats
import Foundation

/// Brings files from the network, through the machine's `curl`.
enum Download {
  /// Brings those of `files` that `folder` lacks, and returns it. A file has its name there only once it is whole and
  /// its checksum right.
  static func fetch(
    _ files: [DataCatalog.File], into folder: String, progress: (DataCatalog.Progress) -> Void
  ) throws -> String {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw FormatError(
        path: folder, problem: "the folder cannot be made (\(error.localizedDescription))",
        remedy: "Name another in CAJAL_DATA")
    }
    for file in files where !FileManager.default.fileExists(atPath: "\(folder)/\(file.name)") {
      try fetch(file, into: folder, progress: progress)
    }
    return folder
  }

  private static func fetch(
    _ file: DataCatalog.File, into folder: String, progress: (DataCatalog.Progress) -> Void
  ) throws {
    let path = "\(folder)/\(file.name)"
    let part = "\(folder)/.\(file.name)-\(UUID().uuidString).part"
    defer { try? FileManager.default.removeItem(atPath: part) }
    try curl(file, to: part, path: path) { bytes in
      progress(DataCatalog.Progress(file: file.name, bytes: bytes, totalBytes: file.byteCount))
    }
    let checksum = try SHA256.of(file: part)
    guard checksum == file.checksum else {
      throw FormatError(
        path: path, problem: "\(file.url) has the checksum \(checksum), not \(file.checksum)",
        remedy: "Try again; if that does not help, the file there has changed: put the right one into \(folder) by hand"
      )
    }
    do { try FileManager.default.moveItem(atPath: part, toPath: path) } catch {
      // Somebody else brought it meanwhile: that is as good.
      guard FileManager.default.fileExists(atPath: path) else {
        throw FormatError(
          path: path, problem: "it cannot be written (\(error.localizedDescription))",
          remedy: "Name another folder in CAJAL_DATA")
      }
    }
  }

  private static func curl(
    _ file: DataCatalog.File, to part: String, path: String, progress: (_ bytes: Int) -> Void
  ) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    // No answer within 20 s, or less than 1 kB/s for 30 s, is no network. No file is larger than what is known of it.
    process.arguments = [
      "curl", "--fail", "--silent", "--show-error", "--location", "--connect-timeout", "20", "--speed-limit", "1000",
      "--speed-time", "30", "--max-filesize", "\(file.byteCount)", "--output", part, "--", file.url,
    ]
    let errors = Pipe()
    process.standardError = errors
    process.standardInput = FileHandle.nullDevice
    let byHand = "Download it elsewhere and put it there as \(path)"
    do { try process.run() } catch {
      throw FormatError(path: path, problem: "curl cannot be started", remedy: "Install curl. Or: \(byHand)")
    }
    while process.isRunning {
      let attributes = try? FileManager.default.attributesOfItem(atPath: part)
      progress((attributes?[.size] as? Int) ?? 0)
      Thread.sleep(forTimeInterval: 0.1)
    }
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      // env answers 127 where there is no such program.
      let reason =
        process.terminationStatus == 127
        ? "there is no curl" : message.split(separator: "\n").last.map(String.init) ?? "curl failed"
      throw FormatError(
        path: path, problem: "\(file.url) cannot be downloaded (\(reason))",
        remedy: "Check the network and try again. Or: \(byHand)")
    }
    progress(file.byteCount)
  }
}
