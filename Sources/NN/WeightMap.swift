import CajalBase
import CajalFormats
import CajalTensor

/// How the names and layouts of PyTorch's or Keras's file become those of a model.
///
/// From `torch.nn`: `weight` is a kernel, gain, table or slope, whichever the model has there; `running_mean` and
/// `running_var` are the mean and variance; `num_batches_tracked` is left out. Kernels change their layout:
/// `[outputs, inputs]` becomes `[inputs, outputs]`, and `[F, C, window…]` becomes `[window…, C, F]`.
///
/// From Keras: `gamma`, `beta`, `moving_mean`, `moving_variance`, `embeddings` and `alpha` are gain, bias, mean,
/// variance, table and slope. Kernels lie as they do here, but for those of depthwise convolutions, `[window…, C, m]`,
/// which become `[window…, 1, C · m]`. Parts of a name are parted by `/` or `.`, and a `:0` at its end counts for
/// nothing.
///
/// Modules keep their names but for the rules that are added.
///
/// ```swift
/// let map = WeightMap.pyTorch.renaming("features.*", to: "layers.*").flattening("layers.7", channels: 512)
/// try model.load("other.pth", map: map)
/// ```
public struct WeightMap: Sendable {
  private enum Origin { case pyTorch, keras }

  private let origin: Origin
  private var rules: [(from: [Substring], to: [Substring])] = []
  private var flattened: [String: Int] = [:]

  /// Modules have the same names in the file and in the model.
  public static let pyTorch = WeightMap(origin: .pyTorch)
  /// The same for what Keras saved, as safetensors.
  public static let keras = WeightMap(origin: .keras)

  private init(origin: Origin) { self.origin = origin }

  /// Modules called `from` in the file, and all in them, are those called `to` in the model. Each `*` stands for a
  /// whole part of the name, the same in both, in order; an empty name for the model itself. Of several rules, the first
  /// that fits counts.
  public func renaming(_ from: String, to: String) -> WeightMap {
    var map = self
    map.rules.append((from.split(separator: "."), to.split(separator: ".")))
    return map
  }

  /// The dense layer called `path` in the model follows a flattening of pictures of so many channels, which PyTorch has
  /// first and Cajal last.
  public func flattening(_ path: String, channels: Int) -> WeightMap {
    var map = self
    map.flattened[path] = channels
    return map
  }

  /// What a tensor of the file may be called in a model, the likeliest first; none of one that is left out.
  func candidates(_ name: String) -> [String] {
    var name = name[...]
    if origin == .keras, name.hasSuffix(":0") { name.removeLast(2) }
    var parts = name.split(omittingEmptySubsequences: false) { $0 == "." || (origin == .keras && $0 == "/") }
    let leaf = String(parts.removeLast())
    for rule in rules {
      guard let renamed = Self.apply(rule, to: parts) else { continue }
      parts = renamed
      break
    }
    let leaves = origin == .pyTorch ? Self.pyTorchLeaves(leaf) : Self.kerasLeaves(leaf)
    return leaves.map { (parts + [Substring($0)]).joined(separator: ".") }
  }

  private static func pyTorchLeaves(_ leaf: String) -> [String] {
    switch leaf {
    case "weight": ["kernel", "gain", "table", "slope"]
    case "running_mean": ["mean"]
    case "running_var": ["variance"]
    case "num_batches_tracked": []
    default: [leaf]
    }
  }

  private static func kerasLeaves(_ leaf: String) -> [String] {
    switch leaf {
    case "gamma": ["gain"]
    case "beta": ["bias"]
    case "moving_mean": ["mean"]
    case "moving_variance": ["variance"]
    case "embeddings": ["table"]
    case "alpha": ["slope"]
    case "depthwise_kernel": ["depthwise.kernel", "kernel"]
    case "pointwise_kernel": ["pointwise.kernel"]
    default: [leaf]
    }
  }

  private static func apply(_ rule: (from: [Substring], to: [Substring]), to parts: [Substring]) -> [Substring]? {
    guard rule.from.count <= parts.count, zip(rule.from, parts).allSatisfy({ $0 == "*" || $0 == $1 }) else {
      return nil
    }
    var captured = zip(rule.from, parts).filter { $0.0 == "*" }.map(\.1)[...]
    return rule.to.map { $0 == "*" ? captured.popFirst() ?? $0 : $0 } + parts.dropFirst(rule.from.count)
  }

  /// A tensor of the file in the layout of the model's parameter at `path`, which has that shape, if it is known.
  func arranged(_ value: Tensor, _ path: String, _ shape: Shape?) -> Tensor {
    guard path == "kernel" || path.hasSuffix(".kernel"), 2...5 ~= value.rank else { return value }
    if origin == .keras {
      // Of a convolution channel by channel: the model's has one channel a filter.
      guard let shape, shape.rank == value.rank, shape != value.shape, shape[-2] == 1, shape.count == value.count,
        shape.prefix(shape.rank - 2) == value.shape.prefix(shape.rank - 2)
      else { return value }
      return value.reshaped(to: shape)
    }
    var kernel = value
    if value.rank == 2, let channels = flattened[String(path.dropLast(".kernel".count))], channels > 0,
      value.shape[1] % channels == 0
    {
      kernel = kernel.reshaped(value.shape[0], channels, -1).transposed(0, 2, 1).reshaped(to: value.shape)
    }
    switch value.rank {
    case 2: return kernel.transposed(1, 0)
    case 3: return kernel.transposed(2, 1, 0)
    case 4: return kernel.transposed(2, 3, 1, 0)
    default: return kernel.transposed(2, 3, 4, 1, 0)
    }
  }

  /// For each of a model's parameters, what it is called in the file.
  func names(in file: WeightFile, for known: Set<String>) throws -> [String: String] {
    var names: [String: String] = [:]
    for entry in file.tensors {
      let candidates = candidates(entry.name)
      guard let path = candidates.first(where: known.contains) else {
        guard let first = candidates.first else { continue }
        throw FormatError(
          path: file.path, problem: "it holds \(entry.name), which would be \(first), and this model has none",
          remedy: "Build the model that was saved, or add to the map: .renaming(\"theirs\", to: \"ours\")")
      }
      if let other = names.updateValue(entry.name, forKey: path) {
        throw FormatError(
          path: file.path, problem: "both \(other) and \(entry.name) would be \(path)", remedy: "Mend the map")
      }
    }
    return names
  }
}
