import Cajal
import Foundation
import Testing

private let ten = LabeledData(inputs: Tensor.arange(10).reshaped(10, 1), labels: Tensor.arange(10), classes: 10)

private func order(_ batches: Batches) throws -> [[Int]] { try batches.map { try $0.y.scalars(Int.self) } }

@Suite struct BatchTests {
  @Test func batchesComeInOrderAndTheLastMayBeShort() throws {
    #expect(try order(ten.batches(of: 4)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]])
    #expect(ten.batches(of: 4).count == 3)
    #expect(ten.batches(of: 10).count == 1)
    #expect(try order(ten.batches(of: 100)).count == 1)
    #expect(try order(ten.batches(of: 0)).count == 10)
  }

  @Test func shuffledBatchesHoldEveryExampleOnceWithItsLabel() throws {
    var seen: [Int] = []
    for (x, y) in ten.batches(of: 3, shuffled: true, seed: 5) {
      let labels = try y.scalars(Int.self)
      #expect(try x.scalars(Int.self) == labels)
      seen += labels
    }
    #expect(seen.sorted() == Array(0..<10))
    #expect(seen != Array(0..<10))
  }

  @Test func theOrderDependsOnSeedAndEpochOnly() throws {
    func drawn(_ seed: UInt64, _ epoch: Int, size: Int = 10) throws -> [Int] {
      try order(ten.batches(of: size, shuffled: true, seed: seed, epoch: epoch)).flatMap { $0 }
    }
    let first = try drawn(1, 1)
    _ = Tensor.uniform([100])
    #expect(try withSeed(99) { try drawn(1, 1) } == first)
    #expect(try drawn(1, 1, size: 3) == first)
    #expect(try drawn(1, 2) != first)
    #expect(try drawn(2, 1) != first)
  }

  @Test func everyPlaceIsEquallyLikely() throws {
    var counts = [Int](repeating: 0, count: 10)
    for epoch in 0..<300 {
      let batch = try #require(ten.batches(of: 10, shuffled: true, seed: 3, epoch: epoch).first { _ in true })
      counts[try batch.y[0].item(as: Int.self)] += 1
    }
    // Binomial(300, 0.1): 30 ± 5.2.
    #expect(counts.allSatisfy { $0 > 8 && $0 < 55 }, "\(counts)")
  }

  @Test func bytesAreBrightnessAndOtherNumbersStay() throws {
    let pictures = LabeledData(inputs: Tensor([[0, 255]], dtype: .uint8), labels: Tensor([0]), classes: 1)
    let (x, _) = try #require(pictures.batches(of: 1).first { _ in true })
    #expect(x.dtype == .float32 && x.numbers == [0, 1])
    let (same, _) = try #require(ten.batches(of: 1).first { _ in true })
    #expect(same.dtype == .int64)
  }

  @Test func anUnreadableBatchIsAnErrorThatTheLoopMeets() {
    let torn = LabeledData(
      inputs: Tensor(error: TensorError(.input, operation: "batch", "it is torn", remedy: "Mend it")),
      labels: Tensor([0]),
      classes: 1)
    var batches = 0
    for (x, _) in torn.batches(of: 4) {
      batches += 1
      expectError("torn") { _ = try x.bytes() }
    }
    #expect(batches == 1)
  }
}

@Suite struct NamedDatasetTests {
  @Test func mnistIsThere() throws {
    let data = try MNIST.load()
    #expect(data.name == "mnist" && data.classes == 10)
    #expect(data.train.inputs.shape == [60000, 28, 28] && data.test.inputs.shape == [10000, 28, 28])
    #expect(data.train.inputs.dtype == .uint8)
    #expect(try data.train.labels[0..<5].scalars(Int.self) == [5, 0, 4, 1, 9])
  }

  @Test func aFolderOfIdxFilesIsADataset() throws {
    try withTemporaryFolder { folder in
      try write(folder)
      let data = try ImageDataset.idx(folder: folder, classes: 3)
      #expect(data.train.inputs.shape == [2, 2, 2] && data.test.count == 1)
      #expect(data.train.inputs.numbers == [0, 1, 2, 3, 4, 5, 6, 7])
      #expect(data.train.labels.numbers == [0, 2])
    }
  }

  @Test func whatIsWrongWithAFolderIsSaid() throws {
    try withTemporaryFolder { folder in
      expectError("no such folder") { _ = try ImageDataset.idx(folder: folder + "/none") }
      expectError("it has no train-images-idx3-ubyte") { _ = try ImageDataset.idx(folder: folder) }
      try write(folder, labels: [0, 1, 2])
      expectError("3 labels for 2 pictures") { _ = try ImageDataset.idx(folder: folder) }
      try write(folder, labels: [0, 12])
      expectError("train-labels", "label 12 at position 1", "0..<10", "--classes") {
        _ = try ImageDataset.idx(folder: folder)
      }
      try write(folder, pictures: [0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2], labels: [])
      expectError("no pictures") { _ = try ImageDataset.idx(folder: folder) }
      try write(folder, pictures: [0, 0, 8, 1, 0, 0, 0, 2, 5, 5])
      expectError("1 axes") { _ = try ImageDataset.idx(folder: folder) }
    }
  }

  /// Two pictures to train on and one to test with, of 2×2 pixels.
  private func write(_ folder: String, pictures: [UInt8]? = nil, labels: [UInt8] = [0, 2]) throws {
    let two: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 2, 3, 4, 5, 6, 7]
    let one: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 9, 9, 9, 9]
    func put(_ name: String, _ bytes: [UInt8]) throws {
      try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }
    try put("train-images-idx3-ubyte", pictures ?? two)
    try put("train-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, UInt8(labels.count)] + labels)
    try put("t10k-images-idx3-ubyte", one)
    try put("t10k-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, 1, 1])
  }
}
