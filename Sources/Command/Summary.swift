import ArgumentParser
import Cajal
import Foundation

struct Summary: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show a model's layers, shapes and parameter counts.",
    discussion: """
      EXAMPLES
        cajal train --save digits.safetensors
        cajal summary digits.safetensors
        cajal summary resnet50
      """)

  @Argument(
    help: """
      A file that `cajal train --save` wrote, or a network by name: \
      \(ImageModel.all.map(\.name).joined(separator: ", ")).
      """, completion: .file(extensions: ["safetensors"]))
  var model: String

  @Option(help: "The shape of one example, as 28,28; known for models of tables and for networks by name.")
  var input: String?

  func run() throws {
    let published = FileManager.default.fileExists(atPath: model) ? nil : ImageModel(named: model)
    if published == nil, !model.contains(where: { "./".contains($0) }), !FileManager.default.fileExists(atPath: model) {
      throw ValidationError("\(model) is no file and no network's name. Names: see `cajal help summary`.")
    }
    let network = try published?.model() ?? Sequential.load(model)
    let given = try input.map { text in
      try text.split(separator: ",").map { part in
        guard let extent = Int(part), extent > 0 else {
          throw ValidationError("--input \(text): \"\(part)\" is no extent. Write it as 28,28.")
        }
        return extent
      }
    }
    // A network that begins with neurons says what it takes.
    let taken =
      published?.input.array ?? network.layers.lazy.compactMap { $0 as? Dense }.first?.kernel.shape.map { [$0[0]] }
    print((given ?? taken).map { network.summary(input: Shape([1] + $0)) } ?? network.summary())
  }
}

struct Completions: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print a script that completes this command's words in a shell.",
    discussion: """
      EXAMPLES
        cajal completions bash > ~/.local/share/bash-completion/completions/cajal
        cajal completions zsh > ~/.zfunc/_cajal
        cajal completions fish > ~/.config/fish/completions/cajal.fish
      """)

  @Argument(help: "bash, zsh or fish.")
  var shell: String

  func run() throws {
    guard let shell = CompletionShell(rawValue: shell) else {
      throw ValidationError("there is no script for \(shell). Use bash, zsh or fish.")
    }
    print(CajalCommand.completionScript(for: shell))
  }
}
