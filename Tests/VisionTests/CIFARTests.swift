import CajalData
import CajalFormats
import CajalTensor
import CajalVision
import Testing

@Suite struct CIFARTests {
  /// A record of so many labels: each plane has its own byte, and the first pixel another.
  private func record(_ labels: [UInt8], _ seed: UInt8) -> [UInt8] {
    labels + (0..<3).flatMap { [seed] + [UInt8](repeating: 10 * UInt8($0), count: 1023) }
  }

  @Test func filesAreReadOneAfterTheOther() throws {
    try withTemporaryFolder { folder in
      try put(record([3], 1) + record([9], 2), at: folder + "/1.bin")
      try put(record([0], 3), at: folder + "/2.bin")
      let data = try CIFAR10.read([folder + "/1.bin", folder + "/2.bin"])
      #expect(data.inputs.shape == [3, 32, 32, 3] && data.classes == 10)
      #expect(try data.labels.scalars(Int.self) == [3, 9, 0])
      let images = try data.images().elements().map(\.image)
      #expect(images.map { Array($0.bytes[0..<6]) } == [1, 2, 3].map { [$0, $0, $0, 0, 10, 20] })
      // Of the hundred classes, the second label counts.
      try put(record([19, 99], 4), at: folder + "/3.bin")
      let hundred = try CIFAR100.read([folder + "/3.bin"])
      #expect(try hundred.labels.scalars(Int.self) == [99] && hundred.classes == 100)
      #expect(
        CIFAR100.labels.count == 100 && CIFAR100.labels[99] == "worm" && CIFAR100.labels.sorted() == CIFAR100.labels)
      expectError("label 100", "0..<100") {
        try put(record([0, 100], 4), at: folder + "/4.bin")
        _ = try CIFAR100.read([folder + "/4.bin"])
      }
      expectError("1.bin", "no records of 3074") { _ = try CIFAR100.read([folder + "/1.bin"]) }
    }
  }

  @Test func aFoldersFilesSayByTheirNamesWhatTheyAre() throws {
    try withTemporaryFolder { folder in
      try put(record([3], 1), at: folder + "/latest_1.bin")
      // Read once, whatever lies there packed.
      try put([0x1F, 0x8B, 0], at: folder + "/latest_1.bin.gz")
      try put(record([4], 1) + record([5], 1), at: folder + "/Test_batch.bin")
      let plain = try ImageDataset.read(folder: folder)
      #expect(plain.train.count == 1 && plain.test.count == 2 && plain.labels == CIFAR10.labels)
      try put(Array("red\nblue\n\n".utf8), at: folder + "/batches.meta.txt")
      #expect(try ImageDataset.read(folder: folder).labels == ["red", "blue"])
      // Files of MNIST's form come first.
      for (prefix, count) in [("train", UInt8(3)), ("t10k", 2)] {
        let header: [UInt8] = [0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 2]
        try put(header + [UInt8](repeating: 7, count: 4 * Int(count)), at: folder + "/\(prefix)-images-idx3-ubyte")
        let labels: [UInt8] = [0, 0, 8, 1, 0, 0, 0, count] + [UInt8](repeating: 1, count: Int(count))
        try put(try Gzip.compress(labels), at: folder + "/\(prefix)-labels-idx1-ubyte.gz")
      }
      #expect(try ImageDataset.read(folder: folder).train.inputs.shape == [3, 2, 2])
    }
  }

  @Test func theSubsetHasItsClassesAndColours() throws {
    guard let path = testData("cifar10-subset/cifar10-subset-test.bin.gz") else { return }
    let data = try CIFAR10.read([path])
    #expect(data.count == 1600)
    let labels = try data.labels.scalars(Int.self)
    for label in 0..<10 { #expect(labels.count { $0 == label } == 160) }
    // About the means of all of CIFAR-10: a standard error of 0.003.
    let means = try (data.inputs / 255).mean(axes: [0, 1, 2]).scalars(Float.self)
    for (mean, whole) in zip(means, ChannelStatistics.cifar10.mean) { #expect(abs(mean - whole) < 0.015) }
  }
}
