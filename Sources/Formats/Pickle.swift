/// What a pickle of Python says, read as data: nothing in it is ever called.
///
/// A pickle is a program for a small stack machine that may import and call anything. Here an imported name stays a
/// name, and only the names of a given list are read at all; a call stays a record of what would have been called with
/// what. Values that have parts are numbered, and their parts stand in one table: so loops in a pickle are no loops of
/// references, and its depth costs no stack.
///
/// Opcodes are those of the protocols 2 to 5 (Python's `pickletools`), without extension codes and buffers out of band.
struct Pickle {
  enum Value: Sendable {
    case none
    case bool(Bool)
    case integer(Int)
    /// An integer beyond `Int`: little-endian, two's complement.
    case long([UInt8])
    case float(Double)
    case string(String)
    case bytes([UInt8])
    /// An imported name, such as `collections.OrderedDict`.
    case global(String)
    /// A list, a set, or a tuple.
    case sequence(Int)
    /// Its parts are keys and values in turn.
    case dictionary(Int)
    /// Its parts are the global that would be called, and its arguments.
    case call(Int)
    /// An object that the file keeps elsewhere; its part says where.
    case persistent(Int)
  }

  /// What a pickle is read from, and what is known of it.
  struct Source {
    /// Names the pickle in errors.
    let path: String
    let bytes: [UInt8]
    /// The names that may be imported.
    let globals: Set<String>
    /// What to do where another is.
    let remedy: String
    /// The most that it may hold at once: values on its stack, their parts, and twice each value that has parts or is
    /// remembered. 2^23 are some hundred megabytes, and more than the greatest file's hundred thousand tensors need.
    var limit = 1 << 23
  }

  let root: Value
  /// The byte after the pickle.
  let end: Int
  /// What says where objects are that the file keeps elsewhere.
  let persistent: [Value]
  /// The parts of all values.
  let partCount: Int
  private let table: [[Value]]

  /// Reads the pickle that begins at byte `start`.
  ///
  /// **Errors**: `FormatError` for opcodes and imported names that are not known, and where the pickle is cut or makes
  /// no sense, or would hold more than the limit.
  init(_ source: Source, at start: Int = 0) throws {
    var machine = PickleMachine(source, at: start)
    root = try machine.run()
    end = machine.position
    table = machine.table
    partCount = machine.partCount
    persistent = machine.persistent
  }

  /// The parts of a value that has parts; none of others.
  func parts(_ value: Value) -> [Value] {
    switch value {
    case .sequence(let id), .dictionary(let id), .call(let id), .persistent(let id): table[id]
    default: []
    }
  }

  /// What would have been called, and with what; `nil` of anything but a call.
  func call(_ value: Value) -> (function: String, arguments: [Value])? {
    guard case .call = value, case let parts = parts(value), case .global(let name)? = parts.first else { return nil }
    return (name, parts.count > 1 ? self.parts(parts[1]) : [])
  }

  /// The whole numbers of a sequence; `nil` where it holds anything else.
  func integers(_ value: Value) -> [Int]? {
    var value = value
    // torch.Size is called with its tuple.
    if let call = call(value), call.function == "torch.Size", let sizes = call.arguments.first { value = sizes }
    guard case .sequence = value else { return nil }
    let parts = parts(value)
    let numbers = parts.compactMap(\.integer)
    return numbers.count == parts.count ? numbers : nil
  }
}

extension Pickle.Value {
  var integer: Int? { if case .integer(let number) = self { number } else { nil } }
  var string: String? { if case .string(let text) = self { text } else { nil } }
  var global: String? { if case .global(let name) = self { name } else { nil } }
}
