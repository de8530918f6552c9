import CajalTensor

extension Image {
  /// Numbers as colours: the least black, then red, yellow, the greatest white.
  ///
  /// **Shapes**: `[H, W]`.
  public static func heatMap(_ values: Tensor) throws -> Image {
    try checkRank(values, 2, "numbers of places", "[H, W]")
    let shares = try stretched(values.cast(to: .float32)).scalars(Float.self)
    let bytes = shares.flatMap { share in
      // A third of the way each: red, green, blue come up one after the other.
      (0..<3).map { UInt8((255 * Swift.min(1, Swift.max(0, 3 * share - Float($0)))).rounded()) }
    }
    return Image(values.shape[1], values.shape[0], 3, bytes)
  }

  /// This picture with another over it, of its size or brought to it.
  ///
  /// - Parameter opacity: 0 shows only this one, 1 only the other.
  public func overlaid(_ other: Image, opacity: Double = 0.5) -> Image {
    let (below, above) = (rgb, other.rgb.resized(width: width, height: height, .bilinear))
    return Image(
      width, height, 3,
      zip(below.bytes, above.bytes).map { below, above in
        UInt8((Double(below) + opacity * (Double(above) - Double(below))).rounded().clamped(to: 0...255))
      })
  }
}

extension Double {
  fileprivate func clamped(to range: ClosedRange<Double>) -> Double {
    Swift.min(range.upperBound, Swift.max(range.lowerBound, self))
  }
}

/// How much each pixel weighs in a score: the greatest |∂score / ∂x| of its channels (Simonyan et al. 2014).
///
/// **Shapes**: `[H, W, C]` gives `[H, W]`; `score` takes `[1, H, W, C]`.
///
/// ```swift
/// let map = saliency(of: x) { model($0)[0, 285] }
/// try picture.overlaid(Image.heatMap(map)).write("cat.png")
/// ```
public func saliency(of x: Tensor, score: (Tensor) -> Tensor) -> Tensor {
  gradient(at: x.expanded(at: 0)) { score($0).sum() }.abs().max(axis: -1).squeezed(0)
}

/// Where a network looks for a class: its last feature maps, weighted by the mean gradient of the class's score, as far
/// as they speak for it (Selvaraju et al. 2017, "Grad-CAM").
///
/// **Shapes**: `features` `[1, H, W, C]` gives `[H, W]`; `score` takes `features`.
///
/// ```swift
/// let heat = try Image.heatMap(gradCAM(of: trunk(x)) { head($0)[0, 285] })
/// try picture.overlaid(heat).write("where.png")
/// ```
public func gradCAM(of features: Tensor, score: (Tensor) -> Tensor) -> Tensor {
  let slopes = gradient(at: features) { score($0).sum() }
  let weights = slopes.mean(axes: [1, 2], keepingAxes: true)
  return (features * weights).sum(axis: -1).relu().squeezed(0)
}
