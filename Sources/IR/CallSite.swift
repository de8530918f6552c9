import Foundation
import Runtime

/// Finds the user's line behind a bad operation.
public enum CallSite {
  /// Modules whose frames are not the user's: the mangled prefixes of this package's targets.
  private static let internalModules = [
    "CajalBase", "CajalIR", "CajalOperations", "CajalAutodiff", "CajalCompiler", "CajalBackends", "CajalEngine",
    "CajalTensor", "CajalNN", "CajalData", "CajalTraining", "CajalFormats",
  ].map { "$s\($0.utf8.count)\($0)" }

  /// `function at file:line` of the innermost frame outside the framework, or `nil` where
  /// the platform cannot say. Takes a backtrace: for errors only.
  public static func current() -> String? {
    guard let backtrace = try? Backtrace.capture(limit: 64), let symbols = backtrace.symbolicated() else { return nil }
    for frame in symbols.frames {
      guard let symbol = frame.symbol, !symbol.rawName.isEmpty else { continue }
      if internalModules.contains(where: { symbol.rawName.hasPrefix($0) }) { continue }
      // Runtime's own frames and outlined copies carry no source.
      guard let location = symbol.sourceLocation, !location.path.isEmpty, location.line > 0 else { continue }
      let file = location.path.split(separator: "/").suffix(3).joined(separator: "/")
      if file.contains("Sources/") && internalFolders.contains(where: { location.path.contains($0) }) { continue }
      return "\(symbol.name) at \(file):\(location.line)"
    }
    return nil
  }

  private static let internalFolders = ["swift-build/", "/Swift/", "/Synchronization/"]
}
