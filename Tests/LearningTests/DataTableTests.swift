import Cajal
import CajalFormats
import Foundation
import Testing

private func table(_ names: [String], _ rows: [String]...) throws -> Table { try Table(names: names, rows: rows) }

/// Calls `body` with the path of a file of `text`.
private func withText<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
  try withTemporaryFolder { folder in
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/data.csv"))
    return try body(folder + "/data.csv")
  }
}

private let people = """
  age,city,member,score,visits
  31,Bern,true,1.5,3
  ?,Basel,false,2.5,4
  45,Bern,true,,5
  52,,false,4.5,6

  """

@Suite struct DataTableTests {
  @Test func columnsAreWhatAllTheirFieldsAre() throws {
    let table = try withText(people) { try Table(contentsOf: $0) }
    #expect(table.names == ["age", "city", "member", "score", "visits"] && table.count == 4)
    #expect((0..<5).map { table.kind($0) } == [.integer, .text, .boolean, .number, .integer])
    #expect(table.number(0, 0) == 31 && table.number(1, 0) == nil && table.isMissing(1, 0))
    #expect(table.number(0, 2) == 1 && table.text(3, 3) == "4.5" && table.isMissing(3, 1))
    #expect(table.place(2) == "row 3 (line 4)")
  }

  @Test func jsonLinesAreATableToo() throws {
    let text = "{\"a\":1,\"b\":\"x\"}\n{\"b\":\"y\",\"c\":true}\n{\"a\":2.5,\"b\":null}\n"
    let table = try withText(text) { try Table(contentsOf: $0) }
    #expect(table.names == ["a", "b", "c"] && table.count == 3)
    #expect((0..<3).map { table.kind($0) } == [.number, .text, .boolean])
    #expect(table.isMissing(1, 0) && table.isMissing(2, 1) && table.number(1, 2) == 1 && table.text(0, 0) == "1")
  }

  @Test func aColumnIsNamedOrCounted() throws {
    let table = try table(["age", "name", "2"], ["1", "2", "3"])
    #expect(try table.column("name") == 1 && table.column("1") == 0 && table.column("-1") == 2)
    #expect(try table.column("2") == 2 && table.column("Age") == 0)
    expectError("no column \"nmae\"; did you mean \"name\"?", "age, name") { _ = try table.column("nmae") }
    expectError("no column 4 among 3") { _ = try table.column("4") }
    let error = #expect(throws: FormatError.self) { try table.column("zzzzzzzz") }
    #expect(error?.problem.contains("mean") == false)
  }

  @Test func rowsAreSplitByTheirLabels() throws {
    let table = try Table(names: ["x", "y"], rows: (0..<100).map { ["\($0)", $0 % 10 == 0 ? "rare" : "common"] })
    let parts = try table.split([0.8, 0.2], stratifiedBy: 1, seed: 1)
    #expect(parts.map(\.count) == [80, 20])
    #expect(parts.map { part in (0..<part.count).filter { part.text($0, 1) == "rare" }.count } == [8, 2])
    #expect(parts[1].place(0) == "row \(Int(parts[1].number(0, 0) ?? -1) + 1)")
    let folds = try table.folds(5, stratifiedBy: 1, seed: 1)
    #expect(folds.allSatisfy { $0.train.count == 80 && $0.test.count == 20 })
    #expect(Set(folds.flatMap { fold in (0..<20).map { fold.test.text($0, 0) } }).count == 100)
    #expect(try withText(people) { try Table(contentsOf: $0).droppingMissing(in: 1).count } == 3)
  }

  @Test func nothingIsNoTable() throws {
    for text in ["", "a,b\n", "\n\n"] {
      try withText(text) { path in
        expectError("no rows") { _ = try Table(csv: path, options: .init(hasHeader: true)) }
      }
    }
  }

