import CajalBase
import CajalIR
import CajalOperations

extension Samples {
  /// How one elementwise function is tried.
  struct Case {
    let function: ElementwiseFunction
    var tolerance: Tolerance = .exact
    /// Where all is well for floats, one for each operand.
    var fills: [Fill]
    /// Where it is differentiable; `nil` where it has no gradient.
    var smooth: [Fill]?
    /// Integers that do not take all the range.
    var integers: [Fill]?
    /// Whether NaN, infinities and extremes are tried.
    var hasEdges = true
    /// The operands that have a gradient; all if `nil`.
    var differentiates: [Int]?

    init(
      _ function: ElementwiseFunction, _ tolerance: Tolerance = .exact, _ fills: Fill..., smooth: [Fill]? = nil,
      integers: [Fill]? = nil, hasEdges: Bool = true, differentiates: [Int]? = nil
    ) {
      self.function = function
      self.tolerance = tolerance
      self.fills = fills
      self.smooth = smooth
      self.integers = integers
      self.hasEdges = hasEdges
      self.differentiates = differentiates
    }
  }

  private static let any = Fill.uniform(-3...3)
  private static let positive = Fill.uniform(0.1...4)
  private static let away = Fill.magnitudes(0.2...2)

  static let cases: [Case] = [
    Case(.add, .exact, any, any, smooth: [any, any]),
    Case(.subtract, .exact, any, any, smooth: [any, any]),
    Case(.multiply, .exact, any, any, smooth: [any, any]),
    Case(.divide, .exact, any, any, smooth: [any, away]),
    Case(.multiplyAdd, .exact, any, any, any, smooth: [any, any, any]),
    Case(.floorDivide, .exact, .uniform(-9...9), any),
    Case(
      .remainder, .exact, .uniform(-9...9), any,
      smooth: [.list([2.3, -1.2, 7.1, -4.4, 0.7, 5.0]), .list([0.9, -1.7, 2.6])]),
    Case(
      .power, .ulps(4), positive, any, smooth: [positive, .uniform(-2...3)],
      integers: [.uniform(-4...4), .uniform(-3...9)]),
    Case(.maximum, .exact, any, any, smooth: [any, any]),
    Case(.minimum, .exact, any, any, smooth: [any, any]),
    Case(.negate, .exact, any, smooth: [any]),
    Case(.abs, .exact, any, smooth: [away]),
    Case(.sign, .exact, any),
    Case(.equal, .exact, .list([1, 2, 3]), .list([1, 3, 3])),
    Case(.notEqual, .exact, .list([1, 2, 3]), .list([1, 3, 3])),
    Case(.less, .exact, any, any),
    Case(.lessEqual, .exact, .list([1, 2, 3]), .list([1, 3, 2])),
    Case(.greater, .exact, any, any),
    Case(.greaterEqual, .exact, .list([1, 2, 3]), .list([1, 3, 2])),
    Case(.and, .exact, .wide, .wide),
    Case(.or, .exact, .wide, .wide),
    Case(.xor, .exact, .wide, .wide),
    Case(.not, .exact, .wide),
    Case(.select, .exact, any, any, any, smooth: [any, any, any], differentiates: [1, 2]),
    Case(.sqrt, .exact, positive, smooth: [positive]),
    Case(.rsqrt, .ulps(4), positive, smooth: [positive]),
    Case(.exp, .ulps(4), .uniform(-20...20), smooth: [any]),
    Case(.expm1, .ulps(4), any, smooth: [any]),
    Case(.log, .ulps(4), positive, smooth: [positive]),
    Case(.log1p, .ulps(4), .uniform(-0.9...4), smooth: [.uniform(-0.7...3)]),
    Case(.sin, .ulps(4), .uniform(-20...20), smooth: [any]),
    Case(.cos, .ulps(4), .uniform(-20...20), smooth: [any]),
    // A quotient of two functions: their errors add up.
    Case(.tan, .ulps(10), .uniform(-1.4...1.4), smooth: [.uniform(-1.2...1.2)], hasEdges: false),
    Case(.tanh, .ulps(4), any, smooth: [any]),
    Case(.erf, .ulps(4), any, smooth: [any]),
    Case(.sigmoid, .ulps(4), .uniform(-20...20), smooth: [any]),
    Case(.floor, .exact, any),
    Case(.ceil, .exact, any),
    Case(.round, .exact, any),
    Case(.relu, .exact, any, smooth: [away]),
    Case(.wherePositive, .exact, away, any, smooth: [away, any], differentiates: [1]),
    Case(.softplus, .ulps(8), any, smooth: [any]),
    // 1 + erf cancels where x is negative.
    Case(.gelu, .scaled(8, scale: 3), any, smooth: [any], hasEdges: false),
    Case(.silu, .ulps(6), any, smooth: [any], hasEdges: false),
    Case(.movingAverage, .exact, any, any, any, any, smooth: [any, any, any, any]),
    Case(.movingSquare, .exact, any, any, any, any, smooth: [any, any, any, any]),
    Case(.biasCorrection, .ulps(4), positive, any, smooth: [positive, any]),
    Case(
      .adamStep, .exact, any, any, positive, any, positive, positive,
      smooth: [any, any, positive, any, positive, positive]),
  ]

