import ArgumentParser
import Cajal
import Foundation

/// Flags about pictures that are learned from.
struct PictureOptions: ParsableArguments {
  @Option(
    help: """
      What chance does to the pictures of each epoch, as crop,mirror: \
      \(Augmentation.allCases.map(\.rawValue).joined(separator: ", ")); none for nothing. (default: as suits the model)
      """)
  var augment: String?

  @Option(
    help: "The share of certainty that targets give to all classes alike: 0 to 0.9. (default: as suits the model)")
  var labelSmoothing: Double?

  func validate() throws {
    _ = try augmentation()
    if let labelSmoothing, !(0...0.9).contains(labelSmoothing) {
      throw ValidationError("--label-smoothing must be in 0...0.9.")
    }
  }

  /// The first of these flags that was given.
  var given: String? { augment != nil ? "--augment" : labelSmoothing != nil ? "--label-smoothing" : nil }

  /// What was asked for; `nil` where nobody says.
  func augmentation() throws -> [Augmentation]? {
    guard let augment, augment != "none" else { return augment.map { _ in [] } }
    return try augment.split(separator: ",", omittingEmptySubsequences: false).map { name in
      guard let one = Augmentation(rawValue: String(name)) else {
        let names = Augmentation.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("--augment \(augment): \"\(name)\" is none of \(names).")
      }
      return one
    }
  }
}

/// What chance may do to a picture before a step looks at it.
enum Augmentation: String, CaseIterable {
  case crop, mirror, cutout, rotate, color, randaugment

  /// For pictures of so many pixels.
  func transform(width: Int, height: Int) -> ImageTransform {
    let side = min(width, height)
    return switch self {
    // 4 pixels of 32: He et al. 2016.
    case .crop: .randomCrop(width: width, height: height, padding: side / 8)
    case .mirror: .randomMirror()
    // A quarter of the side: half of what DeVries and Taylor 2017 found best with six times as many pictures.
    case .cutout: .cutout(side / 4)
    case .rotate: .randomRotation(15)
    case .color: .colorJitter(brightness: 0.2, contrast: 0.2, saturation: 0.2)
    case .randaugment: .randAugment()
    }
  }
}

/// How a network learns pictures where no flag says otherwise.
struct Recipe {
  var optimizer: (method: OptimizationOptions.Method, learningRate: Double, weightDecay: Double) = (.adam, 1e-3, 0)
  var schedule = OptimizationOptions.ScheduleKind.linear
  var epochs = 5
  var batchSize = 128
  var labelSmoothing = 0.0
  var augmentation: [Augmentation] = []

  /// - Parameter example: the pictures' shape.
  init(_ model: NetworkOptions.Kind, example: Shape) {
    guard case .pictures(let name) = model else { return }
    if name == "lenet5" {
      optimizer.learningRate = 5e-3
      schedule = .onecycle
      epochs = 12
      augmentation = [.crop]
    } else {
      // 8,000 pictures of CIFAR-10 are learned in minutes: Pictures.md of the documentation shows how well.
      optimizer = (.nesterov, 0.05, 5e-4)
      batchSize = 64
      schedule = .onecycle
      epochs = 30
      labelSmoothing = 0.1
      // What is written may not be mirrored; colours show things.
      augmentation = example.rank == 3 ? [.crop, .mirror, .cutout] : [.crop]
    }
  }
}

/// Training on pictures in memory.
struct PictureTraining {
  /// Of pictures that are looked at without learning: what layers give of 1000 takes too much memory.
  static let testBatchSize = 250

  private let dataset: ImageDataset
  /// The catalogue's name of the data, if it is from there.
  private let catalogued: String?
  private let settings: RunSettings
  private let recipe: Recipe
  private let output: Output

  init(_ dataset: ImageDataset, catalogued: String?, _ settings: RunSettings, _ output: Output) {
    self.dataset = dataset
    self.catalogued = catalogued
    self.settings = settings
    self.output = output
    recipe = Recipe(settings.network.model, example: dataset.example)
  }