  @Test func aSampleTakesEveryRowEquallyOften() throws {
    try withText("x\n" + (0..<100).map { "\($0)\n" }.joined()) { path in
      var counts = [Int](repeating: 0, count: 100)
      for seed in 0..<200 {
        let sample = try Table(sampling: path, limit: 20, seed: UInt64(seed))
        let drawn = (0..<sample.count).compactMap { sample.number($0, 0) }.map(Int.init)
        #expect(drawn.count == 20 && drawn == drawn.sorted())
        for number in drawn { counts[number] += 1 }
      }
      // Binomial(200, 0.2): 40 ± 5.7.
      #expect(counts.allSatisfy { $0 > 12 && $0 < 70 }, "\(counts)")
      #expect(try Table(sampling: path, limit: 1000).count == 100)
    }
  }
}

@Suite struct DataPreprocessingTests {
  @Test func numbersAreStandardizedAndMissingOnesFilledAndFlagged() throws {
    let table = try table(["x", "y"], ["1", "a"], ["?", "b"], ["3", "a"], ["5", "b"])
    let fitted = try Preprocessing.fit(table, target: "y")
    #expect(fitted.featureNames == ["x", "x is missing"] && fitted.width == 2)
    let x = try fitted.transform(table).numbers
    // Mean 3, deviation √(8/3); the median is 3.
    let expected = [-1.224744871, 0, 0, 1, 0, 0, 1.224744871, 0]
    #expect(zip(x, expected).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(try fitted.targets(table).scalars(Int.self) == [0, 1, 0, 1])
    #expect(fitted.target.labels == ["a", "b"] && fitted.task == .classification)
  }

  @Test func scalesAreThoseAskedFor() throws {
    let rows = [["0", "1"], ["10", "2.5"], ["5", "3.5"]]
    let table = try Table(names: ["x", "y"], rows: rows)
    func scaled(_ numbers: Preprocessing.Options.Numbers) throws -> [Double] {
      var options = Preprocessing.Options()
      options.numbers = numbers
      return try Preprocessing.fit(table, target: "y", options: options).transform(table).numbers
    }
    #expect(try scaled(.minMax) == [0, 1, 0.5])
    #expect(try scaled(.unscaled) == [0, 10, 5])
    #expect(try zip(scaled(.standardized), [-1.2247449, 1.2247449, 0]).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(try zip(scaled(.robust), [-1.2247449, 1.2247449, 0]).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  @Test func farOutliersAreDrawnTogether() throws {
    let rows = (0..<100).map { ["\($0 == 99 ? 1_000_000 : $0)", "\($0).5"] }
    let table = try Table(names: ["x", "y"], rows: rows)
    let x = try Preprocessing.fit(table, target: "y").transform(table).numbers
    // Standardised alone, all but the outlier would be the same number to four places.
    #expect(x[50] - x[0] > 0.5 && x[99] <= 8 && x == x.sorted())
  }

  @Test func manyNumbersComeInPiecesBetweenQuantiles() throws {
    // Quantiles of 0…4096 are 256 apart.
    let table = try Table(names: ["x", "y"], rows: (0...4096).map { ["\($0)", "\($0).5"] })
    let fitted = try Preprocessing.fit(table, target: "y")
    #expect(fitted.width == 17 && fitted.featureNames.count == 17)
    let x = try fitted.transform(try Table(names: ["x"], rows: [["0"], ["384"], ["4096"], ["9999"]]))
    #expect(x[0, 1..<17].numbers == [Double](repeating: 0, count: 16))
    #expect(x[1, 1..<17].numbers == [1, 0.5] + [Double](repeating: 0, count: 14))
    #expect(x[2..<4, 1..<17].numbers == [Double](repeating: 1, count: 32))
    let back = try Preprocessing(json: try fitted.json())
    #expect(back == fitted)
    for (old, new) in [("\"edges\":[0,", "\"edges\":[9e99,"), ("\"edges\":[0,", "\"wedges\":[0,")] {
      let changed = try fitted.json().replacingOccurrences(of: old, with: new)
      expectError("preprocessing") { _ = try Preprocessing(json: changed) }
    }
    var options = Preprocessing.Options()
    options.numbers = .standardized
    #expect(try Preprocessing.fit(table, target: "y", options: options).width == 1)
  }

