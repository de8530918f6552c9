import CajalBase
import CajalData
import CajalTensor

/// A picture and its class.
public struct LabeledImage: Sendable, Equatable {
  public var image: Image
  public var label: Int

  public init(image: Image, label: Int) {
    self.image = image
    self.label = label
  }
}

/// The mean and the standard deviation of each channel, of brightness 0…1: what networks take off their pictures.
public struct ChannelStatistics: Sendable, Equatable {
  public var mean: [Float]
  public var deviation: [Float]

  public init(mean: [Float], deviation: [Float]) {
    self.mean = mean
    self.deviation = deviation
  }

  /// Those of torchvision's and timm's models.
  public static let imageNet = ChannelStatistics(mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])
  /// Of CIFAR-10's training pictures.
  public static let cifar10 = ChannelStatistics(mean: [0.4914, 0.4822, 0.4465], deviation: [0.2470, 0.2435, 0.2616])
  /// Of MNIST's training pictures.
  public static let mnist = ChannelStatistics(mean: [0.1307], deviation: [0.3081])

  /// (x − mean) / deviation.
  ///
  /// **Shapes**: `[…, C]`, the same.
  public func normalized(_ x: Tensor) -> Tensor { (x - Tensor(mean)) / Tensor(deviation) }
}

extension LabeledData {
  /// The pictures one by one, for augmentation.
  ///
  /// **Shapes**: inputs are `[N, H, W]` or `[N, H, W, C]`, uint8.
  public func images() throws -> Dataset<LabeledImage> {
    let shape = inputs.shape
    guard inputs.error == nil, inputs.dtype == .uint8, shape.rank == 3 || shape.rank == 4, classes != nil else {
      throw inputs.error
        ?? TensorError(
          .shape, operation: "images", operands: [TensorType(shape, inputs.dtype)], "these are no labelled pictures",
          remedy: "Give uint8 of [N, H, W] or [N, H, W, C], and say how many classes there are")
    }
    let (bytes, labels) = (try inputs.bytes(), try self.labels.scalars(Int.self))
    let (height, width, channels) = (shape[1], shape[2], shape.rank == 4 ? shape[3] : 1)
    let size = height * width * channels
    return Dataset(indices: 0..<labels.count) { index in
      let image = try Image(
        width: width, height: height, channels: channels, bytes: Array(bytes[index * size..<(index + 1) * size]))
      return LabeledImage(image: image, label: labels[index])
    }
  }
}

extension Dataset where Element == LabeledImage {
  /// The pictures changed by `transform`, by chance that depends on the seed, the epoch and the picture's place alone.
  ///
  /// - Parameter workers: threads that work ahead of the reader; how many changes no pixel.
  public func augmented(
    _ transform: ImageTransform, seed: UInt64 = 0, workers: Int = 0
  ) -> Dataset<LabeledImage> {
    map(seed: seed, workers: workers) { example, generator in
      var draws = RandomDraws(key: generator.key)
      return LabeledImage(image: try transform(example.image, &draws), label: example.label)
    }
  }

  /// Batches of pictures, as floats of 0…1, and their classes.
  ///
  /// **Shapes**: inputs `[N, H, W, C]`, targets `[N]`, int32.
  ///
  /// - Parameters:
  ///   - statistics: taken off the pictures.
  ///   - droppingLast: leaves out what is left at the end where it does not fill a batch.
  /// **Errors**: a batch of error tensors where pictures differ in size or channels.
  public func batched(
    _ size: Int, normalizedBy statistics: ChannelStatistics? = nil, droppingLast: Bool = false
  ) -> Dataset<Batch> {
    batched(size, droppingLast: droppingLast) { examples in
      let first = examples[0].image
      var bytes: [UInt8] = []
      bytes.reserveCapacity(examples.count * first.bytes.count)
      for example in examples {
        let image = example.image
        guard (image.width, image.height, image.channels) == (first.width, first.height, first.channels) else {
          throw TensorError(
            .shape, operation: "batched", "a \(first) and a \(image) are in one batch",
            remedy: "Bring them to one size and form: .augmented([.rgb, .resize(width: 224, height: 224)])")
        }
        bytes += image.bytes
      }
      let shape: Shape = [examples.count, first.height, first.width, first.channels]
      let pictures = bytes.withUnsafeBytes { Tensor(bytes: $0, shape: shape, dtype: .uint8) } / 255
      return Batch(
        inputs: statistics?.normalized(pictures) ?? pictures,
        targets: Tensor(examples.map { Int32(clamping: $0.label) }))
    }
  }
}
