import Cajal
import Testing

@Suite struct CreationTests {
  @Test func nestedArraysGiveTheirShapeAndDtype() {
    expect(Tensor([1, 2, 3]), [1, 2, 3], [3], .int64)
    expect(Tensor([[1, 2], [3, 4]]), [1, 2, 3, 4], [2, 2], .int64)
    expect(Tensor([1.5, 2]), [1.5, 2], [2], .float32)
    expect(Tensor([[[1.0], [2.0]], [[3.0], [4.0]]]), [1, 2, 3, 4], [2, 2, 1], .float32)
    expect(Tensor([[[[[7]]]]] as [[[[[Int16]]]]]), [7], [1, 1, 1, 1, 1], .int16)
  }

  @Test func eachSwiftTypeHasItsDtype() {
    #expect(Tensor([1] as [Int]).dtype == .int64)
    #expect(Tensor([1] as [Int64]).dtype == .int64)
    #expect(Tensor([1] as [Int32]).dtype == .int32)
    #expect(Tensor([1] as [Int16]).dtype == .int16)
    #expect(Tensor([1] as [Int8]).dtype == .int8)
    #expect(Tensor([1] as [UInt8]).dtype == .uint8)
    #expect(Tensor([1] as [Float]).dtype == .float32)
    #expect(Tensor([1] as [Double]).dtype == .float64)
    #expect(Tensor([1.5] as [BFloat16]).dtype == .bfloat16)
    #expect(Tensor([true] as [Bool]).dtype == .bool)
  }

  @Test(arguments: DType.allCases) func aNamedDtypeIsTaken(_ dtype: DType) {
    expect(Tensor([0, 1, 1], dtype: dtype), [0, 1, 1], [3], dtype)
    expect(Tensor([0.0, 1.0], dtype: dtype), [0, 1], [2], dtype)
    expect(Tensor.ones([2], dtype: dtype), [1, 1], [2], dtype)
    expect(Tensor.zeros([2, 1], dtype: dtype), [0, 0], [2, 1], dtype)
    expect(Tensor.zeros(like: Tensor.ones([3], dtype: dtype)), [0, 0, 0], [3], dtype)
    expect(Tensor.ones(like: Tensor.zeros([], dtype: dtype)), [1], [], dtype)
  }

  @Test func numbersWithAShapeFillIt() {
    expect(Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3]), [1, 2, 3, 4, 5, 6], [2, 3], .int64)
    expect(Tensor([0.5, 4], shape: [2, 1]), [0.5, 4], [2, 1], .float32)
    expect(Tensor([0.5] as [Double], shape: []), [0.5], [], .float64)
    expect(Tensor([1] as [UInt8], shape: []), [1], [], .uint8)
    expect(Tensor([Int](), shape: [0, 5]), [], [0, 5])
  }

  @Test func emptyAndScalarTensorsExist() {
    expect(Tensor([Float]()), [], [0], .float32)
    let (double, small) = (2.5, Int8(2))
    expect(Tensor(scalar: 2.5), [2.5], [], .float32)
    expect(Tensor(scalar: double), [2.5], [], .float64)
    expect(Tensor(scalar: 2), [2], [], .int64)
    expect(Tensor(scalar: small), [2], [], .int8)
    expect(Tensor(scalar: Float(2.5)), [2.5], [], .float32)
    expect(Tensor(scalar: 3, dtype: .float16), [3], [], .float16)
    #expect(Tensor.zeros([2, 0, 3]).count == 0)
  }

  @Test func arraysWithRowsOfDifferentLengthsAreErrors() {
    expectError(Tensor([[1, 2], [3]]), .shape, "differ in length")
    expectError(Tensor([[[1.0], [2.0]], [[3.0]]]), .shape, "differ in length")
    expectError(Tensor([[1], []] as [[Int]]), .shape, "differ in length")
  }

  @Test func numbersThatDoNotFillTheShapeAreErrors() {
    expectError(Tensor([1, 2, 3], shape: [2, 2]), .shape, "3 numbers", "[2, 2]")
    expectError(Tensor([1], shape: [-1]), .shape)
    let nineOnes = Shape(repeating: 1, count: 9)
    expectError(Tensor([1], shape: nineOnes), .shape)
  }

  @Test func bytesAreTakenAsTheyAre() {
    let bytes: [UInt8] = [1, 0, 255, 255]
    expect(bytes.withUnsafeBytes { Tensor(bytes: $0, shape: [2], dtype: .int16) }, [1, -1], [2], .int16)
    expectError(bytes.withUnsafeBytes { Tensor(bytes: $0, shape: [3], dtype: .int16) }, .shape, "4 bytes")
  }

  @Test func fullTakesTheNumbersDtypeOrANamedOne() {
    expect(Tensor.full([2], 7), [7, 7], [2], .int64)
    expect(Tensor.full([2], 0.5), [0.5, 0.5], [2], .float32)
    expect(Tensor.full([2], 300, dtype: .int16), [300, 300], [2], .int16)
    expect(Tensor.full([], true), [1], [], .bool)
  }

  @Test func arangeCountsUpAndDown() {
    expect(.arange(4), [0, 1, 2, 3], [4], .int64)
    expect(.arange(0), [], [0], .int64)
    expect(.arange(3, dtype: .float32), [0, 1, 2], [3], .float32)
    expect(.arange(from: 2, to: 9, by: 3), [2, 5, 8], [3], .int64)
    expect(.arange(from: 5, to: 0, by: -2), [5, 3, 1], [3], .int64)
    expect(.arange(from: 0.0, to: 1.0, by: 0.25), [0, 0.25, 0.5, 0.75], [4], .float32)
    expect(.arange(from: 3, to: 3, by: 1), [], [0])
    expect(.arange(from: 3, to: 0, by: 1), [], [0])
  }

  @Test func arangeWithoutAnEndIsAnError() {
    expectError(.arange(from: 0, to: 5, by: 0), .shape, "arange")
    expectError(.arange(from: 0.0, to: .infinity, by: 1.0), .shape, "arange")
    expectError(.arange(-1), .shape)
  }

  @Test func linspaceReachesBothEnds() {
    expect(.linspace(0, 1, count: 5), [0, 0.25, 0.5, 0.75, 1], [5], .float32)
    expect(.linspace(3, -3, count: 4, dtype: .float64), [3, 1, -1, -3], [4], .float64)
    expect(.linspace(2, 9, count: 1), [2], [1])
    expect(.linspace(2, 9, count: 0), [], [0])
    expectError(.linspace(0, 1, count: -2), .shape)
  }

  @Test func eyeHasOnesOnOneDiagonal() {
    expect(.eye(2), [1, 0, 0, 1], [2, 2], .float32)
    expect(.eye(2, columns: 3, diagonal: 1), [0, 1, 0, 0, 0, 1], [2, 3])
    expect(.eye(2, diagonal: -1, dtype: .int32), [0, 0, 1, 0], [2, 2], .int32)
  }
}
