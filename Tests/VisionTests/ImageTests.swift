import CajalBase
import CajalData
import CajalTensor
import Testing

@testable import CajalVision

@Suite struct ImageTests {
  @Test func sizesChangeAsInPillow() throws {
    let golden = try Golden.read().resized
    let filters: [String: Interpolation] = [
      "nearest": .nearest, "box": .box, "bilinear": .bilinear, "bicubic": .bicubic, "lanczos": .lanczos,
    ]
    #expect(golden.count == 50)
    for told in golden {
      let filter = try #require(filters[told.filter ?? ""])
      let image = sample(told.from ?? 0).resized(width: told.width, height: told.height, filter)
      #expect(image.isTold(by: told), "\(filter) to \(told.width) × \(told.height) of \(told.channels)")
    }
  }

  @Test func coloursChangeAsInPillow() throws {
    let golden = try Golden.read().changed
    let image = sample(3)
    for (name, told) in golden {
      let words = name.split(separator: " ")
      let number = words.count > 1 ? Double(words[1]) ?? .nan : .nan
      let changed: Image? =
        switch words[0] {
        case "gray": image.gray
        case "autocontrast": image.autocontrasted
        case "equalize": sample(3, width: 80, height: 60).equalized
        case "mirrored": image.mirrored
        case "flipped": image.flipped
        case "brightness": image.brightness(number)
        case "contrast": image.contrast(number)
        case "saturation": image.saturation(number)
        case "sharpness": image.sharpness(number)
        case "posterized": image.posterized(bits: Int(number))
        case "solarized": image.solarized(Int(number))
        default: nil
        }
      #expect(changed?.isTold(by: told) == true, "\(name)")
    }
  }

  @Test func theShorterSideSaysTheLonger() throws {
    let wide = try sample(1, width: 451, height: 300).resized(shorterSide: 256)
    #expect((wide.width, wide.height) == (384, 256))
    let high = try sample(1, width: 3, height: 10).resized(shorterSide: 5)
    #expect((high.width, high.height) == (5, 16))
    // A small file, and 256 times as much of it would be 65,536,000,000 pixels.
    let line = try Image(width: 1, height: 1_000_000, channels: 1, bytes: [UInt8](repeating: 0, count: 1_000_000))
    expectError("1 × 1000000", "more than 67108864 pixels", "Crop it") { _ = try line.resized(shorterSide: 256) }
    expectError("more than") { _ = try line.resized(shorterSide: .max) }
    expectError("more than") { _ = try ImageTransform.resize(shorterSide: 256)(line) }
    let examples = Dataset([LabeledImage(image: line, label: 0)]).augmented(.resize(shorterSide: 256))
    expectError("more than") { _ = try examples.elements() }
  }