  @Test func categoriesAreOneHotAndUnknownOnesZeroOrRefused() throws {
    let train = try table(["color", "y"], ["red", "1.5"], ["blue", "2"], ["red", "3"])
    let test = try table(["color", "y"], ["blue", "1"], ["green", "1"], ["?", "1"])
    var options = Preprocessing.Options()
    #expect(try Preprocessing.fit(train, target: "y").transform(test).numbers == [1, 0, 0, 0, 0, 0])
    options.categories = .ordinal
    #expect(try Preprocessing.fit(train, target: "y", options: options).transform(test).numbers == [0, -1, -1])
    options.refusesUnknown = true
    expectError("row 2", "\"green\" in column \"color\"") {
      _ = try Preprocessing.fit(train, target: "y", options: options).transform(test)
    }
  }

  @Test func sentencesBecomeWords() throws {
    let rows = (0..<100).map { ["Number \($0) is \($0 % 2 == 0 ? "even" : "odd")", "\($0 % 2)"] }
    let table = try Table(names: ["text", "y"], rows: rows)
    let counts = try Preprocessing.fit(table, target: "y")
    #expect(counts.featureNames == ["text:even", "text:is", "text:number", "text:odd"])
    #expect(try counts.transform(table)[0..<2].numbers == [1, 1, 1, 0, 0, 1, 1, 1])
    var options = Preprocessing.Options()
    options.words = .tfIdf
    let weighted = try Preprocessing.fit(table, target: "y", options: options).transform(table)[0].numbers
    #expect(abs(weighted.reduce(0) { $0 + $1 * $1 } - 1) < 1e-6)
    // log(101 / 51) + 1 beside log(101 / 101) + 1.
    #expect(abs(weighted[0] / weighted[1] - (log(101.0 / 51) + 1)) < 1e-6)
  }

  @Test func theTaskIsInferred() throws {
    func task(_ values: [String]) throws -> Preprocessing.Task {
      let table = try Table(names: ["y"], rows: values.map { [$0] })
      return Preprocessing.inferredTask(table, 0)
    }
    #expect(try task(["a", "b"]) == .classification && task(["true", "false"]) == .classification)
    #expect(try task((0..<60).map { "\($0 % 20)" }) == .classification)
    #expect(try task((0..<60).map { "\($0 % 21)" }) == .regression && task(["1.0", "2.0"]) == .regression)
    let table = try table(["x", "y"], ["1", "10"], ["2", "9"], ["3", "-1"])
    #expect(try Preprocessing.fit(table, target: "y").target.classes == ["-1", "9", "10"])
    let regression = try Preprocessing.fit(table, target: "y", task: .regression)
    let y = try regression.targets(table)
    #expect(y.shape == [3, 1] && abs(y.numbers.reduce(0, +)) < 1e-6)
    #expect(zip(regression.inverse(y).numbers, [10, 9, -1]).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  @Test func labelsThatDifferInWritingAloneAreOneClass() throws {
    func classes(_ labels: String...) throws -> ([String]?, [Int]) {
      let table = try Table(names: ["x", "y"], rows: labels.enumerated().map { ["\($0)", $1] })
      let fitted = try Preprocessing.fit(table, target: "y", task: .classification)
      return (fitted.target.classes, try fitted.targets(table).scalars(Int.self))
    }
    #expect(try classes("1", "0", "1.0", "+1", "0.0") == (["0", "1"], [1, 0, 1, 1, 0]))
    #expect(try classes("True", "false", "true", "FALSE", "yes") == (["false", "True"], [1, 0, 1, 0, 1]))
    #expect(try classes(" yes", "no", "yes\t", "no ") == (["no", "yes"], [1, 0, 1, 0]))
    #expect(try classes("a", " a", "b") == (["a", "b"], [0, 0, 1]))
    // Texts are as they are written; so are integers that no double tells apart.
    #expect(try classes("a", "A", "007", "7") == (["007", "7", "A", "a"], [3, 2, 0, 1]))
    #expect(try classes("9007199254740992", "9007199254740993").0?.count == 2)
    let table = try Table(names: ["y"], rows: ["1", "1.0", "2", "2.0", "1", "1.0", "2", "2.0"].map { [$0] })
    #expect(table.codes(0) == [0, 0, 1, 1, 0, 0, 1, 1])
    let truths = try Preprocessing.fit(try self.truths("True", "False"), target: "y")
    #expect(try truths.targets(try self.truths("no", "TRUE")).scalars(Int.self) == [0, 1])
  }

