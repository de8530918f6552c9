import CajalFormats

extension Table {
  /// What a file says of its columns.
  struct Heading: Sendable {
    var path = "table in memory"
    var names: [String]?
    var labelNames: [String]?
  }

  /// The fields of all rows, as texts and as what they mean.
  final class Storage: Sendable {
    let heading: Heading
    let names: [String]
    let columns: [Column]
    /// The row's number and line in the file.
    let places: [(number: Int, line: Int)]
    var count: Int { places.count }

    private let bytes: [UInt8]
    /// Where in `bytes` each field ends, row by row.
    private let ends: [Int]

    struct Column: Sendable {
      let kind: Kind
      let values: Values
    }

    enum Values: Sendable {
      /// NaN where missing.
      case numbers([Double])
      /// The place of each row's text among the distinct ones; −1 where missing.
      case codes([Int32], texts: [String])
    }

    fileprivate init(_ builder: Builder) {
      heading = builder.heading
      names = builder.names
      places = builder.places
      bytes = builder.bytes
      ends = builder.ends
      columns = names.indices.map { builder.column($0) }
    }

    func text(_ row: Int, _ column: Int) -> String {
      let field = row * names.count + column
      return String(decoding: bytes[(field == 0 ? 0 : ends[field - 1])..<ends[field]], as: UTF8.self)
    }

    func number(_ row: Int, _ column: Int) -> Double? {
      guard case .numbers(let numbers) = columns[column].values, !numbers[row].isNaN else { return nil }
      return numbers[row]
    }

    func isMissing(_ row: Int, _ column: Int) -> Bool {
      switch columns[column].values {
      case .numbers(let numbers): numbers[row].isNaN
      case .codes(let codes, _): codes[row] < 0
      }
    }

    /// 1 and 0 of the words for true and false.
    static func truth(_ field: UnsafeBufferPointer<UInt8>) -> Double? {
      guard 2...5 ~= field.count else { return nil }
      switch String(decoding: field, as: UTF8.self).lowercased() {
      case "true", "yes": return 1
      case "false", "no": return 0
      default: return nil
      }
    }

    /// Takes rows and finds out what the columns are.
    struct Builder {
      let heading: Heading
      fileprivate var names: [String]
      fileprivate var bytes: [UInt8] = []
      fileprivate var ends: [Int] = []
      fileprivate var places: [(number: Int, line: Int)] = []

      init(_ heading: Heading) {
        self.heading = heading
        names = heading.names ?? []
      }

      /// Names columns that the file does not.
      mutating func name(columns: Int) { names = (0..<columns).map { "column \($0 + 1)" } }

      mutating func append(_ row: CSVRow) {
        if names.isEmpty { name(columns: row.count) }
        for field in 0..<row.count {
          row.withBytes(field) { bytes += $0 }
          ends.append(bytes.count)
        }
        places.append((row.number, row.line))
      }

      mutating func append(_ fields: [String], number: Int, line: Int) {
        for field in fields {
          bytes += field.utf8
          ends.append(bytes.count)
        }
        places.append((number, line))
      }

      func storage() throws -> Storage {
        guard !places.isEmpty, !names.isEmpty else {
          throw FormatError(path: heading.path, problem: "it has no rows", remedy: "Give it at least one row of values")
        }
        return Storage(self)
      }

      /// Reads a column as the narrowest kind that takes all its fields.
      fileprivate func column(_ column: Int) -> Column {
        bytes.withUnsafeBufferPointer { bytes in
          let fields = stride(from: column, to: ends.count, by: names.count).lazy.map { field in
            UnsafeBufferPointer(rebasing: bytes[(field == 0 ? 0 : ends[field - 1])..<ends[field]]).trimmed
          }
          if let numbers = numbers(fields, FieldParser.number) {
            let isWhole = fields.allSatisfy { field in isMissing(field) || isDigits(field) }
            let isAnything = numbers.contains { !$0.isNaN }
            return Column(kind: isWhole && isAnything ? .integer : .number, values: .numbers(numbers))
          }
          if let truths = numbers(fields, Storage.truth) { return Column(kind: .boolean, values: .numbers(truths)) }
          return coded(fields)
        }
      }

      /// What `read` makes of all fields, NaN of missing ones; `nil` where it makes nothing of one.
      private func numbers(
        _ fields: some Sequence<UnsafeBufferPointer<UInt8>>, _ read: (UnsafeBufferPointer<UInt8>) -> Double?
      ) -> [Double]? {
        var numbers: [Double] = []
        numbers.reserveCapacity(places.count)
        for field in fields {
          guard let number = read(field) ?? (isMissing(field) ? .nan : nil) else { return nil }
          numbers.append(number)
        }
        return numbers
      }

      private func coded(_ fields: some Sequence<UnsafeBufferPointer<UInt8>>) -> Column {
        var (codes, texts, known) = ([Int32](), [String](), [String: Int32]())
        codes.reserveCapacity(places.count)
        for field in fields {
          if isMissing(field) {
            codes.append(-1)
            continue
          }
          let text = String(decoding: field, as: UTF8.self)
          let code = known[text] ?? Int32(texts.count)
          if code == texts.count {
            known[text] = code
            texts.append(text)
          }
          codes.append(code)
        }
        return Column(kind: .text, values: .codes(codes, texts: texts))
      }

      private func isMissing(_ field: UnsafeBufferPointer<UInt8>) -> Bool {
        field.count <= 4 && MissingValue.isMissing(String(decoding: field, as: UTF8.self))
      }

      private func isDigits(_ field: UnsafeBufferPointer<UInt8>) -> Bool {
        field.enumerated().allSatisfy { place, byte in
          48...57 ~= byte || place == 0 && (byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+"))
        }
      }
    }
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Without the spaces around it, which nobody sees.
  fileprivate var trimmed: Self {
    func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
    let start = firstIndex { !isSpace($0) } ?? endIndex
    let end = lastIndex { !isSpace($0) }.map { $0 + 1 } ?? endIndex
    return UnsafeBufferPointer(rebasing: self[start..<end])
  }
}

extension Table.Heading {
  init(_ file: CSVReader) { self.init(path: file.path, names: file.header, labelNames: file.labelNames) }
}
