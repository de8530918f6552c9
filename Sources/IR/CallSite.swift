import Foundation
import Runtime

/// Finds the user's line behind a bad operation.
public enum CallSite {
  /// Modules whose frames are not the user's, as symbols begin.
  private static let internalModules = [
    "CajalBase", "CajalIR", "CajalOperations", "CajalAutodiff", "CajalCompiler", "CajalBackends", "CajalEngine",
    "CajalTensor", "CajalNN", "CajalOptimizers", "CajalData", "CajalTraining", "CajalFormats",
  ].map { "$s\($0.utf8.count)\($0)" }

  /// Thunks carry no module's name, but they have a file: these folders are the framework's.
  private static let internalFolders = [
    "Base", "IR", "Operations", "Autodiff", "Compiler", "Backends", "Engine", "Tensor", "NN", "Optimizers", "Data",
    "Training", "Formats",
  ].map { sources + $0 + "/" }

  private static let sources = resolved(#filePath).replacingOccurrences(of: "IR/CallSite.swift", with: "")

  private static func resolved(_ path: String) -> String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path }

  /// `function at file:line` of the innermost frame outside the framework, or `nil` where
  /// the platform cannot say. Takes a backtrace: for errors only.
  public static func current() -> String? {
    guard let backtrace = try? Backtrace.capture(limit: 128), let symbols = backtrace.symbolicated() else { return nil }
    for frame in symbols.frames {
      guard let symbol = frame.symbol, !symbol.rawName.isEmpty, !frame.isSwiftThunk else { continue }
      if internalModules.contains(where: { symbol.rawName.hasPrefix($0) }) { continue }
      // The runtime's own frames have no source.
      guard let location = symbol.sourceLocation, !location.path.isEmpty, location.line > 0 else { continue }
      if location.path.hasPrefix("/<compiler-generated>") { continue }
      let path = resolved(location.path)
      if internalFolders.contains(where: { path.hasPrefix($0) }) { continue }
      let file = path.split(separator: "/").suffix(3).joined(separator: "/")
      return "\(symbol.name) at \(file):\(location.line)"
    }
    return nil
  }
}