  private func truths(_ first: String, _ second: String) throws -> Table {
    try table(["x", "y"], ["1", first], ["2", second])
  }

  @Test(arguments: Preprocessing.Options.Numbers.allCases.filter { $0 != .unscaled })
  func theLargestNumbersHaveAScale(_ kind: Preprocessing.Options.Numbers) throws {
    let cells = ["1.7e308", "-1.7e308", "1.5e308", "0", "1e300", "-1.7976931348623157e308", "1.7976931348623157e308"]
    var options = Preprocessing.Options()
    options.numbers = kind
    for cells in [cells, cells.filter { !$0.hasPrefix("-") }] {
      let table = try Table(names: ["x", "y"], rows: cells.enumerated().map { [$1, $0 % 2 == 0 ? "a" : "b"] })
      let fitted = try Preprocessing.fit(table, target: "y", options: options)
      #expect(try Preprocessing(json: try fitted.json()) == fitted)
      let x = try fitted.transform(table).numbers
      let order = { (numbers: [Double]) in numbers.indices.sorted { numbers[$0] < numbers[$1] } }
      #expect(x.allSatisfy(\.isFinite) && Set(x).count > 3, "\(x)")
      #expect(order(x).map { x[$0] } == order(cells.map { Double($0) ?? 0 }).map { x[$0] }, "\(x)")
      // As a number to be said they come back, but for the very largest, which float32 rounds beyond.
      let cells = cells.filter { !$0.contains("1.797") }
      let goal = try Preprocessing.fit(
        try Table(names: ["x", "y"], rows: cells.enumerated().map { ["\($0)", $1] }), target: "y", task: .regression)
      let said = goal.inverse(try goal.targets(try Table(names: ["y"], rows: cells.map { [$0] }))).numbers
      let isClose = zip(said, cells).allSatisfy { abs($0 / 1e308 - (Double($1) ?? 0) / 1e308) < 1e-6 }
      #expect(isClose, "\(said)")
    }
  }

