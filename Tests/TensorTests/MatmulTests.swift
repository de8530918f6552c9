import Cajal
import Testing

private let a = Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
private let b = Tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])

@Suite struct MatmulTests {
  @Test func matricesMultiply() {
    expect(a.matmul(b), [4, 5, 10, 11], [2, 2])
    expect(b.matmul(a), [1, 2, 3, 4, 5, 6, 5, 7, 9], [3, 3])
    expect(a.matmul(a, transposingOther: true), [14, 32, 32, 77], [2, 2])
    expect(a.matmul(a, transposed: true), [17, 22, 27, 22, 29, 36, 27, 36, 45], [3, 3])
    expect(a.T.matmul(b.T), a.T.matmul(b, transposingOther: true))
  }

  @Test func vectorsLoseTheirAxis() {
    let v = Tensor([1.0, 2.0, 3.0])
    expect(v.matmul(v), [14], [])
    expect(a.matmul(v), [14, 32], [2])
    expect(v.matmul(b), [4, 5], [2])
    #expect(Tensor.ones([4, 2, 3]).matmul(v).shape == [4, 2])
    #expect(v.matmul(Tensor.ones([4, 3, 2])).shape == [4, 2])
  }

  @Test func batchesBroadcast() {
    #expect(Tensor.ones([5, 2, 3]).matmul(b).shape == [5, 2, 2])
    #expect(a.matmul(Tensor.ones([5, 3, 4])).shape == [5, 2, 4])
    #expect(Tensor.ones([5, 1, 2, 3]).matmul(Tensor.ones([4, 3, 2])).shape == [5, 4, 2, 2])
    expect(Tensor.stack([a, a * 2]).matmul(b), [4, 5, 10, 11, 8, 10, 20, 22], [2, 2, 2])
  }

  @Test func emptyProductsAreZero() {
    expect(Tensor.ones([2, 0]).matmul(.ones([0, 3])), [0, 0, 0, 0, 0, 0], [2, 3])
    expect(Tensor.ones([0, 2]).matmul(.ones([2, 3])), [], [0, 3])
  }

  @Test func integersMultiplyExactlyAndPromote() {
    let big = Tensor([[9_007_199_254_740_993, 1]])
    #expect(try! big.matmul(Tensor([[1], [1]])).scalars(Int.self) == [9_007_199_254_740_994])
    expect(Tensor([[1, 2]], dtype: .uint8).matmul(Tensor([[100], [100]], dtype: .uint8)), [44], [1, 1], .uint8)
    expect(Tensor([[1, 2]]).matmul(Tensor([[0.5], [0.25]])), [1], [1, 1], .float32)
    expect(Tensor([[true, true]]).matmul(Tensor([[true], [true]])), [2], [1, 1], .int64)
  }

  @Test func whatDoesNotFitIsAnErrorWithBothShapes() {
    expectError(a.matmul(a), .shape, "matmul", "[2, 3]", "3", "2")
    expectError(a.matmul(Tensor([1.0, 2.0])), .shape, "matmul")
    expectError(Tensor.ones([2, 2, 3]).matmul(.ones([3, 3, 2])), .shape, "batch axes")
    expectError(Tensor(scalar: 1.0).matmul(a), .shape, "scalar")
  }

  private func expect(_ x: Tensor, _ y: Tensor) {
    #expect((try? x.bytes()) == (try? y.bytes()))
  }
  private func expect(
    _ x: Tensor, _ numbers: [Double], _ shape: Shape, _ dtype: DType? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    TensorTests.expect(x, numbers, shape, dtype, sourceLocation: sourceLocation)
  }
}
