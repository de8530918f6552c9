/// Something done to a picture, by chance or always: a value that others are composed of.
///
/// What chance decides depends on the numbers given alone: the same draws, the same picture.
///
/// ```swift
/// let augment: ImageTransform = [.randomCrop(32, padding: 4), .randomMirror(), .cutout(8)]
/// let batches = examples.shuffled(seed: 1).augmented(augment, seed: 1, workers: 2).batched(64)
/// ```
public struct ImageTransform: Sendable, CustomStringConvertible {
  /// What it does, as its call reads.
  public let description: String
  private let body: @Sendable (Image, inout RandomDraws) throws -> Image

  public init(_ description: String, _ body: @escaping @Sendable (Image, inout RandomDraws) throws -> Image) {
    self.description = description
    self.body = body
  }

  public func callAsFunction(_ image: Image, _ draws: inout RandomDraws) throws -> Image { try body(image, &draws) }

  /// What it makes of `image` where chance has this seed.
  public func callAsFunction(_ image: Image, seed: UInt64 = 0) throws -> Image {
    var draws = RandomDraws(key: seed)
    return try body(image, &draws)
  }

  // MARK: Composition

  /// One after the other.
  public static func sequence(_ transforms: [ImageTransform]) -> ImageTransform {
    ImageTransform("[" + transforms.map(\.description).joined(separator: ", ") + "]") { image, draws in
      try transforms.reduce(image) { try $1($0, &draws) }
    }
  }

  /// Done with this chance, else not.
  public func withProbability(_ chance: Double) -> ImageTransform {
    ImageTransform("\(description).withProbability(\(chance))") { image, draws in
      draws.chance(chance) ? try self(image, &draws) : image
    }
  }

  /// One of them, each as likely.
  public static func oneOf(_ transforms: [ImageTransform]) -> ImageTransform {
    ImageTransform("oneOf(" + transforms.map(\.description).joined(separator: ", ") + ")") { image, draws in
      transforms.isEmpty ? image : try transforms[draws.index(transforms.count)](image, &draws)
    }
  }

  // MARK: Always the same

  public static let rgb = ImageTransform("rgb") { image, _ in image.rgb }
  public static let gray = ImageTransform("gray") { image, _ in image.gray }

  public static func resize(width: Int, height: Int, _ interpolation: Interpolation = .bilinear) -> ImageTransform {
    ImageTransform("resize(\(width), \(height))") { image, _ in
      image.resized(width: width, height: height, interpolation)
    }
  }

  /// See ``Image/resized(shorterSide:_:)``.
  public static func resize(shorterSide: Int, _ interpolation: Interpolation = .bilinear) -> ImageTransform {
    ImageTransform("resize(\(shorterSide))") { image, _ in
      try image.resized(shorterSide: shorterSide, interpolation)
    }
  }

  public static func centerCrop(_ size: Int) -> ImageTransform {
    ImageTransform("centerCrop(\(size))") { image, _ in image.centerCropped(size) }
  }
}

extension ImageTransform: ExpressibleByArrayLiteral {
  public init(arrayLiteral transforms: ImageTransform...) { self = .sequence(transforms) }
}