  @Test func columnsThatTellNothingAreLeftOutAndSaid() throws {
    let rows = (0..<30).map { ["\($0)", "5", "same", "?", "\($0 % 3)", "\($0 % 2)"] }
    let table = try Table(names: ["id", "five", "word", "void", "x", "y"], rows: rows)
    let fitted = try Preprocessing.fit(table, target: "y")
    #expect(fitted.featureNames == ["x"])
    #expect(
      fitted.notes == [
        "id: left out, it numbers the rows", "five: left out, all values are 5",
        "word: left out, all values are \"same\"", "void: left out, all values are missing",
      ])
    let constant = try Table(names: ["x", "y"], rows: [["1", "0"], ["1", "1"]])
    expectError("no column beside \"y\" tells rows apart") { _ = try Preprocessing.fit(constant, target: "y") }
  }

  @Test func whatCannotBeLearnedIsSaid() throws {
    let one = try table(["x", "y"], ["1", "a"], ["2", "a"])
    expectError("\"y\" is to be learned and always is \"a\"") { _ = try Preprocessing.fit(one, target: "y") }
    let names = try Table(names: ["x", "y"], rows: (0..<50).map { ["\($0 % 7)", "name \($0)"] })
    expectError("50 different texts in 50 rows") { _ = try Preprocessing.fit(names, target: "y") }
    let words = try table(["x", "y"], ["1", "2.5"], ["2", "many"])
    expectError("is to be a number", "\"many\" in row 2") {
      _ = try Preprocessing.fit(words, target: "y", task: .regression)
    }
    expectError("did you mean \"target\"") {
      _ = try Preprocessing.fit(try table(["x", "target"], ["1", "2"]), target: "tarqet")
    }
  }

  @Test func whatDoesNotFitTheTrainingPartIsSaid() throws {
    let train = try table(["x", "y"], ["1", "a"], ["2", "b"])
    let fitted = try Preprocessing.fit(train, target: "y")
    expectError("row 2", "\"c\" in column \"y\"", "only \"a\", \"b\"") {
      _ = try fitted.targets(try table(["x", "y"], ["1", "a"], ["2", "c"]))
    }
    expectError("row 1", "a value is missing") { _ = try fitted.targets(try table(["x", "y"], ["1", "?"])) }
    expectError("row 2", "\"many\" in column \"x\": it is no number") {
      _ = try fitted.transform(try table(["x", "y"], ["1", "a"], ["many", "b"]))
    }
    expectError("no column \"x\"") { _ = try fitted.transform(try table(["z", "y"], ["1", "a"])) }
    // The row that is wrong is named, not those beside it.
    let truths = try Preprocessing.fit(try table(["x", "y"], ["yes", "1"], ["no", "2"], ["no", "1"]), target: "y")
    expectError("row 2", "\"maybe\" in column \"x\": it is no number") {
      _ = try truths.transform(try table(["x"], ["yes"], ["maybe"]))
    }
    #expect(try truths.targets(try table(["y"], ["1.0"], ["02"])).scalars(Int.self) == [0, 1])
    // As the test part of the adult income data writes its labels.
    #expect(try fitted.targets(try table(["x", "y"], ["1", "b."])).scalars(Int.self) == [1])
  }

  @Test func columnsAreFoundByNameOrByPlaceWithTheTargetOrWithout() throws {
    let train = try table(["a", "y", "b"], ["1", "p", "3"], ["3", "q", "5"])
    let fitted = try Preprocessing.fit(train, target: "y")
    let expected = try fitted.transform(train).numbers
    #expect(try fitted.transform(try table(["b", "a"], ["3", "1"], ["5", "3"])).numbers == expected)
    let places = try withText("1,p,3\n3,q,5\n") { try Preprocessing.fit(Table(csv: $0), target: "2") }
    for text in ["1,p,3\n3,q,5\n", "1,3\n3,5\n"] {
      #expect(try withText(text) { try places.transform(Table(csv: $0)).numbers } == expected)
    }
    expectError("it has 4 columns; the model was trained on 3") {
      _ = try withText("1,2,3,4\n") { try places.transform(Table(csv: $0)) }
    }
  }

  @Test func itComesBackFromJSON() throws {
    let table = try withText(people) { try Table(contentsOf: $0) }
    let fitted = try Preprocessing.fit(table, target: "member")
    let back = try Preprocessing(json: try fitted.json())
    #expect(back == fitted)
    #expect(try back.transform(table).bytes() == fitted.transform(table).bytes())
  }

  @Test func hostileJSONIsRefused() throws {
    let table = try table(["x", "c", "y"], ["1", "u", "a"], ["2", "v", "b"], ["3", "u", "a"])
    let json = try Preprocessing.fit(table, target: "y").json()
    func refused(_ old: String, _ new: String) {
      let changed = json.replacingOccurrences(of: old, with: new)
      #expect(changed != json, "\(old)")
      expectError("preprocessing", "Train and save the model again") { _ = try Preprocessing(json: changed) }
    }
    refused("\"columnCount\":3", "\"columnCount\":2")
    refused("\"columnCount\":3", "\"columnCount\":9999999999")
    refused("\"columnCount\":3", "\"columnCount\":-1")
    refused("\"position\":0", "\"position\":-1")
    refused("\"position\":0", "\"position\":7")
    refused("\"categories\":[\"u\"", "\"categories\":[\"v\"")
    refused("\"classes\":[\"a\"", "\"classes\":[\"b\"")
    refused("\"classes\":[\"a\",\"b\"]", "\"classes\":[]")
    refused("\"deviation\":1", "\"deviation\":0")
    refused("\"features\"", "\"weatures\"")
    for text in ["", "{}", "[]", "null", String(repeating: "[", count: 100_000), "{\"features\":1}"] {
      expectError("preprocessing") { _ = try Preprocessing(json: text) }
    }
    // Cut or changed anywhere: read or refused, nothing else.
    let bytes = Array(json.utf8)
    for place in bytes.indices {
      var changed = bytes
      changed[place] = changed[place] &+ 1
      _ = try? Preprocessing(json: String(decoding: changed, as: UTF8.self)).transform(table)
      _ = try? Preprocessing(json: String(decoding: bytes[..<place], as: UTF8.self))
    }
  }

  @Test func aFileIsStreamedInBatchesAsIfItWereInMemory() throws {
    let text = "x,c,y\n" + (0..<50).map { "\($0 % 13),\($0 % 3 == 0 ? "u" : "v"),\($0 % 2)\n" }.joined()
    try withText(text) { path in
      let table = try Table(csv: path)
      let fitted = try Preprocessing.fit(table, target: "y")
      let batches = try fitted.batches(csv: path, batchSize: 8).elements()
      #expect(batches.map(\.count) == [8, 8, 8, 8, 8, 8, 2])
      #expect(batches.flatMap { $0.inputs.numbers } == (try fitted.transform(table).numbers))
      #expect(batches.flatMap { $0.targets.numbers } == (try fitted.targets(table).numbers))
      let shuffled = fitted.batches(csv: path, batchSize: 50, shuffleBuffer: 20, seed: 1)
      let (first, second) = (try shuffled.elements(epoch: 0)[0], try shuffled.elements(epoch: 1)[0])
      #expect(first.inputs.numbers.sorted() == (try fitted.transform(table).numbers.sorted()))
      #expect(first.inputs.numbers != second.inputs.numbers)
    }
    try withText(text + "1,u\n") { path in
      let fitted = try withText(text) { try Preprocessing.fit(Table(csv: $0), target: "y") }
      let last = Array(fitted.batches(csv: path, batchSize: 25)).last
      expectError("line 52 (row 51) has 2 fields") { _ = try last?.inputs.bytes() }
    }
  }

  @Test func theSharedTablesAreWhatTheirReadmeSays() throws {
    for (file, target, task, rows, width) in [
      ("tabular/iris.csv", "-1", Preprocessing.Task.classification, 150, 4),
      ("tabular/wine.csv", "-1", .classification, 178, 13),
      ("tabular/pima-indians-diabetes.csv", "9", .classification, 768, 8),
      ("tabular/breast-cancer-wisconsin.csv", "-1", .classification, 683, 9),
      ("tabular/titanic-train.csv", "Survived", .classification, 891, nil),
      ("tabular/california-housing.csv.gz", "median_house_value", .regression, 20_640, nil),
      ("tabular/boston-housing.csv", "-1", .regression, 506, 13),
      ("tabular/adult-train.csv.gz", "-1", .classification, 32_561, nil),
      ("sklearn-toy/digits.csv.gz", "-1", .classification, 1797, nil),
      ("sklearn-toy/iris.csv", "-1", .classification, 150, 4),
      ("sklearn-toy/wine_data.csv", "-1", .classification, 178, 13),
      ("sklearn-toy/breast_cancer.csv", "-1", .classification, 569, 30),
      ("sklearn-toy/diabetes_data_raw.csv.gz", "-1", .regression, 442, 9),
    ] as [(String, String, Preprocessing.Task, Int, Int?)] {
      guard let path = testData(file) else { return }
      let table = try Table(contentsOf: path)
      let fitted = try Preprocessing.fit(table, target: target)
      #expect(fitted.task == task && (table.count == rows || file.contains("wisconsin")), "\(file) \(table.count)")
      if let width { #expect(fitted.features.count == width, "\(file) \(fitted.featureNames)") }
      let data = try fitted.data(table)
      #expect(data.count == table.count && data.inputs.shape == [table.count, fitted.width], "\(file)")
      #expect(try data.inputs.isFinite().all().item(as: Bool.self), "\(file)")
      if file.hasPrefix("sklearn-toy/iris") { #expect(fitted.target.labels == ["setosa", "versicolor", "virginica"]) }
    }
  }
}
