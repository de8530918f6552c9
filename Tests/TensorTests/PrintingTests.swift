import Cajal
import Testing

@Suite struct PrintingTests {
  @Test func numbersPrintWithoutBrackets() {
    #expect("\(Tensor(scalar: Float(2.5)))" == "2.5")
    #expect("\(Tensor([7], shape: []))" == "7")
    #expect("\(Tensor(scalar: true))" == "true")
  }

  @Test func vectorsAndMatricesPrintAsNumPysDo() {
    #expect("\(Tensor([1, -2, 3]))" == "[1, -2, 3]")
    #expect("\(Tensor([0.5, 2.0]))" == "[0.5, 2.0]")
    #expect("\(Tensor([true, false]))" == "[true, false]")
    #expect("\(Tensor([[1, 20], [-300, 4]]))" == "[[   1,   20],\n [-300,    4]]")
  }

  @Test func threeAxesHaveAnEmptyLineBetweenMatrices() {
    #expect("\(Tensor([[[1, 2]], [[3, 4]]]))" == "[[[1, 2]],\n\n [[3, 4]]]")
  }

  @Test func longAxesAreShortenedToTheirEdges() {
    #expect("\(Tensor.arange(1001))" == "[0, 1, 2, ..., 998, 999, 1000]")
    let square = "\(Tensor.zeros([100, 100], dtype: .int32))"
    #expect(square.split(separator: "\n").count == 7)
    #expect(square.contains("[0, 0, 0, ..., 0, 0, 0]"))
    #expect("\(Tensor.arange(1000))".split(separator: ",").count == 1000)
  }

  @Test func everyDtypePrintsItsOwnPrecision() {
    #expect("\(Tensor([0.1], dtype: .float32))" == "[0.1]")
    #expect("\(Tensor([0.1] as [Double]))" == "[0.1]")
    #expect("\(Tensor([1e30, 1e-30]))" == "[1e+30, 1e-30]")
    #expect("\(Tensor([Float.nan, .infinity]))" == "[nan, inf]")
    #expect("\(Tensor([255], dtype: .uint8))" == "[255]")
  }

  @Test func wholeNumbersBeyondDoublesAreExact() {
    #expect("\(Tensor([Int.max, Int.min, 9_007_199_254_740_993]))" == "[\(Int.max), \(Int.min), 9007199254740993]")
  }

  @Test func emptyTensorsSayTheirType() {
    #expect("\(Tensor.zeros([0, 3]))" == "[], float32[0, 3]")
  }

  @Test func errorTensorsPrintTheirError() {
    let text = "\(Tensor([1.0, 2.0]) + Tensor([1.0, 2.0, 3.0]))"
    #expect(text.hasPrefix("Tensor(error: add: "))
  }
}
