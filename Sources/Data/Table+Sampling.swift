import CajalBase
import CajalFormats

extension Table {
  /// Up to `limit` rows of a CSV file of any size, each with the same chance (Vitter 1985, algorithm R), in the order of
  /// the file: enough to fit ``Preprocessing`` on.
  ///
  /// - Throws: as ``init(csv:options:)``: the whole file is read, so what is wrong anywhere is told.
  public init(
    sampling path: String, options: CSVReader.Options = .init(), limit: Int = 100_000, seed: UInt64 = 0
  ) throws {
    let file = try CSVReader(path, options)
    let limit = Swift.max(1, limit)
    var kept: [CSVRow] = []
    var seen: UInt64 = 0
    while let row = try file.next() {
      seen += 1
      if kept.count < limit {
        kept.append(row)
        continue
      }
      let words = Philox.block(key: seed, stream: 0, block: seen)
      let place = (UInt64(words.0) << 32 | UInt64(words.1)).multipliedFullWidth(by: seen).high
      if place < UInt64(limit) { kept[Int(place)] = row }
    }
    try self.init(kept.sorted { $0.number < $1.number }, Heading(file))
  }
}
