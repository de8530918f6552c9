import Cajal
import Testing

@Suite struct DifferentiationTests {
  @Test func valuesAndGradientsComeTogether() {
    let (value, slope) = valueAndGradient(at: Tensor([3.0], shape: [])) { $0 * $0 + 2 * $0 }
    expect(value, [15], [])
    expect(slope, [8], [])
  }

  @Test func severalTensorsGetAGradientEach() {
    let found = gradient(at: [Tensor([1.0, 2.0]), Tensor([3.0, 4.0]), Tensor([9.0])]) { ($0[0] * $0[1]).sum() }
    expect(found[0], [3, 4], [2])
    expect(found[1], [1, 2], [2])
    expect(found[2], [0], [1])
  }

  @Test func theBodyReturnsWhateverElseItLikes() throws {
    let (value, gradients, other) = valueAndGradient(at: [Tensor([2.0], shape: [])]) { x -> (Tensor, [Tensor]) in
      (x[0].pow(3), [x[0] + 1])
    }
    expect(value, [8], [])
    expect(gradients[0], [12], [])
    expect(other[0], [3], [])
  }

  @Test func gradientsOfGradientsExist() {
    let second = gradient(at: Tensor([2.0], shape: [])) { x in gradient(at: x) { $0.pow(4) } }
    expect(second, [48], [])
    let third = gradient(at: Tensor([2.0], shape: [])) { x in gradient(at: x) { y in gradient(at: y) { $0.pow(4) } } }
    expect(third, [48], [])
  }

  @Test func readingInsideChangesNothing() throws {
    let x = Tensor([1.0, 2.0])
    let (_, slope) = try valueAndGradient(at: x) { x -> Tensor in
      let y = x.exp()
      _ = try y.sum().item()
      return (y * y).sum()
    }
    let (_, quiet) = valueAndGradient(at: x) { x -> Tensor in
      let y = x.exp()
      return (y * y).sum()
    }
    #expect(try slope.bytes() == quiet.bytes())
  }

  @Test func tensorsMadeBeforeAreConstants() {
    let x = Tensor([3.0], shape: [])
    let y = x * x
    expect(gradient(at: x) { $0 * y }, [9], [])
  }

  @Test func stoppedGradientsDoNotFlow() {
    expect(gradient(at: Tensor([3.0], shape: [])) { $0 * $0.stoppingGradient() }, [3], [])
    expect(gradient(at: Tensor([3.0], shape: [])) { $0.stoppingGradient() }, [0], [])
  }

  @Test func aGradientOfOnesOwnIsUsed() {
    func clipped(_ x: Tensor) -> Tensor {
      customGradient([x]) {
        $0[0] * 10
      } backward: {
        [$0.clamped(to: -1...1)]
      }
    }
    let (value, slope) = valueAndGradient(at: Tensor([1.0, 2.0])) { (clipped($0) * Tensor([5.0, -0.5])).sum() }
    expect(value, [40], [])
    expect(slope, [1, -0.5], [2])
  }

  @Test func aCustomGradientOfTheWrongShapeIsAnError() {
    let slope = gradient(at: Tensor([1.0, 2.0])) { x in
      customGradient([x]) {
        $0[0].sum()
      } backward: { _ in
        [Tensor.zeros([3])]
      }
    }
    expectError(slope, .shape)
    let none = gradient(at: Tensor([1.0, 2.0])) { x in
      customGradient([x]) {
        $0[0].sum()
      } backward: { _ in
        []
      }
    }
    expectError(none, .shape)
  }

  @Test func aLossThatIsNoFloatOrNotOneNumberIsAnError() {
    expectError(gradient(at: Tensor([1.0, 2.0])) { $0 * 2 }, .shape, ".mean()")
    expectError(gradient(at: Tensor([1.0])) { $0.cast(to: .int32).sum() }, .dtype, "int64")
  }

  @Test func releasedHistoryIsAnErrorNeverZero() throws {
    let x = Tensor([2.0])
    let y = x * x
    expect(gradients(of: y, withRespectTo: [x])[0], [4], [1])
    let z = x * x
    try eval(z)
    expectError(gradients(of: z, withRespectTo: [x])[0], .gradient)
  }

  @Test func cotangentsWeighTheResults() {
    let x = Tensor([1.0, 2.0])
    expect(gradients(of: x * 3, withRespectTo: [x], cotangent: Tensor([1.0, 10.0]))[0], [3, 30], [2])
  }

  @Test func bodiesMayThrow() {
    struct Stop: Error {}
    #expect(throws: Stop.self) { try valueAndGradient(at: Tensor([1.0])) { _ in throw Stop() } }
  }

  @Test func tiesShareTheGradient() {
    expect(gradient(at: Tensor([1.0, 2.0, 2.0])) { $0.max() }, [0, 0.5, 0.5], [3])
  }
}
