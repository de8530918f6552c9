import ArgumentParser
import Cajal

/// Flags about the model.
struct NetworkOptions: ParsableArguments {
  enum Kind: Equatable {
    /// Layers of neurons, each seeing all of the one before.
    case mlp
    /// Weighted sums alone.
    case linear
    /// Weighted sums, read as the odds of classes.
    case logistic
    /// One artificial neuron.
    case neuron
    /// One of ``ImageModel/all`` that gives a score a class, by its name.
    case pictures(String)
  }

  @Option(
    help: """
      mlp: hidden layers of neurons, then the output. linear, logistic: the output layer alone, for numbers and for \
      classes. neuron: one artificial neuron, for numbers or two classes. For pictures: lenet, or a network that \
      sorts them by its name, as resnet20_cifar.
      """)
  var model = Kind.mlp

  @Option(help: "Neurons of each hidden layer of an mlp, as 128,64; none for no hidden layer.")
  var hidden: String?

  @Option(
    help: """
      What hidden neurons do with their sums: relu, tanh, sigmoid, gelu, silu, leakyRelu, elu, selu, … (default: relu)
      """)
  var activation: String?

  @Option(help: "The share of hidden neurons that sit out a step, against learning by heart: 0 to 0.9.")
  var dropout: Double?

  func validate() throws {
    _ = try sizes(orElse: [])
    if let activation, Activation(named: activation) == nil {
      throw ValidationError(
        "--activation \(activation) is none of \(Activation.names.joined(separator: ", ")).")
    }
    if let dropout, !(0...0.9).contains(dropout) { throw ValidationError("--dropout must be in 0...0.9.") }
    if model != .mlp, hidden != nil {
      throw ValidationError("--hidden is for --model mlp; \(model) has no such layers.")
    }
    if case .pictures = model, let flag = activation != nil ? "--activation" : dropout != nil ? "--dropout" : nil {
      throw ValidationError("\(flag) is for --model mlp; \(model) is made as it was published. Leave it out.")
    }
  }

  private func sizes(orElse standard: [Int]) throws -> [Int] {
    guard let hidden else { return standard }
    if hidden == "none" { return [] }
    return try hidden.split(separator: ",", omittingEmptySubsequences: false).map { part in
      guard let size = Int(part), (1...1_000_000).contains(size) else {
        throw ValidationError("--hidden \(hidden): \"\(part)\" is no number of neurons. Write it as 128,64.")
      }
      return size
    }
  }

  /// The hidden neurons'; `nil` where a published network has its own.
  var namedActivation: String? {
    if case .pictures = model { return nil }
    return activation ?? "relu"
  }

  /// A network for pictures of shape `example`: `[H, W]` or `[H, W, C]`.
  func network(pictures example: Shape, outputs: Int) throws -> Sequential {
    guard case .pictures(let name) = model, let published = ImageModel(named: name) else {
      return try network(inputs: example.count, outputs: outputs, standard: [512, 256], dropout: 0, flattens: true)
    }
    let network = published.model(classes: outputs)
    // [N, H, W] → [N, H, W, 1]
    return example.rank == 2 ? Sequential([Reshape(example[0], example[1], 1), network]) : network
  }

  /// A network from `inputs` numbers to `outputs`.
  ///
  /// - Parameters:
  ///   - standard: hidden layers where nobody says otherwise.
  ///   - flattens: whether examples have more than one axis.
  func network(
    inputs: Int, outputs: Int, standard: [Int], dropout rate: Double, flattens: Bool,
    initializer: Initializer? = nil
  ) throws -> Sequential {
    if case .pictures = model {
      throw ValidationError("--model \(model) is for pictures. Use --model mlp for tables.")
    }
    let hidden = model == .mlp ? try sizes(orElse: standard) : []
    if model == .neuron, outputs > 1 {
      throw ValidationError("one neuron tells two classes apart, not \(outputs). Use --model logistic or mlp.")
    }
    let activation = namedActivation.flatMap(Activation.init(named:)) ?? .relu
    return .perceptron(
      [inputs] + hidden + [outputs], activation: activation, dropout: dropout ?? rate, flattens: flattens,
      initializer: initializer)
  }
}

extension NetworkOptions.Kind: ExpressibleByArgument, CustomStringConvertible {
  /// Those of rows of numbers, which pictures may be as well.
  private static let plain: [NetworkOptions.Kind] = [.mlp, .linear, .logistic, .neuron]
  /// Labels are of whole pictures; U-Net gives scores to pixels.
  private static let classifiers = ImageModel.all.filter { !($0.plan is UNet) }.map(\.name)
  static let allValueStrings = plain.map(\.description) + ["lenet"] + classifiers

  init?(argument: String) {
    if let kind = Self.plain.first(where: { $0.description == argument }) {
      self = kind
    } else {
      let name = argument == "lenet" ? "lenet5" : argument
      guard Self.classifiers.contains(name) else { return nil }
      self = .pictures(name)
    }
  }

  var description: String {
    switch self {
    case .mlp: "mlp"
    case .linear: "linear"
    case .logistic: "logistic"
    case .neuron: "neuron"
    case .pictures(let name): name
    }
  }

  var defaultValueDescription: String { description }
}

extension Sequential {
  /// Dense layers with an activation between them.
  ///
  /// - Parameter sizes: of the input, each hidden layer, the output.
  static func perceptron(
    _ sizes: [Int], activation: Activation = .relu, dropout rate: Double = 0, flattens: Bool = true,
    initializer: Initializer? = nil
  ) -> Sequential {
    Sequential {
      if flattens { Flatten() }
      for index in 1..<sizes.count {
        let isLast = index == sizes.count - 1
        Dense(
          sizes[index], inputs: sizes[index - 1], activation: isLast ? .identity : activation,
          kernelInitializer: initializer)
        if !isLast, rate > 0 { Dropout(rate) }
      }
    }
  }

  private var denseLayers: [Dense] {
    layers.flatMap { layer in (layer as? Sequential)?.denseLayers ?? [layer as? Dense].compactMap { $0 } }
  }

  /// `784-512-256-10`.
  var sizes: [Int] {
    let dense = denseLayers
    return (dense.first?.kernel.shape.map { [$0[0]] } ?? []) + dense.map(\.units)
  }
}
