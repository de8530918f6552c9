import CajalBase
import CajalData
import CajalFormats
import CajalTensor
import Foundation
import Testing

@testable import CajalVision

@Suite struct AugmentationTests {
  private let examples = Dataset((0..<12).map { LabeledImage(image: sample(3, width: 20 + $0, height: 16), label: $0) })

  private static let all: [ImageTransform] = [
    .randomMirror(), .randomFlip(), .randomCrop(12, padding: 2, with: .reflect), .randomResizedCrop(14),
    .randomRotation(20), .randomAffine(degrees: 10, translate: 0.1, scale: 0.8...1.2, shear: 10),
    .colorJitter(brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1), .cutout(6),
    .randAugment(count: 2, magnitude: 15), .oneOf([.gray, .rgb]), .resize(width: 8, height: 9).withProbability(0.5),
  ]

  @Test func theSameNumbersGiveTheSamePictures() throws {
    for transform in Self.all {
      let once = try examples.augmented(transform, seed: 3).elements(epoch: 1)
      for workers in [1, 3] {
        #expect(try examples.augmented(transform, seed: 3, workers: workers).elements(epoch: 1) == once, "\(transform)")
      }
      #expect(try examples.augmented(transform, seed: 3).elements(epoch: 2) != once, "\(transform)")
      #expect(try examples.augmented(transform, seed: 4).elements(epoch: 1) != once, "\(transform)")
      #expect(once.map(\.label) == Array(0..<12))
    }
  }

  @Test func chancesAreWhatTheySay() throws {
    let image = sample(1)
    let mirrored = try (0..<1000).count {
      try ImageTransform.randomMirror(0.3)(image, seed: UInt64($0)) == image.mirrored
    }
    // Four standard deviations.
    #expect(abs(mirrored - 300) < 58)
    let never = try (0..<50).count { try ImageTransform.randomFlip(0)(image, seed: UInt64($0)) != image }
    #expect(never == 0)
  }

