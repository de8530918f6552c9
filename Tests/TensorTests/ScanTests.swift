import Cajal
import Testing

@Suite struct ScanTests {
  @Test func runningSumsAreTheClassicScan() {
    let (last, sums) = scan([Tensor([0], shape: [])], over: [.arange(5)]) { carry, x in
      let next = carry[0] + x[0]
      return ([next], [next])
    }
    expect(last[0], [10], [], .int64)
    expect(sums[0], [0, 1, 3, 6, 10], [5], .int64)
  }

  @Test func reversedScansWalkFromTheEndAndKeepPlaces() {
    let (last, sums) = scan([Tensor.zeros([])], over: [Tensor([1.0, 2.0, 4.0])], reversed: true) { carry, x in
      ([carry[0] + x[0]], [carry[0]])
    }
    expect(last[0], [7], [])
    expect(sums[0], [6, 4, 0], [3])
  }

  @Test func severalCarriesSequencesAndCaptures() {
    let scale = Tensor([10.0, 100.0])
    let (last, outputs) = scan(
      [Tensor.zeros([2]), Tensor.ones([])], over: [Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([5.0, 6.0])]
    ) {
      carries, x in ([carries[0] + x[0] * scale, carries[1] * x[1]], [x[0].sum() + x[1]])
    }
    expect(last[0], [40, 600], [2])
    expect(last[1], [30], [])
    expect(outputs[0], [8, 13], [2])
  }

  @Test func aLengthAloneRepeatsTheBody() {
    expect(scan([Tensor([1.0])], over: [], length: 10) { carry, _ in ([carry[0] * 2], []) }.carries[0], [1024], [1])
    expect(scan([Tensor([1.0])], over: [], length: 0) { carry, _ in ([carry[0] * 2], []) }.carries[0], [1], [1])
  }

  @Test func gradientsFlowThroughCarriesSequencesAndCaptures() {
    // y = w³ · x₀ x₁ x₂
    let (w, x) = (Tensor([2.0], shape: []), Tensor([1.0, 3.0, 5.0]))
    let (value, gradients) = valueAndGradient(at: [w, x]) { inputs -> Tensor in
      scan([Tensor.ones([])], over: [inputs[1]]) { carry, x in ([carry[0] * x[0] * inputs[0]], []) }.carries[0]
    }
    expect(value, [120], [])
    expect(gradients[0], [180], [])
    expect(gradients[1], [120, 40, 24], [3])
  }

  @Test func drawsInTheBodyDifferFromPositionToPosition() throws {
    let draws = withSeed(3) {
      scan([], over: [], length: 50) { _, _ in ([], [Tensor.uniform([4])]) }.outputs[0]
    }
    let numbers = try draws.scalars(Float.self)
    #expect(Set(numbers).count == 200)
    let again = withSeed(3) { scan([], over: [], length: 50) { _, _ in ([], [Tensor.uniform([4])]) }.outputs[0] }
    #expect(try again.scalars(Float.self) == numbers)
  }

  @Test func twoDrawsInOneBodyDiffer() throws {
    let pairs = scan([], over: [], length: 3) { _, _ in ([], [Tensor.uniform([]), Tensor.uniform([])]) }.outputs
    #expect(try pairs[0].scalars(Float.self) != pairs[1].scalars(Float.self))
  }

  @Test func misfitsAreErrorsNotCrashes() {
    func run(_ initial: [Tensor], _ sequences: [Tensor], _ body: ([Tensor]) -> [Tensor]) -> Tensor {
      scan(initial, over: sequences) { carries, slices in (body(carries), []) }.carries.first ?? Tensor.zeros([])
    }
    expectError(run([.zeros([])], [.zeros([3]), .zeros([4])]) { $0 }, .shape, "one length")
    expectError(run([.zeros([])], [.zeros([])]) { $0 }, .shape)
    expectError(run([.zeros([])], [.zeros([3])]) { [$0[0].cast(to: .int32)] }, .shape, "carries")
    expectError(run([.zeros([])], [.zeros([3])]) { _ in [] }, .shape)
    expectError(
      run([.zeros([])], [.zeros([3])]) { [$0[0] + Tensor([[1.0, 2.0]]).matmul(Tensor([1.0]))] }, .shape, "matmul")
  }

  @Test func readingInTheBodyIsAnErrorThatSaysSo() throws {
    var caught: TensorError?
    _ = scan([Tensor.zeros([])], over: [.zeros([2])]) { carry, x in
      do { _ = try (carry[0] + x[0]).item() } catch { caught = error as? TensorError }
      #expect("\(x[0])".contains("scan"))
      return (carry, [])
    }
    #expect(try #require(caught).kind == .symbolic)
  }
}