  @Test func partsAreCutWhereTheyLie() {
    let image = sample(2)
    let part = image.cropped(left: 3, top: 5, width: 4, height: 2)
    #expect((part.width, part.height) == (4, 2))
    for y in 0..<2 {
      for x in 0..<4 {
        for c in 0..<2 { #expect(part.bytes[(y * 4 + x) * 2 + c] == image.bytes[((y + 5) * 37 + x + 3) * 2 + c]) }
      }
    }
    // Beyond the border, what there is.
    #expect(image.cropped(left: 30, top: 20, width: 100, height: 100).width == 7)
    #expect(image.centerCropped(11) == image.cropped(left: 13, top: 6, width: 11, height: 11))
    // Of a smaller picture, black around it.
    let larger = image.centerCropped(width: 41, height: 23)
    #expect(larger.cropped(left: 2, top: 0, width: 37, height: 23) == image)
    #expect(larger.cropped(left: 0, top: 0, width: 2, height: 23).bytes.allSatisfy { $0 == 0 })
    #expect(image.square == image.cropped(left: 7, top: 0, width: 23, height: 23))
  }

  @Test func bordersAreOfOneColourOrOfThePicture() throws {
    let line = try Image(width: 3, height: 1, channels: 1, bytes: [1, 2, 3])
    func row(_ padding: ImagePadding) -> [UInt8] {
      line.padded(left: 4, top: 0, right: 4, bottom: 0, with: padding).bytes
    }
    #expect(row(.constant(9)) == [9, 9, 9, 9, 1, 2, 3, 9, 9, 9, 9])
    #expect(row(.edge) == [1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3])
    #expect(row(.reflect) == [1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3])
    #expect(line.padded(2).height == 5)
  }

  @Test func aQuarterTurnMovesEveryPixelToItsPlace() {
    let image = sample(3, width: 8, height: 8)
    let turned = image.rotated(90, .nearest)
    for y in 0..<8 {
      for x in 0..<8 {
        // Clockwise, what was at the left is at the top.
        for c in 0..<3 { #expect(turned.bytes[(x * 8 + 7 - y) * 3 + c] == image.bytes[(y * 8 + x) * 3 + c]) }
      }
    }
    #expect(image.rotated(0) == image)
    #expect(image.rotated(360).bytes.elementsEqual(image.bytes) { abs(Int($0) - Int($1)) <= 1 })
  }

  @Test func mapsMoveScaleAndShear() throws {
    let image = sample(1, width: 9, height: 9)
    let moved = image.transformed(AffineMap(width: 9, height: 9, translate: (2, -1)), fill: 7)
    #expect(moved.bytes[3 * 9 + 5] == image.bytes[4 * 9 + 3])
    #expect(moved.bytes[0] == 7 && moved.bytes[8 * 9 + 8] == 7)
    let larger = image.transformed(AffineMap(width: 9, height: 9, scale: 3), .nearest)
    #expect(larger.bytes[4 * 9 + 4] == image.bytes[4 * 9 + 4] && larger.bytes[0] == image.bytes[3 * 9 + 3])
    // Of torchvision's _get_inverse_affine_matrix((16, 12), 30, (2, 3), 1.5, (10, 20)).
    let map = AffineMap(width: 32, height: 24, degrees: 30, translate: (2, 3), scale: 1.5, shear: (10, 20))
    let expected = [
      0.5556276631684293,
      0.45652835393606356,
      -0.849223246072679,
      -0.1231950206027302,
      0.6986736806116931,
      3.737405161673747,
    ]
    for (value, told) in zip([map.a, map.b, map.c, map.d, map.e, map.f], expected) {
      #expect(abs(value - told) < 1e-12)
    }
  }

  @Test func huesTurnAroundTheCircle() throws {
    let red = try Image(width: 1, height: 1, channels: 3, bytes: [250, 10, 10])
    #expect(red.hue(1 / 3.0).bytes == [10, 250, 10])
    #expect(red.hue(-1 / 3.0).bytes == [10, 10, 250])
    #expect(red.hue(1 / 6.0).bytes == [250, 250, 10])
    #expect(red.hue(0.5).bytes == [10, 250, 250])
    let image = sample(3)
    #expect(image.hue(0.5).hue(0.5).bytes.elementsEqual(image.bytes) { abs(Int($0) - Int($1)) <= 2 })
    #expect(sample(1).hue(0.3) == sample(1))
  }

  @Test func picturesAreTensorsOfBytes() throws {
    let image = sample(3)
    #expect(image.tensor.shape == [23, 37, 3] && image.tensor.dtype == .uint8)
    #expect(try Image(image.tensor) == image)
    #expect(try Image(image.tensor / 255) == image)
    #expect(try Image(Tensor([[-1.0, 0.5, 2, .nan]])).bytes == [0, 128, 255, 0])
    expectError("no picture") { _ = try Image(Tensor.zeros([2, 2, 5])) }
    expectError("7 bytes are no picture") { _ = try Image(width: 2, height: 1, channels: 3, bytes: [UInt8](1...7)) }
  }

  @Test func opacityIsLeftOut() throws {
    let image = try Image(width: 1, height: 1, channels: 4, bytes: [10, 20, 30, 0])
    #expect(image.rgb.bytes == [10, 20, 30] && image.gray.bytes == [18])
    #expect(try Image(width: 1, height: 1, channels: 2, bytes: [9, 0]).rgb.bytes == [9, 9, 9])
    #expect(image.brightness(2).bytes == [20, 40, 60, 0] && image.inverted.bytes == [245, 235, 225, 0])
  }
}
