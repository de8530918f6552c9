import ArgumentParser

@main
struct CajalCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cajal",
    abstract: "Deep learning in Swift: train a network, look at it, use it.",
    discussion: """
      Begin with `cajal train`: it trains a small network on handwritten digits that come with the \
      program, and tells how many of 10,000 new ones it reads right.
      """,
    version: "0.1.0",
    subcommands: [Train.self, Evaluate.self, Doctor.self])
}
