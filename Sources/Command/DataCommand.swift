import ArgumentParser
import Cajal

/// Data sets by name.
struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data",
    abstract: "Data sets that are known by name: list them, get them.",
    discussion: """
      Some come with the program; others are downloaded once, with a checksum, into a folder that CAJAL_DATA names \
      (~/.cache/cajal/data by default).

      EXAMPLES
        cajal data list
        cajal data get fashion-mnist
        cajal train fashion-mnist
        cajal train iris
      """,
    subcommands: [List.self, Get.self], defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "One line a data set.")

    @Flag(help: "One JSON object a line.")
    var json = false

    func run() throws {
      let output = Output(isJSON: json)
      var rows: [[String]] = []
      for entry in DataCatalog.all {
        let state = entry.isShipped ? "ships" : entry.isAvailable ? "here" : "to get"
        rows.append([entry.name, state, entry.licence, entry.summary])
        try output.emit(
          "data",
          [
            ("name", .text(entry.name)), ("available", .flag(entry.isAvailable)), ("ships", .flag(entry.isShipped)),
            ("licence", .text(entry.licence)), ("summary", .text(entry.summary)),
          ])
      }
      try output.say(
        TextTable.lines(header: ["name", "", "licence", "what"], rows, left: [0, 1, 2]).joined(separator: "\n"))
    }
  }

  struct Get: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Download a data set, unless it is here.")

    @Argument(help: "Its name.", completion: .list(DataCatalog.all.map(\.name)))
    var name: String

    @Flag(help: "One JSON object a line.")
    var json = false

    func run() throws {
      let output = Output(isJSON: json)
      let folder = try DataCommand.fetch(name, output)
      try output.say("\(name) is in \(folder)")
      try output.emit("data", [("name", .text(name)), ("folder", .text(folder))])
    }
  }

  /// The folder of a data set; downloads it where it must, and shows how far that is.
  @discardableResult
  static func fetch(_ name: String, _ output: Output) throws -> String {
    defer { output.clearProgress() }
    return try DataCatalog.fetch(name) { progress in
      let share = String(format: "%.0f%%", progress.fraction * 100)
      try? output.progress(
        "downloading \(name): \(progress.file) \(share)", event: "downloading",
        ["file": .text(progress.file), "bytes": .integer(progress.bytes), "total_bytes": .integer(progress.totalBytes)])
    }
  }
}
