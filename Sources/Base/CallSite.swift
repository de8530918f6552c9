import Foundation
import Runtime

/// The user's line behind a bad operation: a backtrace, taken when the error is made, and read when
/// somebody asks, which is slow.
public final class CallSite: Sendable {
  private let backtrace: Backtrace
  private let found = Locked<String??>(nil)

  private init(_ backtrace: Backtrace) { self.backtrace = backtrace }

  /// The site of the call being made. Takes a backtrace: for errors only.
  public static func current() -> CallSite? { (try? Backtrace.capture(limit: 128)).map { CallSite($0) } }

  /// `function at file:line` of the innermost frame outside the framework, or `nil` where the platform
  /// cannot say.
  public var text: String? {
    found.withLock { found in
      if let known = found { return known }
      let text = CallSite.read(backtrace)
      found = .some(text)
      return text
    }
  }

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

  private static let sources = resolved(#filePath).replacingOccurrences(of: "Base/CallSite.swift", with: "")

  private static func resolved(_ path: String) -> String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path }

  private static func read(_ backtrace: Backtrace) -> String? {
    guard let symbols = backtrace.symbolicated() else { return nil }
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
