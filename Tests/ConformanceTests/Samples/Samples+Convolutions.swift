import CajalBase
import CajalIR
import CajalOperations

/// A convolution, judged by each of the three operations that it stands for.
private struct ConvolutionCase {
  let label: String
  let x: Shape
  let w: Shape
  let geometry: ConvolutionGeometry

  init(_ label: String, _ x: Shape, _ w: Shape, _ change: (inout ConvolutionGeometry) -> Void = { _ in }) {
    self.label = label
    self.x = x
    self.w = w
    var geometry = ConvolutionGeometry(rank: x.rank - 2)
    change(&geometry)
    self.geometry = geometry
  }

  func samples(
    _ dtype: DType = .float32, _ layout: Operand.Layout = .contiguous, differentiates: Bool = false,
    isBatched: Bool = false
  ) -> [Sample] {
    let geometry = geometry
    guard let sizes = try? Convolution(geometry).sizes(x, w) else { preconditionFailure("\(label) does not fit") }
    let window = sizes.window.reduce(1, *)
    func sample(_ operation: some CajalIR.Operation, _ operands: [Shape], terms: Int) -> Sample {
      Sample(
        operation.name, "\(label) \(dtype) \(layout)\(differentiates ? " gradient" : "")",
        operands.map { Operand($0, dtype, .uniform(-2...2), layout) }, .accumulated(terms: max(4, terms)),
        differentiates: differentiates ? [0, 1] : [], isBatched: isBatched
      ) { [record(operation, $0)] }
    }
    return [
      sample(Convolution(geometry), [x, w], terms: window * sizes.channels / geometry.groups),
      sample(
        ConvolutionInputGradient(geometry, extents: sizes.inputs), [sizes.y, w],
        terms: window * sizes.filters / geometry.groups),
      sample(
        ConvolutionWeightGradient(geometry, window: sizes.window), [x, sizes.y],
        terms: sizes.batch * sizes.outputs.reduce(1, *)),
    ]
  }
}

extension Samples {
  private static func margins(_ widths: (Int, Int)...) -> [ConvolutionGeometry.Margins] {
    widths.map { ConvolutionGeometry.Margins(before: $0.0, after: $0.1) }
  }

  private static let plain = ConvolutionCase("3×3", [2, 5, 4, 3], [3, 3, 3, 4]) {
    $0.padding = margins((1, 1), (1, 1))
  }
  private static let odd = ConvolutionCase("of uneven steps", [2, 7, 6, 2], [2, 3, 2, 3]) {
    $0.strides = [2, 3]
    $0.dilations = [3, 1]
    $0.padding = margins((0, 2), (1, 3))
  }
  private static let grouped = ConvolutionCase("in groups", [2, 4, 3, 4], [2, 2, 2, 6]) {
    $0.groups = 2
    $0.padding = margins((1, 0), (0, 1))
  }
  private static let depthwise = ConvolutionCase("depthwise", [1, 5, 5, 3], [3, 3, 1, 6]) {
    $0.groups = 3
    $0.strides = [2, 2]
    $0.padding = margins((1, 1), (1, 1))
  }
  private static let line = ConvolutionCase("causal line", [2, 9, 3], [3, 3, 2]) {
    $0.dilations = [2]
    $0.padding = margins((4, 0))
  }
  private static let volume = ConvolutionCase("volume", [1, 3, 4, 3, 2], [2, 2, 3, 2, 2]) {
    $0.strides = [1, 2, 1]
    $0.padding = margins((0, 1), (1, 0), (1, 1))
  }

  /// Small, for differences along every axis.
  private static let smallConvolutions: [ConvolutionCase] = [
    ConvolutionCase("3×3", [1, 3, 4, 2], [3, 3, 2, 2]) { $0.padding = margins((1, 1), (1, 1)) },
    ConvolutionCase("of uneven steps", [2, 5, 4, 1], [2, 2, 1, 2]) {
      $0.strides = [2, 3]
      $0.dilations = [2, 1]
      $0.padding = margins((0, 2), (1, 2))
    },
    ConvolutionCase("in groups", [1, 3, 2, 4], [2, 1, 2, 4]) { $0.groups = 2 },
    ConvolutionCase("depthwise", [2, 3, 3, 2], [2, 2, 1, 4]) { $0.groups = 2 },
    ConvolutionCase("line", [2, 4, 2], [3, 2, 1]) { $0.padding = margins((2, 0)) },
    ConvolutionCase("volume", [1, 2, 3, 2, 1], [2, 2, 1, 1, 2]) { $0.strides = [1, 2, 1] },
  ]

  private static let oddConvolutions: [ConvolutionCase] = [
    ConvolutionCase("1×1", [2, 3, 4, 5], [1, 1, 5, 7]),
    ConvolutionCase("1×1 in steps", [2, 5, 4, 3], [1, 1, 3, 2]) { $0.strides = [2, 2] },
    ConvolutionCase("whole image", [3, 4, 5, 2], [4, 5, 2, 3]),
    ConvolutionCase("larger than the image", [1, 2, 2, 1], [5, 5, 1, 2]) { $0.padding = margins((2, 2), (3, 3)) },
    ConvolutionCase("that skips rows", [1, 7, 7, 2], [1, 1, 2, 2]) { $0.strides = [3, 4] },
    ConvolutionCase("of padding alone", [1, 1, 1, 1], [2, 2, 1, 1]) {
      $0.strides = [3, 3]
      $0.padding = margins((2, 3), (2, 3))
    },
    ConvolutionCase("of no images", [0, 4, 4, 2], [3, 3, 2, 3]),
    ConvolutionCase("of no channels", [1, 4, 4, 0], [3, 3, 0, 3]),
    ConvolutionCase("to no channels", [1, 4, 4, 2], [3, 3, 2, 0]),
    ConvolutionCase("many channels", [2, 6, 7, 33], [3, 3, 33, 17]) { $0.padding = margins((1, 1), (1, 1)) },
    ConvolutionCase("stem", [2, 11, 10, 3], [7, 7, 3, 9]) {
      $0.strides = [2, 2]
      $0.padding = margins((3, 3), (3, 3))
    },
    ConvolutionCase("wide groups", [1, 5, 4, 24], [3, 2, 8, 12]) { $0.groups = 3 },
    ConvolutionCase("wide depthwise", [2, 6, 5, 37], [3, 3, 1, 37]) {
      $0.groups = 37
      $0.padding = margins((1, 1), (1, 1))
    },
    ConvolutionCase("long line", [1, 70, 5], [9, 5, 4]) { $0.padding = margins((4, 4)) },
  ]

  static let convolutions: [Sample] = {
    var all = [plain, odd, grouped, depthwise, line, volume].flatMap { $0.samples(isBatched: true) }
    for dtype in [DType.float16, .bfloat16, .float64] {
      all += plain.samples(dtype, .transposed) + grouped.samples(dtype)
    }
    all += layouts.flatMap { odd.samples(.float32, $0) }
    all += smallConvolutions.flatMap { $0.samples(.float64, differentiates: true) }
    return all + oddConvolutions.flatMap { $0.samples() }
  }()
}