  @Test func cropsAreEveryPartOfThePaddedPicture() throws {
    let image = sample(1, width: 4, height: 3)
    let padded = image.padded(1)
    let crops = try Set((0..<400).map { try ImageTransform.randomCrop(3, padding: 1)(image, seed: UInt64($0)).bytes })
    let parts = (0...3).flatMap { x in (0...2).map { padded.cropped(left: x, top: $0, width: 3, height: 3).bytes } }
    #expect(crops == Set(parts))
    let wide = try Set(
      (0..<400).map { seed -> [UInt8] in
        let crop = try ImageTransform.randomCrop(width: 5, height: 2, padding: 1, with: .reflect)(
          image, seed: UInt64(seed))
        #expect((crop.width, crop.height) == (5, 2))
        return crop.bytes
      })
    let mirrored = image.padded(1, with: .reflect)
    #expect(
      wide
        == Set((0...1).flatMap { x in (0...3).map { mirrored.cropped(left: x, top: $0, width: 5, height: 2).bytes } }))
    let small = try ImageTransform.randomCrop(6)(image)
    #expect((small.width, small.height) == (6, 6))
    let resized = try (0..<50).map { try ImageTransform.randomResizedCrop(5)(sample(3), seed: UInt64($0)) }
    #expect(resized.allSatisfy { ($0.width, $0.height, $0.channels) == (5, 5, 3) })
  }

  @Test func cutoutCoversASquareOrWhatOfItLiesWithin() throws {
    let white = Image(10, 10, color: [255])
    let covered = try (0..<200).map { try ImageTransform.cutout(4)(white, seed: UInt64($0)).bytes.count { $0 == 0 } }
    #expect(covered.max() == 16 && covered.min() == 4)
    #expect(covered.allSatisfy { [4, 6, 8, 12, 9, 16].contains($0) })
  }

  @Test func numbersThatMakeNoSenseChangeNothingOrAreCut() throws {
    let image = sample(3)
    let none: [ImageTransform] = [
      .cutout(0), .cutout(-4), .cutout(.min), .colorJitter(hue: .infinity), .colorJitter(hue: .nan),
    ]
    for transform in none { #expect(try transform(image, seed: 1) == image, "\(transform)") }
    let middle = image.square.resized(width: 8, height: 8)
    let crops: [ImageTransform] = [
      .randomResizedCrop(8, area: -1...(-0.5)), .randomResizedCrop(8, area: 2...Double.infinity),
      .randomResizedCrop(8, proportion: 0...0), .randomResizedCrop(8, proportion: -2...(-1)),
    ]
    for transform in crops { #expect(try transform(image, seed: 1) == middle) }
    let sized: [ImageTransform] = [
      .randomResizedCrop(8, proportion: 0...1), .randomResizedCrop(8, proportion: 1...Double.infinity),
    ]
    for transform in sized { #expect(try transform(image, seed: 1).bytes.count == 8 * 8 * 3) }
    for transform in [.randomRotation(.nan), .randomAffine(translate: .infinity)] as [ImageTransform] {
      #expect(try transform(image, seed: 1).bytes.count == image.bytes.count)
    }
    #expect(image.hue(.infinity) == image && image.hue(1e300) == image.hue(1e300.truncatingRemainder(dividingBy: 1)))
    // Nothing is mixed where the distribution is none.
    for alpha in [Double.nan, 0, -1e300] {
      var draws = RandomDraws(key: 3)
      #expect([0, 1].contains(draws.beta(alpha)))
    }
    var draws = RandomDraws(key: 3)
    #expect(abs(draws.beta(.infinity) - 0.5) < 0.01)
  }

  @Test func foldersThatLinkBackAreReadOnce() throws {
    try withTemporaryFolder { folder in
      try FileManager.default.createDirectory(atPath: folder + "/cats/a", withIntermediateDirectories: true)
      try sample(3, width: 2, height: 2).write(folder + "/cats/a/1.png")
      for (link, target) in [("cats/a/up", "../../cats"), ("cats/a/same", "."), ("cats/b", "a")] {
        try FileManager.default.createSymbolicLink(atPath: "\(folder)/\(link)", withDestinationPath: target)
      }
      let photos = try ImageFolder(folder)
      #expect(photos.classes == ["cats"] && photos.files.map(\.path) == ["\(folder)/cats/a/1.png"])
      #expect(photos.split(.nan).0.count == 0 && photos.split(7).0.count == 1)
    }
  }

  @Test func randAugmentOfNoStrengthChangesOnlyHistograms() throws {
    let image = sample(3).autocontrasted
    for seed in 0..<60 {
      let changed = try ImageTransform.randAugment(count: 1, magnitude: 0)(image, seed: UInt64(seed))
      #expect([image, image.equalized, image.autocontrasted, image.solarized(255)].contains(changed))
    }
    #expect(try ImageTransform.randAugment(count: 0)(image) == image)
  }

  @Test func compositionsReadAsTheirCalls() throws {
    let transform: ImageTransform = [.randomCrop(32, padding: 4), .randomMirror()]
    #expect(transform.description == "[randomCrop(32, padding: 4), randomMirror(0.5)]")
    #expect(try ImageTransform.sequence([.rgb, .centerCrop(2)])(sample(1)).bytes.count == 12)
  }

  @Test func batchesHaveOneShapeAndNormalizedPictures() throws {
    let same: ImageTransform = [.rgb, .resize(width: 5, height: 4)]
    let batches = try examples.augmented(same).batched(5, normalizedBy: .imageNet).elements()
    #expect(batches.map { $0.inputs.shape } == [[5, 4, 5, 3], [5, 4, 5, 3], [2, 4, 5, 3]])
    #expect(try batches[2].targets.scalars(Int.self) == [10, 11])
    let expected = sample(3).resized(width: 5, height: 4)
    let first = try Dataset([LabeledImage(image: expected, label: 0)]).batched(1, normalizedBy: .imageNet).elements()[0]
    let values = try first.inputs.scalars(Float.self)
    for (index, value) in values.enumerated() {
      let channel = index % 3
      let brightness = Float(expected.bytes[index]) / 255
      let told = (brightness - ChannelStatistics.imageNet.mean[channel]) / ChannelStatistics.imageNet.deviation[channel]
      #expect(abs(value - told) < 1e-5)
    }
    var pass = examples.batched(4).pass()
    let broken = pass.next()
    expectError("in one batch", "resize") { _ = try broken?.inputs.bytes() }
  }

  @Test func mixedBatchesShareTheirClasses() throws {
    let data = examples.augmented([.rgb, .resize(width: 8, height: 8)]).batched(4)
    let plain = try data.elements()
    for (mixed, isCut) in [(data.mixedUp(alpha: 1, classes: 12), false), (data.cutMixed(classes: 12), true)] {
      let batches = try mixed.elements(epoch: 3)
      #expect(try mixed.elements(epoch: 3).map { try $0.inputs.bytes() } == batches.map { try $0.inputs.bytes() })
      for (batch, original) in zip(batches, plain) {
        let targets = try batch.targets.scalars(Float.self)
        #expect(batch.targets.shape == [4, 12])
        let labels = try original.targets.scalars(Int.self)
        let share = targets[labels[0]]
        #expect(share >= 0 && share <= 1)
        #expect(abs(targets[labels[3]] - (1 - share)) < 1e-6)
        #expect(abs(targets[12 + labels[1]] - share) < 1e-6 && abs(targets[12 + labels[0]] - (1 - share)) < 1e-6)
        let (x, own) = (try batch.inputs.scalars(Float.self), try original.inputs.scalars(Float.self))
        let size = 8 * 8 * 3
        var kept = 0
        for index in size..<2 * size {
          let (one, other) = (own[index], own[index - size])
          if isCut {
            #expect(x[index] == one || x[index] == other)
            kept += x[index] == one ? 1 : 0
          } else {
            #expect(abs(x[index] - (share * one + (1 - share) * other)) < 1e-5)
          }
        }
        if isCut { #expect(kept >= Int((share * Float(size)).rounded())) }
      }
    }
  }

  @Test func foldersAreClasses() throws {
    try withTemporaryFolder { folder in
      for (path, side) in [("dogs/b/2.png", 3), ("dogs/1.PNG", 2), ("cats/x.jpg", 4), ("cats/.hidden.png", 1)] {
        let file = "\(folder)/\(path)"
        try FileManager.default.createDirectory(
          atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try sample(3, width: side, height: side).write(file)
      }
      try put([1], at: folder + "/dogs/notes.txt")
      let photos = try ImageFolder(folder)
      #expect(photos.classes == ["cats", "dogs"] && photos.count == 3)
      let examples = try photos.examples().elements()
      #expect(examples.map(\.label) == [0, 1, 1] && examples.map(\.image.width) == [4, 2, 3])
      let (train, test) = photos.split(0.5, seed: 1)
      #expect(Set((train.files + test.files).map(\.path)) == Set(photos.files.map(\.path)))
      #expect(train.classes == photos.classes && test.files.contains { $0.label == 1 })
      try put([1, 2, 3], at: folder + "/cats/broken.png")
      expectError("broken.png", "neither as PNG nor as JPEG") { _ = try ImageFolder(folder).examples().elements() }
      try FileManager.default.createDirectory(atPath: folder + "/empty", withIntermediateDirectories: false)
      expectError("empty", "no picture in it") { _ = try ImageFolder(folder) }
      expectError("no folders in it") { _ = try ImageFolder(folder + "/cats") }
      expectError("no such folder") { _ = try ImageFolder(folder + "/none") }
    }
  }

  @Test func labeledDataGivesItsPictures() throws {
    let pictures = Tensor(bytes: Array(0..<24))
    let data = LabeledData(inputs: pictures.reshaped(2, 2, 2, 3), labels: Tensor([Int32(1), 0]), classes: 2)
    let examples = try data.images().elements()
    #expect(examples.map(\.label) == [1, 0] && examples[1].image.bytes == Array(12..<24))
    expectError("no labelled pictures") {
      _ = try LabeledData(inputs: Tensor.zeros([2, 3]), labels: Tensor([Int32(1), 0]), classes: 2).images()
    }
  }
}

extension Tensor {
  fileprivate init(bytes: [UInt8]) {
    self = bytes.withUnsafeBytes { Tensor(bytes: $0, shape: [bytes.count], dtype: .uint8) }
  }
}
