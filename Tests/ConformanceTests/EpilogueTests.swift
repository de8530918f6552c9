import CajalBase
import CajalIR
import CajalOperations
import Testing

@testable import CajalBackends

/// Groups that run over the parts of a convolution's result as these come.
@Suite struct EpilogueTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// How the profile says that the kernel computes the convolution.
    let way: String
    let x: Shape
    let w: Shape
    var geometry = ConvolutionGeometry(rank: 2)
    var dtype = DType.float32

    init(
      _ name: String, _ way: String, _ x: Shape, _ w: Shape, _ dtype: DType = .float32, stride: Int = 1,
      groups: Int = 1
    ) {
      testDescription = name
      self.way = way
      self.x = x
      self.w = w
      self.dtype = dtype
      let margin = w[0] / 2
      geometry.padding = [.init(before: margin, after: margin), .init(before: margin, after: margin)]
      geometry.strides = [stride, stride]
      geometry.groups = groups
    }
  }

  static let cases = [
    Case("Winograd", "Winograd 4×4", [3, 17, 14, 40], [3, 3, 40, 72]),
    Case("Winograd, few tiles", "Winograd 4×4", [1, 8, 8, 64], [3, 3, 64, 528]),
    Case("by 2", "windows", [5, 15, 16, 24], [3, 3, 24, 80], stride: 2),
    Case("few positions, columns cut", "windows", [1, 6, 6, 96], [5, 5, 96, 600], stride: 2),
    Case("1×1", "product", [4, 13, 13, 64], [1, 1, 64, 300]),
    Case("1×1 by 2", "windows", [2, 13, 12, 32], [1, 1, 32, 96], stride: 2),
    Case("in groups", "windows", [3, 20, 20, 32], [3, 3, 8, 48], groups: 4),
    Case("depthwise", "depthwise", [2, 31, 29, 35], [3, 3, 1, 35], groups: 35),
    Case("few channels", "windows", [9, 20, 20, 3], [5, 5, 3, 7]),
    Case("bfloat16", "Winograd 4×4", [3, 12, 12, 40], [3, 3, 40, 50], .bfloat16),
    Case("float64", "windows", [2, 11, 12, 20], [3, 3, 20, 33], .float64),
  ]

  /// Scale and shift by channels, a second operand, a function, and a result beside; with and without the
  /// convolution's own result.
  private static func sample(_ test: Case, isGradient: Bool, holds: Bool) throws -> Sample {
    let sizes = try Convolution(test.geometry).sizes(test.x, test.w)
    let source = isGradient ? sizes.y : test.x
    let result = isGradient ? test.x : sizes.y
    let operands = [source, test.w, [result[-1]], [result[-1]], result].map { Operand($0, test.dtype) }
    let geometry = test.geometry
    return Sample("convolution", test.testDescription, operands) { x in
      let y =
        isGradient
        ? record(ConvolutionInputGradient(geometry, extents: sizes.inputs), Array(x.prefix(2)))
        : record(Convolution(geometry), Array(x.prefix(2)))
      let scaled = y * x[2] + x[3]
      return [(scaled + x[4]).relu(), scaled.sigmoid()] + (holds ? [y] : [])
    }
  }

  @Test(arguments: cases, [false, true])
  func theBitsAreThoseOfSeparateSteps(_ test: Case, isGradient: Bool) throws {
    let threads = CPUBackend.threads
    defer { CPUBackend.threads = threads }
    for holds in [false, true] {
      let sample = try EpilogueTests.sample(test, isGradient: isGradient, holds: holds)
      let graph = try sample.graph()
      let program = Machine.lowerFollowing(graph.graph)
      let name = try #require(program.steps.first).name
      #expect(program.steps.count == 1 && name.contains(" and group of "))
      #expect(isGradient || name.contains("(\(test.way))"), "\(name)")
      let inputs = sample.inputs()
      CPUBackend.threads = 1
      let expected = try Machine.cpuUnfused.run(graph, inputs)
      for (machine, count) in [
        (Machine.cpuFollowing, 1), (.cpuFollowing, 2), (.cpuFollowing, 3), (.cpu, 2), (.cpuDonated, 2),
      ] {
        CPUBackend.threads = count
        for (index, (found, one)) in zip(try machine.run(graph, inputs), expected).enumerated() {
          if let text = bitDifference(found, one) { Issue.record("result \(index) on \(count) threads: \(text)") }
        }
      }
    }
  }
}
