import Foundation

/// Files that come with the package.
enum Resources {
  /// Where the folder `name` may be: a build's resources, beside the program or the tests that run, and the sources.
  static func candidates(_ name: String) -> [String] {
    let bundled = "cajal_CajalData.resources/\(name)"
    let program = Bundle.main.bundleURL
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    let folders = [program, program.deletingLastPathComponent()].map { $0.appendingPathComponent(bundled).path }
    return folders + [sources.appendingPathComponent("Resources/\(name)").path]
  }

  static func folder(_ name: String) -> String? {
    candidates(name).first { FileManager.default.fileExists(atPath: $0) }
  }
}
