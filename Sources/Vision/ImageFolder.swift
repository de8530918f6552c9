import CajalBase
import CajalData
import CajalFormats
import Foundation

/// Pictures in folders, one folder a class, named as it: `cats/1.jpg`, `dogs/a/2.png`.
///
/// ```swift
/// let photos = try ImageFolder("photos")
/// let (train, test) = photos.split(0.8, seed: 1)
/// let batches = train.examples().shuffled(seed: 1)
///   .augmented([.rgb, .randomResizedCrop(224), .randomMirror()], seed: 1, workers: 2)
///   .batched(32, normalizedBy: .imageNet)
/// ```
public struct ImageFolder: Sendable {
  public let path: String
  /// The names of the folders, sorted: class 0, 1, and so on.
  public let classes: [String]
  /// The pictures' paths and classes, class by class, sorted.
  public let files: [File]

  public struct File: Sendable, Equatable {
    public let path: String
    public let label: Int
  }

  /// Lists the pictures (`.png`, `.jpg`, `.jpeg`) of the folders in `path`, whatever depth they are at; hidden ones are
  /// left out, and a folder that links lead to twice is read once.
  ///
  /// **Errors**: `FormatError` where there is no such folder, no folder in it, or one without pictures.
  public init(_ path: String) throws {
    let names = try Self.list(path).filter { Self.isFolder("\(path)/\($0)") }
    guard !names.isEmpty else {
      throw FormatError(
        path: path, problem: "there are no folders in it", remedy: "Put the pictures of each class into a folder")
    }
    var files: [File] = []
    for (label, name) in names.enumerated() {
      var visited: Set<String> = []
      let pictures = try Self.pictures(in: "\(path)/\(name)", &visited)
      guard !pictures.isEmpty else {
        throw FormatError(
          path: "\(path)/\(name)", problem: "there is no picture in it (.png, .jpg, .jpeg)",
          remedy: "Remove the folder, or put the pictures of its class into it")
      }
      files += pictures.map { File(path: $0, label: label) }
    }
    self.init(path: path, classes: names, files: files)
  }

  private init(path: String, classes: [String], files: [File]) {
    (self.path, self.classes, self.files) = (path, classes, files)
  }

  public var count: Int { files.count }

  /// The pictures, read when they are asked for.
  ///
  /// - Parameter limit: see ``Image/read(_:limit:)``.
  public func examples(limit: Int = Image.defaultLimit) -> Dataset<LabeledImage> {
    Dataset(files).map { LabeledImage(image: try Image.read($0.path, limit: limit), label: $0.label) }
  }

  /// Two parts: so much of each class, drawn by chance, and the rest.
  public func split(_ share: Double, seed: UInt64 = 0) -> (ImageFolder, ImageFolder) {
    var draws = RandomDraws(key: seed)
    var parts: ([File], [File]) = ([], [])
    let share = share > 0 ? min(share, 1) : 0
    for label in classes.indices {
      let own = files.filter { $0.label == label }.shuffled(using: &draws)
      let count = Int((share * Double(own.count)).rounded())
      parts.0 += own.prefix(max(0, count))
      parts.1 += own.dropFirst(max(0, count))
    }
    return (
      ImageFolder(path: path, classes: classes, files: parts.0),
      ImageFolder(path: path, classes: classes, files: parts.1)
    )
  }

  private static func list(_ path: String) throws -> [String] {
    guard isFolder(path), let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
      throw FormatError(path: path, problem: "there is no such folder", remedy: "Check the path")
    }
    return names.filter { !$0.hasPrefix(".") }.sorted()
  }

  private static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }

  private static func pictures(in folder: String, _ visited: inout Set<String>) throws -> [String] {
    guard visited.insert(URL(fileURLWithPath: folder).resolvingSymlinksInPath().path).inserted else { return [] }
    return try list(folder).flatMap { name -> [String] in
      let path = "\(folder)/\(name)"
      if isFolder(path) { return try pictures(in: path, &visited) }
      return Image.Format(name: name) == nil ? [] : [path]
    }
  }
}
