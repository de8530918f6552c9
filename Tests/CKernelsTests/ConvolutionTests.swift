import CajalCKernels
import Testing

extension CKernels {
  /// Convolutions and their input gradients; `Tests/KernelChecks` compares them with plain loops.
  @Suite struct Convolutions {
    /// A square image under a square window, padded alike on all sides.
    private struct Problem: CustomStringConvertible {
      var dtype = CJ_FLOAT32
      var batch = 1, channels: Int, filters: Int, extent: Int, window: Int, stride = 1, padding = 0, groups = 1
      var isPlain = false

      var results: Int { (extent + 2 * padding - window) / stride + 1 }
      var inputs: Int { batch * extent * extent * channels }
      var outputs: Int { batch * results * results * filters }
      var weights: Int { window * window * channels / groups * filters }
      var description: String {
        "\(batch)×\(extent)²×\(channels) → \(filters), \(window)² by \(stride), padded by \(padding)"
      }

      var shape: cj_convolution_shape {
        func axes(_ extent: Int, _ first: Int64 = 1) -> (Int64, Int64, Int64) { (first, Int64(extent), Int64(extent)) }
        return cj_convolution_shape(
          dtype: dtype, is_plain: isPlain, batch: Int64(batch), channels: Int64(channels), filters: Int64(filters),
          groups: Int64(groups), extents: axes(extent), results: axes(results), window: axes(window),
          strides: axes(stride), dilations: axes(1), before: axes(padding, 0), packed: nil)
      }

      /// The bytes of y from x, or of dx from dy.
      func run(_ from: UnsafeRawPointer, _ w: UnsafeRawPointer, isGradient: Bool) -> [UInt8] {
        let size = [CJ_FLOAT16, CJ_BFLOAT16].contains(dtype) ? 2 : dtype == CJ_FLOAT64 ? 8 : 4
        return withUnsafePointer(to: shape) { shape in
          bytes((isGradient ? inputs : outputs) * size) { result in
            let count =
              isGradient ? cj_convolution_input_gradient_workspace(shape) : cj_convolution_workspace(shape)
            withWorkspace(count) { workspace in
              if isGradient {
                cj_convolution_input_gradient(shape, from, w, result, workspace, nil, nil)
              } else {
                cj_convolution(shape, from, w, result, workspace, nil, nil)
              }
            }
          }
        }
      }
    }

    private static let problems = [
      Problem(batch: 2, channels: 3, filters: 20, extent: 19, window: 3, padding: 1),
      Problem(batch: 3, channels: 40, filters: 24, extent: 13, window: 3, stride: 2, padding: 1),
      Problem(batch: 2, channels: 32, filters: 12, extent: 9, window: 5, padding: 2, groups: 2),
      Problem(batch: 5, channels: 48, filters: 40, extent: 14, window: 3, padding: 1),
      Problem(dtype: CJ_BFLOAT16, batch: 3, channels: 33, filters: 40, extent: 10, window: 3),
      Problem(dtype: CJ_FLOAT64, batch: 2, channels: 9, filters: 17, extent: 11, window: 2, stride: 3),
    ]

    @Test func theThreadCountChangesNoBit() {
      for problem in Self.problems {
        var draws = Draws(7)
        // Floats of any width: of two bytes each, all of them near one.
        func operand(_ count: Int) -> [UInt16] { (0..<count * 4).map { _ in 0x3f80 | UInt16(draws.below(64)) } }
        let (x, w) = (operand(max(problem.inputs, problem.outputs)), operand(problem.weights))
        for isGradient in [false, true] {
          expectSameBitsForAnyThreadCount("\(problem)") { problem.run(x, w, isGradient: isGradient) }
        }
      }
    }

    /// Largest error of each way, as a share of the sum of the products' magnitudes.
    private func errors(_ problem: Problem, isGradient: Bool) -> (winograd: Double, plain: Double) {
      var draws = Draws(11)
      let x = draws.floats(isGradient ? problem.outputs : problem.inputs)
      let w = draws.floats(problem.weights)
      func exact(_ change: (Double) -> Double) -> [Double] {
        var double = problem
        double.dtype = CJ_FLOAT64
        return double.run(x.map { change(Double($0)) }, w.map { change(Double($0)) }, isGradient: isGradient)
          .withUnsafeBytes { Array($0.bindMemory(to: Double.self)) }
      }
      let (values, sizes) = (exact { $0 }, exact(abs))
      func error(isPlain: Bool) -> Double {
        var problem = problem
        problem.isPlain = isPlain
        let result = problem.run(x, w, isGradient: isGradient).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        return zip(result, zip(values, sizes)).map { abs(Double($0) - $1.0) / $1.1 }.max() ?? .infinity
      }
      return (error(isPlain: false), error(isPlain: true))
    }

    @Test func winogradsErrorsAreBounded() {
      for extent in [4, 7, 16, 17] {
        let problem = Problem(batch: 8, channels: 64, filters: 48, extent: extent, window: 3, padding: 1)
        atEveryLevel { level in
          for isGradient in [false, true] {
            let (winograd, plain) = errors(problem, isGradient: isGradient)
            #expect(winograd < 0x1p-20 && plain < 0x1p-21, "\(level) \(problem): \(winograd), \(plain)")
          }
        }
      }
    }

    /// Where the results of a problem, [batch, results, results, filters], are not the same bits.
    private func differences(_ problem: Problem, _ one: [UInt8], _ other: [UInt8]) -> Set<[Int]> {
      let line = problem.filters * 4
      return Set(
        (0..<one.count / line).filter { one[$0 * line..<($0 + 1) * line] != other[$0 * line..<($0 + 1) * line] }
          .map {
            [$0 / problem.results / problem.results, $0 / problem.results % problem.results, $0 % problem.results]
          })
    }

    @Test func anInfinityReachesTheTilesThatSeeItUnderWinogradAndItsWindowsElse() {
      var problem = Problem(batch: 8, channels: 64, filters: 64, extent: 16, window: 3, padding: 1)
      var draws = Draws(5)
      let (x, w) = (draws.floats(problem.inputs), draws.floats(problem.weights))
      var endless = x
      endless[((2 * 16 + 8) * 16 + 5) * 64 + 7] = .infinity  // image 2, line 8, position 5
      func places(_ lines: Range<Int>, _ positions: Range<Int>) -> Set<[Int]> {
        Set(lines.flatMap { line in positions.map { [2, line, $0] } })
      }
      atEveryLevel { level in
        for isGradient in [false, true] {
          for isPlain in [false, true] {
            problem.isPlain = isPlain
            let result = problem.run(endless, w, isGradient: isGradient)
            let reached = differences(problem, result, problem.run(x, w, isGradient: isGradient))
            let all = isPlain ? places(7..<10, 4..<7) : places(4..<12, 4..<8)
            #expect(reached.isSubset(of: all) && reached.isSuperset(of: places(7..<10, 4..<7)), "\(level) \(problem)")
            let hasNaN = result.withUnsafeBytes { $0.bindMemory(to: Float.self).contains { $0.isNaN } }
            #expect(hasNaN == !isPlain, "\(level) \(problem)")
          }
        }
      }
    }

    @Test func winogradIsUsedUnlessItIsRefused() {
      var problem = Problem(batch: 8, channels: 64, filters: 64, extent: 16, window: 3, padding: 1)
      var draws = Draws(3)
      let (x, w) = (draws.floats(problem.inputs), draws.floats(problem.weights))
      let winograd = problem.run(x, w, isGradient: false)
      problem.isPlain = true
      #expect(problem.run(x, w, isGradient: false) != winograd)
    }
  }
}
