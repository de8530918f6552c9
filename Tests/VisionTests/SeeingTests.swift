import CajalBase
import CajalTensor
import Testing

@testable import CajalVision

@Suite struct SeeingTests {
  @Test func picturesStandInAGrid() {
    let images = (0..<5).map { Image(3, 2, color: [UInt8(10 * $0)]) }
    let sheet = Image.grid(images, columns: 2, gap: 1, fill: 255)
    #expect((sheet.width, sheet.height, sheet.channels) == (7, 8, 1))
    for (index, image) in images.enumerated() {
      #expect(sheet.cropped(left: index % 2 * 4, top: index / 2 * 3, width: 3, height: 2) == image)
    }
    #expect(sheet.bytes[3] == 255 && sheet.bytes[2 * 7] == 255 && sheet.bytes[7 * 7 + 5] == 255)
    #expect(Image.grid(images + [sample(3)]).channels == 3)
    #expect(Image.grid([]).bytes == [255])
  }

  @Test func filtersAndMapsAreStretchedEachByItself() throws {
    let filters = try Image.filters(
      Tensor([[[[-1.0, 10]]], [[[0.5, 20]]]]), columns: 2, enlarged: 1)
    // Two of 2 × 1, two pixels between them.
    #expect((filters.width, filters.height) == (4, 2))
    #expect([0, 3, 4, 7].map { filters.bytes[$0] } == [0, 191, 191, 255])
    #expect(try Image.filters(Tensor.ones([3, 3, 3, 4])).channels == 3)
    let maps = try Image.featureMaps(Tensor([[[1.0, 5], [3, 5]]]), columns: 1, enlarged: 1)
    #expect((maps.width, maps.height) == (2, 4))
    #expect(Array(maps.bytes[0..<2]) == [0, 255] && Array(maps.bytes[6..<8]) == [0, 0])
    expectError("[KH, KW, inputs, outputs]") { _ = try Image.filters(Tensor.ones([3])) }
    expectError("[H, W, C]") { _ = try Image.featureMaps(Tensor.ones([3])) }
  }

  @Test func heatGrowsFromBlackToWhite() throws {
    let heat = try Image.heatMap(Tensor([[0.0, 1, 2, 3]]))
    #expect(heat.bytes == [0, 0, 0, 255, 0, 0, 255, 255, 0, 255, 255, 255])
    let picture = Image(4, 1, color: [100])
    #expect(picture.overlaid(heat, opacity: 0).bytes == picture.rgb.bytes)
    #expect(picture.overlaid(heat, opacity: 1).bytes == heat.bytes)
    #expect(picture.overlaid(heat, opacity: 0.5).bytes[0] == 50)
  }

  @Test func saliencyIsTheGreatestSlopeOfAPixel() throws {
    let weights = Tensor([[[[1.0, -3], [0.5, 0.25]]]])
    let map = saliency(of: Tensor([[[2.0, 1], [4, 5]]])) { x in (x * weights).sum() }
    #expect(map.shape == [1, 2])
    #expect(try map.scalars(Float.self) == [3, 0.5])
  }

  @Test func gradCAMIsOfWhatSpeaksForTheClass() throws {
    // Two maps; the score is 2 · mean of the first − mean of the second.
    let features = Tensor([[[[1.0, 0], [3, 1]], [[0, 9], [2, 0]]]])
    let map = gradCAM(of: features) { x in
      let means = x.mean(axes: [1, 2])
      return 2 * means[0, 0] - means[0, 1]
    }
    #expect(map.shape == [2, 2])
    // The mean gradients are 2/4 and −1/4.
    #expect(try map.scalars(Float.self) == [0.5, 1.25, 0, 1])
  }

  @Test func confusionIsDarkWhereItIsFrequent() throws {
    let sheet = try Image.confusion(Tensor([[90.0, 10], [0, 7]]))
    // Cells of two digits: 7 + 6 pixels, enlarged twice; a row and a column more.
    #expect((sheet.width, sheet.height) == (78, 78))
    func corner(_ row: Int, _ column: Int) -> UInt8 { sheet.bytes[(row * 26 * 78) + column * 26] }
    #expect(corner(1, 1) == 75 && corner(1, 2) == 235 && corner(2, 1) == 255 && corner(2, 2) == 55)
    expectError("rows and columns differ") { _ = try Image.confusion(Tensor.ones([2, 3])) }
    for count in [Double.nan, .infinity, -1, 1e300] {
      expectError("negative, beyond 2^53, or no numbers") { _ = try Image.confusion(Tensor([[1.0, 2], [3, count]])) }
    }
  }

  @Test func onlyMistakesAreShown() {
    let examples = (0..<4).map { LabeledImage(image: Image(30, 30, color: [UInt8(60 * $0)]), label: $0) }
    let sheet = Image.misclassified(examples, predicted: [0, 2, 2, 1], columns: 2)
    // Two of four, each with its numbers below.
    #expect((sheet.width, sheet.height) == (64, 38))
    #expect(sheet.bytes[0] == 60 && sheet.bytes[34 * 3] == 180)
    let inks = Set((0..<sheet.bytes.count / 3).map { Array(sheet.bytes[3 * $0..<3 * $0 + 3]) })
    #expect(inks.contains([0, 128, 0]) && inks.contains([208, 0, 0]))
    #expect(Image.misclassified(examples, predicted: [0, 1, 2, 3]).bytes == [255])
  }
}
