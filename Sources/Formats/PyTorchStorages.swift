import CajalBase

/// The format of PyTorch since 1.6: a zip archive with the pickle and one entry for each storage.
struct PyTorchArchive: PyTorchStorages {
  private let archive: ZipArchive
  private let entries: [String: ZipArchive.Entry]
  /// The storage that was read last: tensors often share one, and its checksum is of the whole.
  private let last = Locked<(key: String, bytes: [UInt8])?>(nil)

  static func open(_ path: String) throws -> (Pickle, any PyTorchStorages) {
    let archive = try ZipArchive(path)
    guard let pickle = archive.entries.first(where: { $0.name == "data.pkl" || $0.name.hasSuffix("/data.pkl") }) else {
      throw FormatError(
        path: path, problem: "it is a zip archive without data.pkl, which PyTorch's files have",
        remedy: "Check that torch.save wrote it")
    }
    let folder = String(pickle.name.dropLast("data.pkl".count))
    var named: [String: ZipArchive.Entry] = [:]
    for entry in archive.entries where entry.name.hasPrefix(folder) {
      named[String(entry.name.dropFirst(folder.count))] = entry
    }
    if named["constants.pkl"] != nil {
      throw FormatError(
        path: path, problem: "it is a TorchScript program, not weights",
        remedy: "Load it in PyTorch and save its weights: torch.save(model.state_dict(), \"new.pt\")")
    }
    guard pickle.byteCount <= PyTorchFile.greatestPickle else {
      throw FormatError(
        path: path,
        problem: "its pickle has \(pickle.byteCount) bytes, beyond the limit of \(PyTorchFile.greatestPickle)",
        remedy: PyTorchCollector.remedy)
    }
    if let order = named["byteorder"], order.byteCount <= 16, try archive.read(order) == Array("big".utf8) {
      throw PyTorchLegacy.bigEndian(path)
    }
    let source = Pickle.Source(
      path: path, bytes: try archive.read(pickle), globals: PyTorchCollector.globals, remedy: PyTorchCollector.remedy)
    return (try Pickle(source), PyTorchArchive(archive: archive, entries: named))
  }

  func byteCount(of key: String) -> Int? { entries["data/\(key)"]?.byteCount }

  func bytes(of view: PyTorchView) throws -> ArraySlice<UInt8> {
    guard let entry = entries["data/\(view.storage)"] else { return [] }
    return try last.withLock { last in
      if let last, last.key == view.storage { return last.bytes[view.range] }
      // PyTorch deflates none; a small file could unfold to a thousand times its size.
      guard !entry.isDeflated || entry.byteCount <= PyTorchFile.greatestExpansion else {
        throw FormatError(
          path: archive.path,
          problem: "the storage \(quoted(view.storage)) would unfold to \(entry.byteCount) bytes, "
            + "beyond the limit of \(PyTorchFile.greatestExpansion)", remedy: "Save it again by torch.save")
      }
      last = nil
      let bytes = try archive.read(entry)
      last = (view.storage, bytes)
      return bytes[view.range]
    }
  }
}

/// The format of PyTorch before 1.6: pickles one after the other (a magic number, a version, facts on the machine,
/// the object, the keys of the storages), then each storage after the count of its elements.
struct PyTorchLegacy: PyTorchStorages {
  /// The number 0x1950a86a20f9469cfc6c, which is the first pickle.
  private static let magic: [UInt8] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]

  private let file: FileReader
  /// Where each storage's elements lie.
  private let places: [String: Range<Int>]

  static func open(_ file: FileReader) throws -> (Pickle, any PyTorchStorages) {
    let path = file.path
    let source = Pickle.Source(
      path: path, bytes: try file.bytes(at: 0, count: min(file.size, PyTorchFile.greatestPickle)),
      globals: PyTorchCollector.globals, remedy: PyTorchCollector.remedy)
    let first = try Pickle(source)
    guard case .long(let number) = first.root, number == magic, case let version = try Pickle(source, at: first.end),
      version.root.integer == 1001
    else {
      throw FormatError(
        path: path, problem: "it is a pickle, but none that PyTorch's legacy files begin with",
        remedy: "Check that torch.save wrote it, or load it in PyTorch and save it again")
    }
    let machine = try Pickle(source, at: version.end)
    let facts = machine.parts(machine.root)
    for index in stride(from: 0, to: facts.count - 1, by: 2) where facts[index].string == "little_endian" {
      if case .bool(false) = facts[index + 1] { throw bigEndian(path) }
    }
    let pickle = try Pickle(source, at: machine.end)
    let keys = try Pickle(source, at: pickle.end)
    let sizes = PyTorchCollector.elementSizes(pickle)
    var places: [String: Range<Int>] = [:]
    var position = keys.end
    for key in keys.parts(keys.root) {
      guard let key = key.string, let size = sizes[key], position <= file.size - 8,
        let count = Int(
          exactly: try file.bytes(at: position, count: 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }),
        let byteCount = checkedProduct([count, size]), byteCount <= file.size - position - 8
      else {
        throw FormatError(
          path: path, problem: "the storages break off, or make no sense, at byte \(position)",
          remedy: "Download or save it again")
      }
      places[key] = position + 8..<position + 8 + byteCount
      position += 8 + byteCount
    }
    return (pickle, PyTorchLegacy(file: file, places: places))
  }

  func byteCount(of key: String) -> Int? { places[key]?.count }

  func bytes(of view: PyTorchView) throws -> ArraySlice<UInt8> {
    guard let place = places[view.storage] else { return [] }
    return try file.bytes(at: place.lowerBound + view.range.lowerBound, count: view.range.count)[...]
  }

  static func bigEndian(_ path: String) -> FormatError {
    FormatError(
      path: path, problem: "it was written on a big-endian machine", remedy: "Load it in PyTorch and save it again")
  }
}
