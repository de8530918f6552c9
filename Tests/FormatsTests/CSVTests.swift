import Testing

@testable import CajalFormats

/// All rows of `text`.
private func rows(_ text: String, _ options: CSVReader.Options = .init()) throws -> [[String]] {
  try read(text, options) { file in
    var rows: [[String]] = []
    while let row = try file.next() { rows.append(row.fields) }
    return rows
  }
}

private func read<Result>(
  _ text: String, _ options: CSVReader.Options = .init(), _ body: (CSVReader) throws -> Result
) throws -> Result {
  try withFile(Array(text.utf8)) { try body(try CSVReader($0, options)) }
}

private let plain = CSVReader.Options(delimiter: ",", hasHeader: false)

@Suite struct CSVTests {
  @Test func fieldsAndLinesEndAsTheStandardSays() throws {
    let expected = [["a", "b"], ["c", "d"]]
    for end in ["\n", "\r\n", "\r"] {
      #expect(try rows("a,b\(end)c,d", plain) == expected)
      #expect(try rows("a,b\(end)c,d\(end)", plain) == expected)
      #expect(try rows("\(end)a,b\(end)\(end)  \(end)c,d\(end)\(end)", plain) == expected)
    }
    #expect(try rows("", plain) == [])
    #expect(try rows("a,,\n,,", plain) == [["a", "", ""], ["", "", ""]])
  }

  @Test func quotesHoldDelimitersLineEndsAndQuotes() throws {
    #expect(try rows("\"a,b\",\"c\nd\"\n\"e\"\"f\",\"\"\n", plain) == [["a,b", "c\nd"], ["e\"f", ""]])
    #expect(try rows("  \"a\"  , b c ,5\" nail\n", plain) == [["a", "b c", "5\" nail"]])
    #expect(try rows("\" a \",b", plain) == [[" a ", "b"]])
  }

