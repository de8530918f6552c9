import CajalBase
import CajalIR
import CajalOperations

extension Samples {
  private struct PoolCase {
    let label: String
    let shape: Shape
    let window: [Int]
    let geometry: ConvolutionGeometry

    init(_ label: String, _ shape: Shape, _ window: [Int], _ change: (inout ConvolutionGeometry) -> Void = { _ in }) {
      self.label = label
      self.shape = shape
      self.window = window
      var geometry = ConvolutionGeometry(rank: window.count)
      geometry.strides = window
      change(&geometry)
      self.geometry = geometry
    }

    func sample(
      _ dtype: DType = .float32, _ fill: Fill = .uniform(-9...9), _ layout: Operand.Layout = .contiguous,
      differentiates: Bool = false
    ) -> Sample {
      let operation = MaxPooling(window: window, geometry)
      return Sample(
        "maxPool", "\(label) \(dtype) \(layout)\(differentiates ? " gradient" : "")",
        [Operand(shape, dtype, fill, layout)], differentiates: differentiates ? [0] : [], isBatched: true
      ) { recordAll(operation, $0) }
    }
  }

  private static let halves = PoolCase("2×2", [2, 6, 5, 3], [2, 2])
  private static let overlapping = PoolCase("3×3 that overlap", [2, 7, 6, 2], [3, 3]) {
    $0.strides = [2, 2]
    $0.padding = [.init(before: 1, after: 1), .init(before: 1, after: 2)]
  }
  private static let dilated = PoolCase("dilated", [1, 8, 7, 2], [2, 3]) {
    $0.dilations = [3, 2]
    $0.strides = [2, 1]
  }

  static let pools: [Sample] =
    DType.allCases.filter { $0 != .bool }.map { halves.sample($0) }
    + layouts.map { overlapping.sample(.float32, .uniform(-9...9), $0) }
    + [
      halves.sample(.float32, .wide), overlapping.sample(.float32, .list([1, 3, 3, 2, 3, 1, 1])),
      overlapping.sample(.int32, .list([1, 3, 3, 2, 3, 1, 1])), dilated.sample(),
      PoolCase("line", [2, 9, 4], [3]) { $0.strides = [2] }.sample(),
      PoolCase("volume", [1, 4, 3, 5, 2], [2, 2, 3]) { $0.padding[1] = .init(before: 1, after: 0) }.sample(),
      PoolCase("of nothing", [0, 4, 4, 2], [2, 2]).sample(),
      PoolCase("of no channels", [1, 4, 4, 0], [2, 2]).sample(),
      PoolCase("whole image", [2, 3, 4, 1], [3, 4]).sample(),
      PoolCase("many channels", [1, 6, 6, 37], [2, 2]).sample(),
      PoolCase("2×2", [2, 4, 5, 2], [2, 2]).sample(.float64, differentiates: true),
      PoolCase("3×3 that overlap", [1, 5, 4, 2], [3, 3]) {
        $0.strides = [2, 1]
        $0.padding = [.init(before: 1, after: 1), .init(before: 1, after: 0)]
      }.sample(.float64, differentiates: true),
    ]

  private static func image(
    _ name: String, _ operands: [Operand], _ tolerance: Tolerance = .scaled(64, scale: 4), differentiates: [Int] = [0],
    _ body: @escaping @Sendable ([Value]) -> Value
  ) -> [Sample] {
    let narrow = operands.map { Operand($0.shape, .float32, $0.fill, .contiguous) }
    return [
      Sample("composite", name, narrow, tolerance) { [body($0)] },
      Sample("composite", "\(name) gradient", operands, tolerance, differentiates: differentiates) { [body($0)] },
    ]
  }

  private static let picture = Operand([2, 5, 4, 2], .float64)
  private static let positive = Operand([2, 5, 4, 2], .float64, .uniform(0.5...2))
  private static let window = PoolingWindow([3, 2], strides: [2, 2], padding: 1)

  static let images: [Sample] =
    [
      image("averagePool", [picture]) { $0[0].averagePooled(window, countsPadding: false) },
      image("averagePool with padding", [picture]) { $0[0].averagePooled(window, countsPadding: true) },
      image("averagePool rounding up", [picture]) {
        $0[0].averagePooled(PoolingWindow([2, 3], padding: 1, roundsUp: true), countsPadding: true)
      },
      image("normPool", [positive]) { $0[0].normPooled(3, window) },
      image("adaptiveAveragePool", [picture]) { $0[0].adaptiveAveragePooled([3, 2]) },
      image("adaptiveMaxPool", [picture]) { $0[0].adaptiveMaxPooled([3, 3]) },
      image("unfold", [picture], .exact) {
        $0[0].unfolded([2, 3], strides: [2, 1], padding: .explicit(1, 0), dilations: [2, 1])
      },
      image("fold", [Operand([2, 3, 2, 2, 3, 2], .float64)]) {
        $0[0].folded(to: [5, 4], strides: [2, 1], padding: .explicit(1, 0), dilations: [2, 1])
      },
      image("nearest resize", [picture], .exact) { $0[0].resized(to: [7, 3], .nearest, alignsCorners: false) },
      image("linear resize", [picture]) { $0[0].resized(to: [7, 3], .linear, alignsCorners: false) },
      image("linear resize of corners", [picture]) { $0[0].resized(to: [3, 9], .linear, alignsCorners: true) },
      image("cubic resize", [picture]) { $0[0].resized(to: [7, 3], .cubic, alignsCorners: false) },
      image("pixelShuffle", [Operand([1, 2, 3, 8], .float64)], .exact) { $0[0].pixelShuffled(by: 2) },
      image("pixelUnshuffle", [Operand([1, 4, 6, 2], .float64)], .exact) { $0[0].pixelUnshuffled(by: 2) },
      image("gridSample", [picture, Operand([2, 3, 2, 2], .float64, .uniform(-1.2...1.2))], differentiates: [0, 1]) {
        $0[0].sampled(at: $0[1], .linear, repeatsBorder: false, alignsCorners: false)
      },
      image(
        "gridSample at the border", [picture, Operand([2, 3, 2, 2], .float64, .uniform(-1.2...1.2))],
        differentiates: [0, 1]
      ) {
        $0[0].sampled(at: $0[1], .linear, repeatsBorder: true, alignsCorners: true)
      },
      image("nearest gridSample", [picture, Operand([2, 3, 2, 2], .float64, .uniform(-1.2...1.2))], .exact) {
        $0[0].sampled(at: $0[1], .nearest, repeatsBorder: false, alignsCorners: false)
      },
    ].flatMap { $0 }
}
