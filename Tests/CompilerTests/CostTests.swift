import CajalBase
import CajalIR
import CajalOperations
import Testing

@testable import CajalCompiler

/// What steps say they cost.
@Suite struct CostTests {
  private func steps(_ follows: Bool = false, _ body: (inout GraphMaker) throws -> [Graph.Reference]) throws
    -> [Step]
  {
    var work = WorkCount()
    let options = LoweringOptions(fuses: true, acceptsStrided: { _ in false }, follows: { _, _, _ in follows })
    return compile(try makeGraph(body), options, &work).steps
  }

  @Test func aGroupReadsEachBufferOnceAndWritesItsResults() throws {
    let steps = try steps { g in
      let (x, bias) = (g.input([64, 32]), g.input([32]))
      let sum = try g.apply(.add, x, bias)
      return [try g.apply(.exp, try g.apply(.multiply, sum, x))]
    }
    #expect(steps.count == 1)
    #expect(steps[0].cost == Cost(flops: 64 * 32 * (1 + 1 + 10), bytes: 4 * (2 * 64 * 32 + 32)))
    #expect(steps[0].summary.name == "group of 3 [64, 32]")
  }

  @Test func rowsCountOnceARow() throws {
    let steps = try steps { g in
      let x = g.input([8, 16])
      let sum = try g.add(Reduce(.sum, axes: [1]), x)
      return [try g.apply(.divide, x, try g.add(Reshape([8, 1]), try g.apply(.sqrt, sum)))]
    }
    #expect(steps.count == 1)
    #expect(steps[0].cost == Cost(flops: 8 * 16 + 8 * 5 + 8 * 16, bytes: 4 * 2 * 8 * 16))
  }

  @Test func aGroupBehindAProductFindsItInTheCache() throws {
    let steps = try steps(true) { g in
      let product = try g.add(MatMul(), g.input([32, 16]), g.input([16, 64]))
      return [try g.apply(.add, product, g.input([64]))]
    }
    #expect(steps.count == 1)
    let (flops, bytes) = (2 * 32 * 16 * 64, 4 * (32 * 16 + 16 * 64 + 32 * 64))
    #expect(steps[0].cost == Cost(flops: flops + 32 * 64, bytes: bytes + 4 * (64 + 32 * 64)))
    #expect(steps[0].summary.name == "matmul 32×16×64 and group of 1 [32, 64]")
  }

  @Test func costsThatNoNumberHoldsAreTheGreatest() throws {
    let far = 1 << 20
    let geometry = ConvolutionGeometry(rank: 2)
    let (x, w): (Shape, Shape) = ([1, far, far, 1 << 10], [3, 3, 1 << 10, 1 << 12])
    let y = try Convolution(geometry).sizes(x, w).y
    let convolutions = try steps { g in
      let (x, w, dy) = (g.input(x), g.input(w), g.input(y))
      return [
        try g.add(Convolution(geometry), x, w),
        try g.add(ConvolutionInputGradient(geometry, extents: [far, far]), dy, w),
        try g.add(ConvolutionWeightGradient(geometry, window: [3, 3]), x, dy),
      ]
    }
    #expect(convolutions.map(\.cost.flops) == [.max, .max, .max])
    for follows in [false, true] {
      let products = try steps(follows) { g in
        let product = try g.add(MatMul(), g.input([1 << 30, 1 << 28]), g.input([1 << 28, 1 << 20]))
        return [try g.apply(.add, product, g.input([1 << 20]))]
      }
      #expect(products[0].cost.flops == .max)
    }
  }

  @Test func takingRowsDoesNotReadTheTable() throws {
    let steps = try steps { g in [try g.add(Gather(axis: 0), g.input([1000, 8]), g.input([4], .int32))] }
    #expect(steps.map(\.cost) == [Cost(flops: 0, bytes: 4 * 4 + 2 * 4 * 8 * 4)])
  }

  @Test func partsAreReadAlone() throws {
    let steps = try steps { g in
      [try g.add(Slice(Part(axes: [0], extents: [4], steps: [1])), g.input([1000, 8]), g.input([], .int64))]
    }
    #expect(steps.map(\.cost) == [Cost(flops: 0, bytes: 2 * 4 * 8 * 4)])
  }
}
