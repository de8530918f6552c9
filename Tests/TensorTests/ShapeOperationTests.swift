import Cajal
import Testing

private let x = Tensor.arange(6).reshaped(2, 3)

@Suite struct ShapeOperationTests {
  @Test func reshapingKeepsTheOrder() {
    expect(x.reshaped(3, 2), [0, 1, 2, 3, 4, 5], [3, 2])
    expect(x.T.reshaped(6), [0, 3, 1, 4, 2, 5], [6])
    expect(x.reshaped(-1), [0, 1, 2, 3, 4, 5], [6])
    #expect(x.reshaped(1, -1, 3).shape == [1, 2, 3])
    #expect(Tensor.zeros([0, 3]).reshaped(3, -1).shape == [3, 0])
    expectError(x.reshaped(4), .shape, "[2, 3]", "6")
    expectError(x.reshaped(-1, 4), .shape, "[2, 3]", "4")
    expectError(x.reshaped(-1, -1), .shape)
    expectError(Tensor.zeros([0]).reshaped(0, -1), .shape)
  }

  @Test func flatteningJoinsAxes() {
    #expect(Tensor.zeros([2, 3, 4]).flattened().shape == [24])
    #expect(Tensor.zeros([2, 3, 4]).flattened(from: 1).shape == [2, 12])
    #expect(Tensor.zeros([2, 3, 4]).flattened(from: -1).shape == [2, 3, 4])
    #expect(Tensor.zeros([]).flattened().shape == [1])
    expectError(Tensor.zeros([2, 3]).flattened(from: 5), .index, "5")
  }

  @Test func transposingPermutesAxes() {
    expect(x.T, [0, 3, 1, 4, 2, 5], [3, 2])
    expect(x.transposed(), [0, 3, 1, 4, 2, 5], [3, 2])
    #expect(Tensor.zeros([2, 3, 4]).transposed(2, 0, 1).shape == [4, 2, 3])
    #expect(Tensor.zeros([2, 3, 4]).transposed(-1, 0, -2).shape == [4, 2, 3])
    #expect(Tensor.zeros([2, 3, 4]).T.shape == [2, 4, 3])
    expectError(x.transposed(0, 0), .shape)
    expectError(x.transposed(0), .shape)
    expectError(x.transposed(0, 2), .shape)
  }

  @Test func broadcastingFollowsNumPy() {
    expect(Tensor([1, 2]).broadcast(to: [2, 2]), [1, 2, 1, 2], [2, 2])
    expect(Tensor([[1], [2]]).broadcast(to: [2, 3]), [1, 1, 1, 2, 2, 2], [2, 3])
    #expect((Tensor.zeros([3, 1]) + Tensor.zeros([1, 4])).shape == [3, 4])
    #expect((Tensor.zeros([0, 1]) + Tensor.zeros([1, 4])).shape == [0, 4])
    expectError(x.broadcast(to: [3, 3]), .shape, "[2, 3]", "[3, 3]")
    expectError(x.broadcast(to: [3]), .shape)
  }

  @Test func axesOfOneComeAndGo() {
    #expect(x.expanded(at: 0).shape == [1, 2, 3])
    #expect(x.expanded(at: -1).shape == [2, 3, 1])
    #expect(Tensor.zeros([1, 2, 1]).squeezed().shape == [2])
    #expect(Tensor.zeros([1, 2, 1]).squeezed(-1).shape == [1, 2])
    expectError(x.expanded(at: 4), .index, "4")
    expectError(x.squeezed(0), .shape)
  }

  @Test func flippingAndPadding() {
    expect(x.flipped(1), [2, 1, 0, 5, 4, 3], [2, 3])
    expect(x.flipped(0, -1), [5, 4, 3, 2, 1, 0], [2, 3])
    expect(Tensor([1, 2]).padded([(1, 2)]), [0, 1, 2, 0, 0], [5], .int64)
    expect(Tensor([[1.0]]).padded([(0, 1), (1, 0)], with: 9), [9, 1, 9, 9], [2, 2], .float32)
    expectError(x.flipped(2), .index)
    expectError(x.padded([(1, 1)]), .shape)
  }

  @Test func joiningAndCutting() {
    expect(.concatenate([x, x[0..<1]]), [0, 1, 2, 3, 4, 5, 0, 1, 2], [3, 3])
    expect(.concatenate([x, x[.all, 0..<1]], axis: -1), [0, 1, 2, 0, 3, 4, 5, 3], [2, 4])
    expect(.concatenate([Tensor([1]), Tensor([0.5])]), [1, 0.5], [2], .float32)
    expect(.stack([Tensor([1, 2]), Tensor([3, 4])]), [1, 2, 3, 4], [2, 2])
    expect(.stack([Tensor([1, 2]), Tensor([3, 4])], axis: -1), [1, 3, 2, 4], [2, 2])
    let parts = x.split([1, 2], axis: 1)
    expect(parts[0], [0, 3], [2, 1])
    expect(parts[1], [1, 2, 4, 5], [2, 2])
    #expect(x.split(into: 3, axis: -1).map(\.shape) == [[2, 1], [2, 1], [2, 1]])
    expectError(.concatenate([]), .shape)
    expectError(.concatenate([x, Tensor([1])]), .shape)
    expectError(.stack([x, x.T]), .shape)
    expectError(x.split([1, 1], axis: 1)[0], .shape)
    expectError(x.split(into: 2, axis: 1)[1], .shape, "equal pieces")
  }

  @Test func takingAndScattering() {
    expect(x.take(Tensor([1, 0]), axis: 1), [1, 0, 4, 3], [2, 2])
    expect(x.takeAlong(Tensor([[2], [0]]), axis: 1), [2, 3], [2, 1])
    expect(Tensor([0, 0, 0]).scatterAdded(Tensor([5, 7]), at: Tensor([2, 2])), [0, 0, 12], [3])
    expect(
      Tensor.zeros([2, 2]).scatterAddedAlong(Tensor([[1.0], [2.0]]), at: Tensor([[1], [0]]), axis: 1), [0, 1, 2, 0],
      [2, 2])
    expect(Tensor([2, 0]).oneHot(3), [0, 0, 1, 1, 0, 0], [2, 3], .float32)
    expectError(x.take(Tensor([2])), .index, "2")
    expectError(Tensor([3]).oneHot(3, dtype: .int32), .index)
  }

  @Test func moreThanEightAxesAreAnError() {
    let deep = Tensor.zeros(Shape(repeating: 1, count: 8))
    #expect(deep.rank == 8)
    expectError(deep.expanded(at: 0), .shape, "9 axes")
    expectError(deep[.newAxis], .shape, "9 axes")
    expectError(.zeros(Shape(repeating: 2, count: 9)), .shape)
    expectError(.stack([deep, deep]), .shape)
    expectError(deep.reshaped(to: Shape(repeating: 1, count: 30)), .shape)
    expectError(deep.oneHot(3), .dtype)
  }
}