  /// - Returns: whether Ctrl-C ended it.
  func run() throws -> Bool {
    let optimization = settings.optimization
    let model = try withSeed(optimization.seed) {
      let model = try settings.network.network(pictures: dataset.example, outputs: dataset.classes)
      // Layers learn what they take from what they see first.
      do {
        _ = try model(Tensor.zeros(Shape([1] + dataset.example.array))).evaluated()
      } catch let error as TensorError where error.kind == .shape {
        let size = dataset.example.array.prefix(2).map(String.init).joined(separator: "×")
        throw ValidationError(
          "--model \(settings.network.model) is for larger pictures than \(dataset.name)'s of \(size). "
            + "Use one for small pictures, as resnet20_cifar.")
      }
      return model
    }
    try introduce(model)
    let smoothing = settings.pictures?.labelSmoothing ?? recipe.labelSmoothing
    let trainer = Trainer(
      model, loss: .softmaxCrossEntropy(smoothing: smoothing), optimizer: optimization.makeOptimizer(recipe.optimizer),
      metrics: [.accuracy])
    optimization.configure(trainer)
    let (train, held) = try optimization.parts(dataset.train)
    let report = try settings.profiled(output) {
      try trainer.fit(
        batches(train), epochs: optimization.epochs ?? recipe.epochs,
        validation: (held ?? dataset.test).batched(Self.testBatchSize), seed: optimization.seed,
        schedule: optimization.makeSchedule(orElse: recipe.schedule), callbacks: callbacks(model, isHeld: held != nil))
    }
    if let save = settings.keeping.save {
      try model.save(save, metadata: metadata)
      try output.saved(save)
    }
    try output.say(String(format: "trained in %.1f s", report.seconds))
    let last = held == nil && !report.wasStopped ? trainer.history["val_accuracy"].last : nil
    let accuracy = try last ?? measuredAccuracy(of: model, on: dataset.test, output)
    try Finish(
      measures: ["test_accuracy": accuracy], trainSeconds: report.seconds,
      stepPlans: report.stepCounters.plansCompiled
    ).report(output)
    return Interrupt.wasRequested
  }

  /// What each epoch learns from, shuffled and changed by chance.
  private func batches(_ train: LabeledData) throws -> Dataset<Batch> {
    let (seed, size) = (settings.optimization.seed, settings.optimization.batchSize ?? recipe.batchSize)
    let changes = try settings.pictures?.augmentation() ?? recipe.augmentation
    if changes.isEmpty { return train.batched(size, shuffled: true, seed: seed) }
    let (height, width) = (dataset.example[0], dataset.example[1])
    let transform = ImageTransform.sequence(changes.map { $0.transform(width: width, height: height) })
    // One thread is many times as fast as any step.
    return try train.images().shuffled(seed: seed).augmented(transform, seed: seed, workers: 1).batched(size)
  }

  private func callbacks(_ model: Sequential, isHeld: Bool) -> [any Callback] {
    var callbacks: [any Callback] = [InterruptCallback(), EventWriter(output)]
    if let patience = settings.optimization.earlyStopping {
      callbacks.append(EarlyStopping("val_loss", patience: patience))
    }
    let described = ["dataset": dataset.name, "sizes": model.sizes.map(String.init).joined(separator: "-")]
    return callbacks
      + settings.keeping.callbacks(
        configuration: settings.configuration.merging(described) { $1 }, monitor: isHeld ? "val_loss" : nil,
        metadata: metadata)
  }

  private var metadata: [String: String] {
    var metadata = [
      "cajal.task": "pictures",
      PictureModel.exampleKey: dataset.example.array.map(String.init).joined(separator: " "),
    ]
    metadata[PictureModel.datasetKey] = catalogued
    metadata[PictureModel.labelsKey] = dataset.labels?.map { $0.replacingOccurrences(of: ",", with: " ") }
      .joined(separator: ",")
    return metadata
  }

  private func introduce(_ model: Sequential) throws {
    let kind = settings.network.model
    let name =
      if case .pictures = kind { kind.description } else {
        "network " + model.sizes.map(String.init).joined(separator: "-")
      }
    try output.say("\(dataset.name): \(dataset.train.count) examples to train on, \(dataset.test.count) to test with")
    try output.say("\(name): \(model.parameterCount) parameters, on \(settings.device)")
  }
}

extension ImageDataset {
  /// One picture's shape.
  fileprivate var example: Shape { train.inputs.shape.suffix(from: 1) }
}
