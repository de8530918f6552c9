import Cajal
import CajalFormats
import Foundation
import Testing

@testable import CajalData

@Suite struct DataCatalogTests {
  @Test func toySetsComeWithThePackage() throws {
    for (name, rows, columns, task) in [
      ("iris", 150, 5, Preprocessing.Task.classification), ("wine", 178, 14, .classification),
      ("digits", 1797, 65, .classification), ("breast-cancer", 569, 31, .classification),
      ("diabetes", 442, 11, .regression), ("linnerud", 20, 6, .regression),
    ] {
      let entry = try DataCatalog.entry(name)
      #expect(entry.isShipped && entry.isAvailable)
      let (table, test, target) = try DataCatalog.table(name)
      #expect(table.count == rows && table.names.count == columns && test == nil, "\(name)")
      let fitted = try Preprocessing.fit(table, target: target, task: name == "linnerud" ? .regression : nil)
      #expect(fitted.task == task && fitted.features.count >= columns - 4, "\(name) \(fitted.notes)")
      #expect(try DataCatalog.fetch(name) == DataCatalog.locate(name))
    }
    let iris = try DataCatalog.table("iris")
    #expect(iris.train.names[2] == "petal length" && iris.train.number(0, 2) == 1.4)
    #expect(try Preprocessing.fit(iris.train, target: "species").target.labels?.last == "virginica")
    #expect(try DataCatalog.table("diabetes").train.number(0, 10) == 151)
  }

  @Test func namesAreOnceAndWrongOnesAreToldTheRightOnes() {
    #expect(Set(DataCatalog.all.map(\.name)).count == DataCatalog.all.count)
    for entry in DataCatalog.all where !entry.isShipped {
      #expect(entry.files.allSatisfy { $0.checksum.count == 64 && $0.url.hasPrefix("https://") && $0.byteCount > 0 })
    }
    expectError("no data set", "fashion-mnist", "california-housing") { _ = try DataCatalog.entry("fasion") }
    expectError("this is a table") { _ = try DataCatalog.pictures("iris") }
    expectError("pictures, not a table") { _ = try DataCatalog.table("mnist") }
  }

  @Test func aFileIsBroughtOnceAndOnlyWhole() throws {
    try withTemporaryFolder { folder in
      let source = folder + "/source"
      try Data("a,b\n1,2\n".utf8).write(to: URL(fileURLWithPath: source))
      var file = DataCatalog.File(
        name: "table.csv", url: "file://" + source, checksum: try SHA256.of(file: source), byteCount: 8)
      var seen: [Double] = []
      for _ in 0..<2 {
        let path = try Download.fetch([file], into: folder + "/a/b") { seen.append($0.fraction) }
        let table = try Table(csv: path + "/table.csv")
        #expect(files(in: path) == ["table.csv"] && table.count == 1)
      }
      #expect(seen.last == 1 && seen == seen.sorted())
      file = DataCatalog.File(name: "other.csv", url: file.url, checksum: "0", byteCount: 8)
      expectError("has the checksum", "not 0", "by hand") {
        _ = try Download.fetch([file], into: folder + "/c") { _ in }
      }
      let absent = DataCatalog.File(name: "x", url: "file://" + folder + "/absent", checksum: "0", byteCount: 8)
      expectError("cannot be downloaded", "put it there as \(folder)/c/x") {
        _ = try Download.fetch([absent], into: folder + "/c") { _ in }
      }
      #expect(files(in: folder + "/c") == [])
      expectError("cannot be made", "CAJAL_DATA") { _ = try Download.fetch([file], into: source + "/d") { _ in } }
    }
  }

  @Test func tablesAreJoinedAndRenamed() throws {
    let first = try Table(names: ["a", "b"], rows: [["1", "x"], ["2", "y"]])
    let second = try Table(names: ["b"], rows: [["3"], ["4"]])
    let joined = try first.joined(with: second)
    #expect(joined.names == ["a", "b", "b (column 3)"] && joined.number(1, 2) == 4 && joined.text(0, 1) == "x")
    #expect(joined.renamed(["p", "q", "r"]).names == ["p", "q", "r"])
    expectError("1 rows beside the 2") { _ = try first.joined(with: second.selecting([0])) }
  }

