import CajalFormats
import CajalTensor
import Foundation

/// Data sets known by name: some come with the package, others are downloaded once.
///
/// Downloads lie in a folder for each name below the one that `CAJAL_DATA` names, or `~/.cache/cajal/data`. Files that
/// are put there by hand serve as well.
///
/// ```swift
/// try DataCatalog.fetch("fashion-mnist") { print("\($0.file): \($0.fraction)") }
/// let clothes = try DataCatalog.pictures("fashion-mnist")
/// let (train, test, target) = try DataCatalog.table("wine")
/// ```
public enum DataCatalog {
  /// One data set.
  public struct Entry: Sendable {
    public let name: String
    /// What it is, in a line.
    public let summary: String
    public let licence: String
    public let content: Content
    public let files: [File]
    /// Whether it comes with the package.
    public let isShipped: Bool
    /// What a table's target is learned as, where its values alone do not tell.
    public internal(set) var task: Preprocessing.Task?
    /// The columns' names, where the files do not have them.
    var columns: [String]?

    /// Whether its files are here: shipped or downloaded.
    public var isAvailable: Bool { (try? locate(name)) ?? nil != nil }
  }

  public enum Content: Sendable, Equatable {
    /// Pictures of so many classes.
    case pictures(classes: Int)
    /// A table, and its column to be learned.
    case table(target: String)
  }

  /// A file of a data set.
  public struct File: Sendable {
    public let name: String
    public let url: String
    /// The SHA-256 of what is at `url`, in hexadecimal digits.
    public let checksum: String
    public let byteCount: Int
    /// Lines before the first row.
    var skippedLines = 0
  }

  /// How far a download is.
  public struct Progress: Sendable {
    public let file: String
    public let bytes: Int
    public let totalBytes: Int
    public var fraction: Double { Swift.min(1, Double(bytes) / Double(Swift.max(1, totalBytes))) }
  }

  /// The folder that downloads go to.
  public static var cache: String {
    let environment = ProcessInfo.processInfo.environment
    if let named = environment["CAJAL_DATA"], !named.isEmpty { return named }
    return (environment["HOME"] ?? NSHomeDirectory()) + "/.cache/cajal/data"
  }

  /// What is known of `name`.
  ///
  /// - Throws: ``FormatError`` that lists the names.
  public static func entry(_ name: String) throws -> Entry {
    if let entry = all.first(where: { $0.name == name }) { return entry }
    throw FormatError(
      path: name, problem: "there is no data set of this name",
      remedy: "Choose one of \(all.map(\.name).joined(separator: ", ")), or name a file")
  }

  /// The folder of a data set's files; `nil` where it must be fetched first.
  public static func locate(_ name: String) throws -> String? {
    let entry = try entry(name)
    if entry.isShipped { return Resources.folder(name == "mnist" ? "mnist" : "toy") }
    let folder = cache + "/" + name
    let isThere = entry.files.allSatisfy { FileManager.default.fileExists(atPath: folder + "/" + $0.name) }
    return isThere ? folder : nil
  }

  /// Sees to it that a data set is here: downloads what is missing, checks its checksum, and only then gives it its
  /// name.
  ///
  /// - Returns: the folder of its files.
  /// - Throws: ``FormatError`` where there is no network, no `curl`, or another file than the one known; it says how to
  ///   go on.
  @discardableResult
  public static func fetch(_ name: String, progress: (Progress) -> Void = { _ in }) throws -> String {
    if let folder = try locate(name) { return folder }
    let entry = try entry(name)
    guard !entry.isShipped else {
      throw FormatError(
        path: name, problem: "the files that come with the package are not there",
        remedy: "Run from a build of the package")
    }
    return try Download.fetch(entry.files, into: cache + "/" + name, progress: progress)
  }

  // MARK: Contents

  /// The pictures of a data set that is here.
  public static func pictures(_ name: String) throws -> ImageDataset {
    let entry = try entry(name)
    guard case .pictures(let classes) = entry.content else {
      throw FormatError(path: name, problem: "this is a table, not pictures", remedy: "Use it with `table`")
    }
    if name == "mnist" { return try MNIST.load() }
    let folder = try required(name)
    if name == "cifar100" { return try CIFAR100.read(archive: folder + "/" + entry.files[0].name) }
    if name == "cifar10" { return try CIFAR10.read(archive: folder + "/" + entry.files[0].name) }
    let data = try ImageDataset.idx(folder: folder, classes: classes)
    return ImageDataset(name: name, train: data.train, test: data.test)
  }

  /// The table of a data set that is here, its part to test with if it has one of its own, and the column to be learned.
  public static func table(_ name: String) throws -> (train: Table, test: Table?, target: String) {
    let entry = try entry(name)
    guard case .table(let target) = entry.content else {
      throw FormatError(path: name, problem: "these are pictures, not a table", remedy: "Use them with `pictures`")
    }
    let folder = try required(name)
    var parts = try entry.files.map { file in
      var options = CSVReader.Options()
      options.skippedLines = file.skippedLines
      return try Table(csv: folder + "/" + file.name, options: options)
    }
    // scikit-learn keeps what is to be learned in a second file.
    if entry.isShipped, parts.count == 2 { parts = [try parts[0].joined(with: parts[1])] }
    if let columns = entry.columns { parts = parts.map { $0.renamed(columns) } }
    return (parts[0], parts.count > 1 ? parts[1] : nil, target)
  }

  private static func required(_ name: String) throws -> String {
    if let folder = try locate(name) { return folder }
    throw FormatError(
      path: cache + "/" + name, problem: "the data set \(name) is not here",
      remedy: "Download it (cajal data get \(name)), or name the folder that has it in CAJAL_DATA")
  }
}
