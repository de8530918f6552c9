import Foundation

// Transforms that chance decides about.

extension ImageTransform {
  /// Left and right exchanged, with this chance.
  public static func randomMirror(_ probability: Double = 0.5) -> ImageTransform {
    ImageTransform("randomMirror(\(probability))") { image, draws in
      draws.chance(probability) ? image.mirrored : image
    }
  }

  /// Top and bottom exchanged, with this chance.
  public static func randomFlip(_ probability: Double = 0.5) -> ImageTransform {
    ImageTransform("randomFlip(\(probability))") { image, draws in draws.chance(probability) ? image.flipped : image }
  }

  /// A square of the picture anywhere, after a border on all sides; a smaller picture is padded at its right and bottom.
  public static func randomCrop(
    _ size: Int, padding: Int = 0, with filling: ImagePadding = .constant(0)
  ) -> ImageTransform {
    randomCrop(width: size, height: size, padding: padding, with: filling, "randomCrop(\(size), padding: \(padding))")
  }

  /// As ``randomCrop(_:padding:with:)``, of another shape than a square.
  public static func randomCrop(
    width: Int, height: Int, padding: Int = 0, with filling: ImagePadding = .constant(0)
  ) -> ImageTransform {
    randomCrop(
      width: width, height: height, padding: padding, with: filling,
      "randomCrop(width: \(width), height: \(height), padding: \(padding))")
  }

  private static func randomCrop(
    width: Int, height: Int, padding: Int, with filling: ImagePadding, _ description: String
  ) -> ImageTransform {
    let (width, height, padding) = (max(1, width), max(1, height), max(0, padding))
    return ImageTransform(description) { image, draws in
      let left = draws.index(image.width + 2 * padding - width + 1) - padding
      let top = draws.index(image.height + 2 * padding - height + 1) - padding
      return image.window(left: left, top: top, width: width, height: height, beyond: filling)
    }
  }

  /// A part of the picture, resized to a square: so much of its area, of a width so many times its height (Szegedy et
  /// al. 2015); where there is no such part, the square in the middle.
  public static func randomResizedCrop(
    _ size: Int, area: ClosedRange<Double> = 0.08...1, proportion: ClosedRange<Double> = 3 / 4.0...4 / 3.0,
    _ interpolation: Interpolation = .bilinear
  ) -> ImageTransform {
    ImageTransform("randomResizedCrop(\(size))") { image, draws in
      let logarithms = log(max(0, proportion.lowerBound))...log(max(0, proportion.upperBound))
      // As often as torchvision tries.
      for _ in 0..<10 {
        let part = Double(image.width * image.height) * draws.uniform(area)
        let aspect = exp(draws.uniform(logarithms))
        guard let width = Int(exactly: (part * aspect).squareRoot().rounded()),
          let height = Int(exactly: (part / aspect).squareRoot().rounded()), 1...image.width ~= width,
          1...image.height ~= height
        else { continue }
        let (left, top) = (draws.index(image.width - width + 1), draws.index(image.height - height + 1))
        return image.cropped(left: left, top: top, width: width, height: height)
          .resized(width: size, height: size, interpolation)
      }
      return image.square.resized(width: size, height: size, interpolation)
    }
  }

  /// Turned by up to so many degrees either way.
  public static func randomRotation(_ degrees: Double, fill: UInt8 = 0) -> ImageTransform {
    ImageTransform("randomRotation(\(degrees))") { image, draws in image.rotated(draws.either(degrees), fill: fill) }
  }

  /// Turned, moved, scaled and sheared by chance.
  ///
  /// - Parameters:
  ///   - degrees, shear: up to so many degrees either way.
  ///   - translate: up to so much of the width and height either way.
  public static func randomAffine(
    degrees: Double = 0, translate: Double = 0, scale: ClosedRange<Double> = 1...1, shear: Double = 0, fill: UInt8 = 0
  ) -> ImageTransform {
    ImageTransform("randomAffine(\(degrees), \(translate), \(scale), \(shear))") { image, draws in
      let angle = draws.either(degrees)
      let x = (draws.either(translate) * Double(image.width)).rounded()
      let y = (draws.either(translate) * Double(image.height)).rounded()
      let map = AffineMap(
        width: image.width, height: image.height, degrees: angle, translate: (x, y), scale: draws.uniform(scale),
        shear: (draws.either(shear), 0))
      return image.transformed(map, fill: fill)
    }
  }

  /// Brightness, contrast and saturation changed by a factor of up to 1 ± the number given, the hue by up to so much of
  /// the circle, in an order that chance decides.
  public static func colorJitter(
    brightness: Double = 0, contrast: Double = 0, saturation: Double = 0, hue: Double = 0
  ) -> ImageTransform {
    let changes: [(width: Double, apply: @Sendable (Image, Double) -> Image)] = [
      (brightness, { $0.brightness(max(0, 1 + $1)) }), (contrast, { $0.contrast(max(0, 1 + $1)) }),
      (saturation, { $0.saturation(max(0, 1 + $1)) }), (hue, { $0.hue($1) }),
    ]
    return ImageTransform("colorJitter(\(brightness), \(contrast), \(saturation), \(hue))") { image, draws in
      changes.shuffled(using: &draws).reduce(image) { image, change in
        change.width == 0 ? image : change.apply(image, draws.either(change.width))
      }
    }
  }

  /// A square of so many pixels around any of the picture's, as far as it lies within, covered (DeVries and Taylor
  /// 2017).
  public static func cutout(_ size: Int, fill: UInt8 = 0) -> ImageTransform {
    ImageTransform("cutout(\(size))") { image, draws in
      let (x, y) = (draws.index(image.width) - size / 2, draws.index(image.height) - size / 2)
      return image.covered(left: x, top: y, width: size, height: size, with: fill)
    }
  }
}