  @Test func recordsOfCIFARBecomePicturesWithChannelsLast() throws {
    let planes = [UInt8](repeating: 1, count: 1024) + [UInt8](repeating: 2, count: 1024) + [UInt8](0..<128) * 8
    let data = try CIFAR10.data([3] + planes + [9] + planes, "cifar")
    #expect(data.inputs.shape == [2, 32, 32, 3] && data.classes == 10)
    #expect(data.targets.numbers == [3, 9] && data.inputs[1, 0, 5].numbers == [1, 2, 5])
    expectError("no records") { _ = try CIFAR10.data([1, 2], "cifar") }
    expectError("label 10 at position 0") { _ = try CIFAR10.data([10] + planes, "cifar") }
  }

  @Test func tensorsGoToNumPyAndBack() throws {
    try withTemporaryFolder { folder in
      let x = Tensor([[1.5, 2], [3, 4]])
      try NumPy.write(x, to: folder + "/x.npy")
      #expect(try NumPy.read(folder + "/x.npy").numbers == [1.5, 2, 3, 4])
      try NumPy.writeArchive(["x": x, "n": Tensor(scalar: 7)], to: folder + "/x.npz", compressed: true)
      let back = try NumPy.readArchive(folder + "/x.npz")
      #expect(back["x"]?.shape == [2, 2] && back["n"]?.dtype == .int64 && back["n"]?.numbers == [7])
      let torn = Tensor(error: TensorError(.input, operation: "x", "torn", remedy: "Mend it"))
      expectError("torn") { try NumPy.write(torn, to: folder + "/y.npy") }
    }
  }
}

extension [UInt8] {
  fileprivate static func * (bytes: [UInt8], times: Int) -> [UInt8] { (0..<times).flatMap { _ in bytes } }
}

@Suite struct DataNeighborsTests {
  private let points = LabeledData(
    inputs: Tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [10.0, 10.0], [11.0, 10.0]]), labels: Tensor([0, 0, 1, 1, 1]),
    classes: 2)

  @Test func theNearestAreFoundInOrder() throws {
    let found = try NearestNeighbors(points, k: 3).neighbors(of: Tensor([[0.1, 0.0], [10.6, 10.0]]))
    #expect(found == [[0, 1, 2], [4, 3, 1]])
    // Of equal distances the earlier is nearer.
    #expect(try NearestNeighbors(points, k: 2).neighbors(of: Tensor([[0.5, 0.5]])) == [[0, 1]])
  }

  @Test func classesVoteAndNumbersAreAveraged() throws {
    let asked = Tensor([[0.1, 0.0], [10.6, 10.0]])
    #expect(try NearestNeighbors(points, k: 3).predictions(asked).numbers == [0, 1])
    #expect(try NearestNeighbors(points, k: 2).predictions(Tensor([[0.0, 0.9]])).numbers == [1])
    let shares = try NearestNeighbors(points, k: 4).probabilities(asked)
    #expect(shares.shape == [2, 2] && shares.numbers == [0.5, 0.5, 0.25, 0.75])
    let numbers = LabeledData(inputs: points.inputs, targets: Tensor([[1.0], [3.0], [5.0], [7.0], [9.0]]))
    let means = try NearestNeighbors(numbers, k: 2).predictions(asked)
    #expect(means.shape == [2, 1] && means.numbers == [2, 8])
  }

  @Test func theyReadDigitsAsWellAsTheIntroductionsSay() throws {
    let (table, _, target) = try DataCatalog.table("digits")
    let parts = try table.split([0.8, 0.2], stratifiedBy: table.column(target), seed: 0)
    var options = Preprocessing.Options()
    options.numbers = .unscaled
    let fitted = try Preprocessing.fit(parts[0], target: target, options: options)
    let test = try fitted.data(parts[1])
    let said = try NearestNeighbors(fitted.data(parts[0]), k: 3).predictions(test.inputs)
    #expect(try (said .== test.targets).cast(to: .float32).mean().item() > 0.97)
  }
}
