extension ImageTransform {
  /// `count` of fourteen transforms in a row, each as likely, at one strength (Cubuk et al. 2020).
  ///
  /// - Parameter magnitude: 0…30; the ranges are those of torchvision's `RandAugment`.
  public static func randAugment(count: Int = 2, magnitude: Int = 9, fill: UInt8 = 0) -> ImageTransform {
    let strength = Double(min(30, max(0, magnitude))) / 30
    return ImageTransform("randAugment(\(count), \(magnitude))") { image, draws in
      (0..<max(0, count)).reduce(image) { image, _ in
        let change = Change.allCases[draws.index(Change.allCases.count)]
        return change(image, change.isSigned && draws.chance(0.5) ? -strength : strength, fill)
      }
    }
  }

  private enum Change: CaseIterable {
    case identity, shearX, shearY, translateX, translateY, rotate, brightness, saturation, contrast, sharpness
    case posterize, solarize, autocontrast, equalize

    /// Whether it goes either way.
    var isSigned: Bool {
      switch self {
      case .identity, .posterize, .solarize, .autocontrast, .equalize: false
      default: true
      }
    }

    /// The picture changed by a strength of −1…1.
    func callAsFunction(_ image: Image, _ strength: Double, _ fill: UInt8) -> Image {
      func moved(_ map: AffineMap) -> Image { image.transformed(map, .nearest, fill: fill) }
      // At most 150 pixels of the 331 that the paper's pictures have.
      func shift(_ size: Int) -> Double { -(150.0 / 331 * strength * Double(size)).rounded(.towardZero) }
      return switch self {
      case .identity: image
      case .shearX: moved(AffineMap(1, -0.3 * strength, 0, 0, 1, 0))
      case .shearY: moved(AffineMap(1, 0, 0, -0.3 * strength, 1, 0))
      case .translateX: moved(AffineMap(1, 0, shift(image.width), 0, 1, 0))
      case .translateY: moved(AffineMap(1, 0, 0, 0, 1, shift(image.height)))
      case .rotate: image.rotated(30 * strength, .nearest, fill: fill)
      case .brightness: image.brightness(1 + 0.9 * strength)
      case .saturation: image.saturation(1 + 0.9 * strength)
      case .contrast: image.contrast(1 + 0.9 * strength)
      case .sharpness: image.sharpness(1 + 0.9 * strength)
      case .posterize: image.posterized(bits: 8 - Int((4 * strength).rounded()))
      case .solarize: image.solarized(Int(255 * (1 - strength)))
      case .autocontrast: image.autocontrasted
      case .equalize: image.equalized
      }
    }
  }
}
