import ArgumentParser
import Foundation

@main
struct CajalCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cajal",
    abstract: "Deep learning in Swift: train a network, look at it, use it.",
    discussion: """
      Begin with `cajal train`: it trains a small network on handwritten digits that come with the \
      program, and tells how many of 10,000 new ones it reads right.

      EXIT STATUS
        0    all went well
        1    something did not: a file, the data, the loss; standard error says what and what to do
        64   wrong arguments
        130  ended by Ctrl-C, after what was learned had been saved
      """,
    version: "0.1.0",
    subcommands: [
      Train.self, Evaluate.self, Predict.self, Summary.self, Compare.self, SearchCommand.self, Runs.self,
      DataCommand.self,
      ProfileTraining.self, Benchmark.self, Doctor.self, Completions.self,
    ])

  static func main() async {
    do {
      var command = try parseAsRoot(ConfigFile.expanded(Array(CommandLine.arguments.dropFirst())))
      if var suspending = command as? any AsyncParsableCommand {
        try await suspending.run()
      } else {
        try command.run()
      }
    } catch {
      end(with: error)
    }
  }

  /// Help goes to standard output; errors go to standard error, as `error: <cause>. <remedy>.`
  private static func end(with error: any Error) -> Never {
    let code = exitCode(for: error)
    if let code = error as? ExitCode { exit(withoutMessage: code) }
    if code == .success {
      print(fullMessage(for: error))
    } else if code == .validationFailure {
      let message = fullMessage(for: error)
      complain(message.hasPrefix("Error: ") ? String(message.dropFirst("Error: ".count)) : message)
    } else {
      complain("\(error)")
    }
    exit(withoutMessage: code)
  }

  private static func complain(_ message: String) {
    try? FileHandle.standardError.write(contentsOf: Data("error: \(message)\n".utf8))
  }

  private static func exit(withoutMessage code: ExitCode) -> Never {
    Foundation.exit(code.rawValue)
  }
}