  static let elementwise: [Sample] = cases.flatMap { $0.samples }
}

extension Samples.Case {
  private var dtypes: [DType] {
    switch function.domain {
    case .any: DType.allCases
    case .numbers: Samples.integers + Samples.floats
    case .floats: Samples.floats
    case .logical: [.bool] + Samples.integers
    }
  }

  /// The dtype that shapes and layouts are tried with.
  private var main: DType { dtypes.contains(.float32) ? .float32 : .int32 }

  private func operand(
    _ index: Int, _ shape: Shape, _ dtype: DType, _ fill: Fill, _ layout: Operand.Layout = .contiguous
  )
    -> Operand
  {
    let isCondition = function.hasCondition && index == 0
    return Operand(shape, isCondition ? .bool : dtype, fill, layout)
  }

  private func sample(
    _ label: String, _ shapes: [Shape], _ dtype: DType, _ fills: [Fill], _ layouts: [Operand.Layout] = [],
    differentiates: [Int] = [], isBatched: Bool = false
  ) -> Sample {
    let operands = (0..<function.arity).map { index in
      operand(
        index, shapes[index % shapes.count], dtype, fills[index],
        layouts.isEmpty ? .contiguous : layouts[index % layouts.count])
    }
    let function = self.function
    // Integers are exact whatever the function.
    return Sample(
      function.name, label, operands, dtype.isFloat ? tolerance : .exact, differentiates: differentiates,
      isBatched: isBatched
    ) { [record(Elementwise(function), $0)] }
  }

  var samples: [Sample] {
    var list = dtypes.map { dtype in
      sample("\(dtype)", [[3, 5]], dtype, dtype.isFloat ? fills : (integers ?? fills.map { _ in .wide }))
    }
    for shape in Samples.shapes { list.append(sample("\(main)\(shape)", [shape], main, fills)) }
    for layout in Samples.layouts {
      list.append(
        sample(
          "\(layout)", [[4, 6]], main, fills, [layout, .contiguous, .transposed], isBatched: layout == .transposed))
    }
    if hasEdges, dtypes.contains(.float32) {
      for dtype in Samples.floats {
        // Extents of 23 and 24 turn the edges against each other.
        list.append(sample("edges of \(dtype)", [[23], [5, 23], [23]], dtype, fills.map { _ in .wide }))
        if function.arity > 1 {
          list.append(sample("edge pairs of \(dtype)", [[23, 1], [23], []], dtype, fills.map { _ in .wide }))
        }
      }
    }
    if function.arity > 1 {
      let pairs: [[Shape]] = [
        [[3, 1], [1, 4]], [[2, 3, 4], [4]], [[], [2, 3]], [[0, 3], [1, 3]], [[4, 1, 3], [2, 1], [5, 1, 1, 1]],
      ]
      for shapes in pairs { list.append(sample("broadcasts \(shapes)", shapes, main, fills, isBatched: true)) }
    }
    return list + gradientSamples
  }

  private var gradientSamples: [Sample] {
    guard let smooth else { return [] }
    let checked = differentiates ?? Array(0..<function.arity)
    var list = [
      sample("gradient", [[2, 3]], .float64, smooth, differentiates: checked, isBatched: true),
      sample("gradient of a scalar", [[]], .float64, smooth, differentiates: checked),
      sample(
        "gradient of views", [[3, 2]], .float64, smooth, [.transposed, .strided, .flipped], differentiates: checked),
    ]
    if function.arity > 1 {
      list.append(sample("gradient of broadcasts", [[2, 3], [3], [2, 1]], .float64, smooth, differentiates: checked))
    }
    return list
  }
}
