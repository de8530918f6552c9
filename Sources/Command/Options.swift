import ArgumentParser
import Cajal
import CajalBase
import Foundation

/// Flags that every command about data understands.
struct DataOptions: ParsableArguments {
  @Argument(
    help: """
      A table's file, a folder of files in MNIST's or CIFAR-10's form, or a name that `cajal data list` shows.
      """, completion: .file())
  var source: String?

  @Option(help: "The same: a name, or a folder of files in MNIST's or CIFAR-10's form, .gz or not. (default: mnist)")
  var dataset: String?

  @Option(help: "How many classes the labels of idx files have.")
  var classes = 10

  func validate() throws {
    if source != nil, dataset != nil { throw ValidationError("name the data once: \(source ?? "") or --dataset.") }
    if source?.isEmpty == true { throw ValidationError("the data's name is empty. Name a table, a folder or mnist.") }
    if dataset?.isEmpty == true {
      throw ValidationError("--dataset names nothing. Name a folder, or leave it out for mnist.")
    }
    if classes < 2 || classes > 256 { throw ValidationError("--classes must be in 2...256: labels are bytes.") }
    if name(orElse: nil) == "mnist", classes != 10 {
      throw ValidationError("mnist has 10 classes, not \(classes). Leave --classes out, or name a folder (./mnist).")
    }
  }

  /// The table that is named, if it is one: a file, or a name of the catalogue.
  var table: String? {
    guard let source else {
      guard case .table = DataCatalog.all.first(where: { $0.name == dataset })?.content else { return nil }
      return dataset
    }
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: source, isDirectory: &isFolder) {
      return isFolder.boolValue ? nil : source
    }
    if case .pictures = DataCatalog.all.first(where: { $0.name == source })?.content { return nil }
    return source
  }

  /// Whether nobody said which data.
  var isNameless: Bool { source == nil && dataset == nil }

  /// - Parameter standard: what is meant where nobody says; mnist if `nil`.
  func load(_ output: Output, orElse standard: String? = nil) throws -> ImageDataset {
    let name = name(orElse: standard)
    if case .pictures = DataCatalog.all.first(where: { $0.name == name })?.content {
      try DataCommand.fetch(name, output)
      return try DataCatalog.pictures(name)
    }
    // A shell leaves `~/` alone in `--dataset=~/…`.
    let home = FileManager.default.homeDirectoryForCurrentUser.path
    let folder = name.hasPrefix("~/") ? home + name.dropFirst() : name
    return try ImageDataset.read(folder: folder, classes: classes)
  }

  /// The catalogue's name of the pictures that ``load(_:orElse:)`` gives; `nil` of a folder, whatever its name.
  var catalogued: String? {
    guard case .pictures = DataCatalog.all.first(where: { $0.name == name(orElse: nil) })?.content else { return nil }
    return name(orElse: nil)
  }

  private func name(orElse standard: String?) -> String { source ?? dataset ?? standard ?? "mnist" }
}

/// Flags that every command about the CPU understands.
struct CommonOptions: ParsableArguments {
  @Option(help: "Threads of the CPU; all it has by default. Results do not depend on it.")
  var threads: Int?

  @Flag(help: "One JSON object a line on standard output, and nothing else there.")
  var json = false

  func validate() throws {
    if let threads, threads < 1 { throw ValidationError("--threads must be at least 1.") }
  }

  func apply() {
    if let threads { Runtime.threads = threads }
  }
}

/// Flags about the machine.
struct MachineOptions: ParsableArguments {
  @OptionGroup var common: CommonOptions

  @Option(help: "Where to compute: cpu, reference (slow, plain: the judge) or fake (an accelerator for tests).")
  var device = Settings.process.device

  var json: Bool { common.json }

  func validate() throws {
    if Device(named: device) == nil {
      let names = Device.all.map(\.name).joined(separator: ", ")
      throw ValidationError("there is no device '\(device)'. Use one of \(names).")
    }
  }

  /// Runs `body` on this machine as asked.
  func run(_ body: () throws -> Void) throws {
    common.apply()
    try withDevice(Device(named: device) ?? .cpu, body)
  }
}
