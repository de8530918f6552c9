/// A work's name, read: peers/works.py says what names mean.
struct Work {
  let words: [String]

  init(_ name: String) { words = name.split(separator: " ").map(String.init) }

  var kind: String { words[0] }

  /// The numbers of the first word that begins with a digit: `784-512-256-10`, `64x64x64`, `1000`.
  var numbers: [Int] {
    let word = words.first { $0.first?.isNumber ?? false } ?? ""
    return word.split { $0 == "-" || $0 == "x" }.compactMap { Int($0) }
  }

  /// `b128`.
  var batch: Int { words.lazy.compactMap { $0.first == "b" ? Int($0.dropFirst()) : nil }.first ?? 1 }

  /// The job of that name.
  func job() throws -> any Job {
    switch kind {
    case "gemm": return try product()
    case "conv": return try convolution()
    case "cnn": return try digits()
    case "resnet18-cifar", "mobilenetv2": return try imageNetwork()
    case "mlp": return try perceptron()
    case "vae": return try autoencoder()
    case "mnist": return try epoch(isWhole: words[2] == "fit")
    case "elementwise": return try elementwise()
    case "softmax", "layernorm", "rmsnorm", "crossentropy": return try rows()
    case "engine": return words[1] == "compile" ? Compiling() : Recording()
    default: throw UnknownWork(name: words.joined(separator: " "))
    }
  }
}

struct UnknownWork: Error, CustomStringConvertible {
  let name: String
  var description: String { "there is no work '\(name)'" }
}