  @Test func whereARowIsCanBeSaid() throws {
    try read("x,y\n1,\"a\nb\"\n\n2,c\n") { file in
      let (first, second) = (try #require(try file.next()), try #require(try file.next()))
      #expect(first.number == 1 && first.line == 2 && second.number == 2 && second.line == 5)
      #expect(second[1] == "c" && second.withBytes(0) { FieldParser.number($0) } == 2)
      #expect(try file.next() == nil)
      #expect(file.header == ["x", "y"] && file.columns == 2)
    }
  }

  @Test func aByteOrderMarkIsLeftOut() throws {
    let header = try withFile([0xEF, 0xBB, 0xBF] + Array("a,b\n1,2\n".utf8)) { try CSVReader($0).header }
    #expect(header == ["a", "b"])
    try withFile([0xFF, 0xFE, 0x61, 0]) { path in expectError("UTF-16", "iconv") { _ = try CSVReader(path) } }
  }

  @Test func theDelimiterIsFound() throws {
    for (text, delimiter) in [
      ("a;b;c\n1,5;2;3\n2,5;3;4\n", Character(";")), ("a\tb\n1\t2\n", "\t"), ("a,b\n1,2\n", ","), ("a\n1\n", ","),
      ("\"a,b\";c\n\"d,e,f\";g\n", ";"), ("1 2 3\n 4  5 6 \n", " "), ("Chins Situps\n5 162\n", " "),
      ("two words\nthree words here\n", ","), ("two words\nother words\n", ","),
    ] {
      try read(text) { #expect($0.delimiter == delimiter, "\(text)") }
    }
    #expect(try rows("1 2 3\n 4  5 6 \n", .init(hasHeader: false)) == [["1", "2", "3"], ["4", "5", "6"]])
    #expect(try rows("a|b\n1|2", .init(delimiter: "|")) == [["1", "2"]])
    expectError("cannot be a delimiter") { _ = try rows("a", .init(delimiter: "\"")) }
  }

  @Test func aHeaderIsFound() throws {
    for (text, header) in [
      ("age,name\n31,Ada\n", ["age", "name"]), ("31,Ada\n32,Bob\n", nil), ("a,b\nc,d\n", nil),
      ("color,shape\nred,round\nred,square\nblue,round\n", ["color", "shape"]), ("red,round\nred,square\n", nil),
      ("x,x\n1,2\n", nil), ("x,\n1,2\n", ["x", "column 2"]), ("id,age\na,?\nb,3\n", ["id", "age"]), ("", nil),
      ("a,b\n", nil),
    ] as [(String, [String]?)] {
      try read(text) { #expect($0.header == header, "\(text)") }
    }
    try read("1,1\n2,3\n", .init(hasHeader: true)) { #expect($0.header == ["1", "1 (column 2)"]) }
    #expect(try rows("age\n31\n", .init(hasHeader: false)) == [["age"], ["31"]])
  }

  @Test func theHeadingOfScikitLearnNamesTheClasses() throws {
    try read("3,2,red,blue\n1.5,2,0\n2.5,3,1\n3.5,4,0\n") { file in
      #expect(file.labelNames == ["red", "blue"] && file.header == nil && file.columns == 3)
      let row = try file.next()
      #expect(row?.fields == ["1.5", "2", "0"])
    }
    // As many fields as the rows.
    try read("3,2,red\n1.5,2,0\n2.5,3,0\n") { #expect($0.labelNames == ["red"]) }
  }

  @Test func whatIsWrongIsSaidWithLineAndRow() throws {
    expectError("line 4 (row 3) has 1 field where 2 were expected") { _ = try rows("x,y\n1,2\n3,4\n5\n") }
    expectError("line 2 (row 2) has 3 fields where 2") { _ = try rows("1,2\n3,4,5\n") }
    expectError("line 2: the quote that begins there does not end") { _ = try rows("1,2\n3,\"4\n5,6\n") }
    expectError("line 2: \"x\" follows a closing quote") { _ = try rows("1,2\n\"3\"x,4\n") }
    try withFile(Array("name\nJos".utf8) + [0xE9, 0x0A]) { path in
      expectError("line 2 is not UTF-8", "iconv", path: path) {
        let file = try CSVReader(path, .init(hasHeader: true))
        while try file.next() != nil {}
      }
    }
    expectError("zero byte") { _ = try rows("a,b\0\n") }
    var options = plain
    options.maximumRowBytes = 100
    expectError("line 2", "longer than 100 bytes") {
      _ = try rows("a\n" + String(repeating: "x", count: 200) + "\n", options)
    }
  }

  @Test func whatIsWrongFarBelowIsSaidThereToo() throws {
    let good = (0..<1000).map { "\($0),1" }.joined(separator: "\n")
    expectError("line 1001 (row 1001) has 3 fields") { _ = try rows(good + "\n1,2,3\n") }
    // The header's search reads ahead, but the rows before the error come first.
    try read("1,2\n3,4\n\"5\"x,6\n") { file in
      let first = [try file.next()?.fields, try file.next()?.fields]
      #expect(first == [["1", "2"], ["3", "4"]])
      expectError("line 3") { _ = try file.next() }
    }
  }

  @Test func gzipIsReadAsIfItWereNot() throws {
    let text = (0..<30_000).map { "\($0),value \($0)\n" }.joined()
    try withFile(try Gzip.compress(Array(text.utf8))) { path in
      let file = try CSVReader(path)
      var (count, sum) = (0, 0.0)
      while let row = try file.next() {
        count += 1
        sum += row.withBytes(0) { FieldParser.number($0) } ?? .nan
        #expect(row.count == 2 && row.number == count)
      }
      #expect(count == 30_000 && sum == 449_985_000)
    }
  }

  @Test func numbersAreReadAsTheStandardLibraryReadsThem() {
    var generator = SplitMix64(state: 8)
    for text in [
      "0", "-0", "+1", ".5", "5.", "1e5", "-1.5E-3", "123456789012345678901234567890", "0.1", "1e-300",
      "9007199254740993", "0.000000000000000000000000000001", "00012.50", "1e400", "4.9e-324",
    ] {
      let expected = Double(text.hasSuffix(".") ? text + "0" : text)
      #expect(FieldParser.number(text) == (expected?.isFinite == true ? expected : nil), "\(text)")
    }
    for _ in 0..<2000 {
      let value = Double.random(in: -1e6...1e6, using: &generator)
      #expect(FieldParser.number("\(value)") == value)
    }
    for text in ["", "-", ".", "e5", "1e", "0x10", "inf", "nan", "1,5", "1 2", "--1", "1.2.3", "1-2", "１"] {
      #expect(FieldParser.number(text) == nil, "\(text)")
    }
  }

  @Test func whatStandsForNothingIsMissing() {
    for text in ["", "?", "NA", "NaN", "nan", "null", "NULL", "N/A", "None"] {
      #expect(MissingValue.isMissing(text), "\(text)")
    }
    for text in ["0", "no", "nil value", "-", "Nan Goldin"] { #expect(!MissingValue.isMissing(text), "\(text)") }
  }
}

@Suite struct JSONLinesTests {
  private func rows(_ text: String) throws -> [[String: JSONScalar]] {
    try withFile(Array(text.utf8)) { path in
      let file = try JSONLinesReader(path)
      var rows: [[String: JSONScalar]] = []
      while let row = try file.next() { rows.append(Dictionary(uniqueKeysWithValues: row.map { ($0.key, $0.value) })) }
      return rows
    }
  }

  @Test func eachLineIsAFlatObject() throws {
    let text = "{\"a\": 1.5e2, \"b\": \"x\\ny\"}\n\n{\"a\":-0.25,\"c\":true, \"d\":null}\r\n{}"
    let expected: [[String: JSONScalar]] = [
      ["a": .number(150), "b": .string("x\ny")], ["a": .number(-0.25), "c": .bool(true), "d": .null], [:],
    ]
    #expect(try rows(text) == expected)
    try withFile(try Gzip.compress(Array(text.utf8))) { path in
      let file = try JSONLinesReader(path)
      var lines: [Int] = []
      while try file.next() != nil { lines.append(file.line) }
      #expect(lines == [1, 3, 4])
    }
  }

  @Test func whatIsWrongIsSaidWithItsLine() throws {
    for (text, problem) in [
      ("{\"a\":[1]}", "nested"), ("{\"a\":{}}", "nested"), ("[1]", "an object is expected"), ("{\"a\":1", "comma"),
      ("{\"a\":1} x", "follows the end"), ("{\"a\":1,\"a\":2}", "comes twice"), ("{\"a\":tru}", "value is expected"),
      ("{\"a\":01}", "number is expected"), ("{\"a\":+1}", "number"), ("{\"a\":.5}", "number"),
      ("{\"a\":1.}", "number"),
      ("{\"a\":1e999}", "number"), ("{\"a\":NaN}", "number"), ("{\"a\":}", "number"), ("{\"a\":", "value is expected"),
    ] {
      expectError("line 2", problem) { _ = try rows("{\"a\":1}\n" + text) }
    }
    try withFile(Array("{\"a\":\"\(String(repeating: "x", count: 100))\"}".utf8)) { path in
      expectError("longer than 50") { _ = try JSONLinesReader(path, maximumLineBytes: 50).next() }
    }
  }
}
