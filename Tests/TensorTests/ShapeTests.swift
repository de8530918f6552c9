import Cajal
import CajalBase
import Testing

@Suite struct ShapeTests {
  @Test func shapesAnswerForEveryAxis() {
    let shape: Shape = [2, 3, 4]
    #expect(shape.rank == 3 && shape.count == 24)
    #expect(shape[0] == 2 && shape[-1] == 4 && shape[-3] == 2)
    #expect(shape[3] == 1 && shape[-4] == 1 && shape[100] == 1)
    #expect(shape.array == [2, 3, 4])
    #expect(shape.strides == [12, 4, 1])
    #expect("\(shape)" == "[2, 3, 4]")
    #expect(Shape.scalar.count == 1 && Shape.scalar.array.isEmpty)
  }

  @Test func axesCountFromBothEnds() {
    let shape: Shape = [2, 3]
    #expect(shape.normalized(axis: -2) == 0)
    #expect(shape.normalized(axis: 1) == 1)
    #expect(shape.normalized(axis: 2) == nil)
    #expect(shape.normalized(axis: -3) == nil)
    #expect(shape.normalized(axis: .min) == nil)
    #expect(Shape.scalar.normalized(axis: 0) == nil)
  }

  @Test func countsThatOverflowAreNil() {
    #expect(Shape([1 << 32, 1 << 31]).checkedCount == nil)
    #expect(Shape([Int.max, 2, 0]).checkedCount == nil || Shape([Int.max, 2, 0]).checkedCount == 0)
    #expect(Shape([-1]).checkedCount == nil)
    #expect(Shape(repeating: 1, count: 9).checkedCount == nil)
    #expect(Shape([0, -1]).checkedCount == nil)
  }

  @Test func shapesGrowShrinkAndJoin() {
    var shape: Shape = [2, 4]
    shape.insert(3, at: 1)
    #expect(shape == [2, 3, 4])
    shape.append(5)
    #expect(shape == [2, 3, 4, 5])
    #expect(shape.prefix(2) == [2, 3])
    #expect(shape.suffix(from: 3) == [5])
    #expect(shape.suffix(from: 9) == [])
    #expect(shape.reduced(over: [0, 2], keepingAxes: false) == [3, 5])
    #expect(shape.reduced(over: [0, 2], keepingAxes: true) == [1, 3, 1, 5])
    #expect(Shape([1]) + Shape([2, 3]) == [1, 2, 3])
  }

  @Test func equalityLooksAtEveryAxis() {
    #expect(Shape([1, 2]) != Shape([2, 1]))
    #expect(Shape([]) != Shape([1]))
    #expect(Set([Shape([2, 3]), Shape([2, 3]), Shape([3, 2])]).count == 2)
  }

  @Test func broadcastingAgreesWithItsDefinition() {
    let shapes = everyList(of: [0, 1, 2, 3], upTo: 3)
    for a in shapes {
      for b in shapes { #expect(Shape.broadcast(Shape(a), Shape(b))?.array == definition(a, b), "\(a) with \(b)") }
    }
  }

  /// NumPy's rule, from the last axis on: equal, or one of them 1.
  private func definition(_ a: [Int], _ b: [Int]) -> [Int]? {
    var result: [Int] = []
    for back in 1...max(1, a.count, b.count) where back <= max(a.count, b.count) {
      let x = back <= a.count ? a[a.count - back] : 1
      let y = back <= b.count ? b[b.count - back] : 1
      guard x == y || x == 1 || y == 1 else { return nil }
      result.insert(x == 1 ? y : x, at: 0)
    }
    return result
  }

  @Test func dtypesKnowTheirSizeAndKind() {
    #expect(DType.allCases.map(\.byteCount) == [1, 1, 1, 2, 4, 8, 2, 2, 4, 8])
    #expect(DType.allCases.filter(\.isFloat) == [.float16, .bfloat16, .float32, .float64])
    #expect(DType.allCases.filter(\.isInteger) == [.uint8, .int8, .int16, .int32, .int64])
    #expect(
      DType.allCases.map(\.description).joined(separator: " ")
        == "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64")
  }

  @Test func byteCountsBeyondAnyMachineAreNil() {
    #expect(TensorType([1 << 45], .float64).checkedByteCount == nil)
    #expect(TensorType([3, 5], .int16).checkedByteCount == 30)
    #expect("\(TensorType([3, 5], .int16))" == "int16[3, 5]")
  }

  @Test func devicesHaveNames() {
    #expect(Device.all.map(\.name) == ["cpu", "reference", "fake"])
    #expect(Device(named: "fake") == .fake)
    #expect(Device(named: "gpu9") == nil)
  }
}
