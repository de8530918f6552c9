/// The stack machine of pickles, without its power to import and call.
struct PickleMachine {
  typealias Value = Pickle.Value

  private(set) var position: Int
  /// The parts of the values that have parts, by their number.
  private(set) var table: [[Value]] = []
  private(set) var persistent: [Value] = []
  /// The parts of all values.
  private(set) var partCount = 0

  private let source: Pickle.Source
  private let start: Int
  private var stack: [Value] = []
  /// How high the stack was at each mark.
  private var marks: [Int] = []
  private var memo: [Int: Value] = [:]
  /// How many parts were copied from one value to another.
  private var copied = 0

  init(_ source: Pickle.Source, at start: Int) {
    self.source = source
    self.start = start
    position = start
  }

  mutating func run() throws -> Value {
    while true {
      let place = position
      guard stack.count + marks.count + partCount + 2 * (table.count + memo.count) <= source.limit else {
        throw FormatError(
          path: source.path,
          problem: "the pickle would hold more than \(source.limit) values (byte \(place - start))",
          remedy: source.remedy)
      }
      let code = try byte()
      if code == UInt8(ascii: ".") { return try pop() }
      if try scalar(code) { continue }
      if try compound(code) { continue }
      if try text(code) { continue }
      guard try memory(code) else {
        let name = code > 32 && code < 127 ? "'\(Character(UnicodeScalar(code)))'" : "\(code)"
        throw error("the opcode \(name) is not known", at: place)
      }
    }
  }

  // MARK: Opcodes

  /// Numbers, and what there is only one of.
  private mutating func scalar(_ code: UInt8) throws -> Bool {
    switch code {
    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88: stack.append(.bool(true))
    case 0x89: stack.append(.bool(false))
    case UInt8(ascii: "K"): stack.append(.integer(Int(try byte())))
    case UInt8(ascii: "M"): stack.append(.integer(try size(2)))
    case UInt8(ascii: "J"): stack.append(.integer(Int(Int32(truncatingIfNeeded: try size(4)))))
    case UInt8(ascii: "G"):
      stack.append(.float(Double(bitPattern: try take(8).reduce(0) { $0 << 8 | UInt64($1) })))
    case 0x8a: try long(Int(try byte()))
    case 0x8b: try long(try size(4))
    default: return false
    }
    return true
  }

  /// Characters and bytes, and names to import.
  private mutating func text(_ code: UInt8) throws -> Bool {
    switch code {
    case 0x8c: try string(Int(try byte()))
    case UInt8(ascii: "X"): try string(try size(4))
    case 0x8d: try string(try size(8))
    // Python 2's strings are bytes; names of tensors are ASCII.
    case UInt8(ascii: "U"): try string(Int(try byte()))
    case UInt8(ascii: "T"): try string(try size(4))
    case UInt8(ascii: "C"): stack.append(.bytes(Array(try take(Int(try byte())))))
    case UInt8(ascii: "B"): stack.append(.bytes(Array(try take(try size(4)))))
    case 0x8e, 0x96: stack.append(.bytes(Array(try take(try size(8)))))
    case UInt8(ascii: "c"):
      let place = position - 1
      try global(try line(), try line(), at: place)
    case 0x93:
      let place = position - 1
      guard case (let name?, let module?) = (try pop().string, try pop().string) else {
        throw error("an import names no module", at: place)
      }
      try global(module, name, at: place)
    default: return false
    }
    return true
  }

  /// Values that have parts.
  private mutating func compound(_ code: UInt8) throws -> Bool {
    switch code {
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: ")"), UInt8(ascii: "]"), 0x8f: stack.append(.sequence(number([])))
    case UInt8(ascii: "}"): stack.append(.dictionary(number([])))
    case UInt8(ascii: "t"), 0x91: stack.append(.sequence(number(try popToMark())))
    case 0x85, 0x86, 0x87: stack.append(.sequence(number(try popLast(Int(code) - 0x84))))
    case UInt8(ascii: "a"): try extend(with: try popLast(1))
    case UInt8(ascii: "e"), 0x90: try extend(with: try popToMark())
    case UInt8(ascii: "s"): try extend(with: try popLast(2), isDictionary: true)
    case UInt8(ascii: "u"): try extend(with: try popToMark(), isDictionary: true)
    case UInt8(ascii: "R"), 0x81: try call(try popLast(2))
    case 0x92: try call(Array(try popLast(3).dropLast()))
    case UInt8(ascii: "b"): try build()
    case UInt8(ascii: "Q"):
      persistent.append(try pop())
      stack.append(.persistent(number([persistent[persistent.count - 1]])))
    default: return false
    }
    return true
  }

  /// The memo, the stack itself, and what frames the pickle.
  private mutating func memory(_ code: UInt8) throws -> Bool {
    switch code {
    case 0x80:
      let place = position
      let version = try byte()
      guard version <= 5 else { throw error("protocol \(version) is not known", at: place) }
    case 0x95: _ = try take(8)
    case UInt8(ascii: "q"): memo[Int(try byte())] = try top()
    case UInt8(ascii: "r"): memo[try size(4)] = try top()
    case 0x94: memo[memo.count] = try top()
    case UInt8(ascii: "h"): try recall(Int(try byte()))
    case UInt8(ascii: "j"): try recall(try size(4))
    case UInt8(ascii: "0"): _ = try pop()
    case UInt8(ascii: "1"): _ = try popToMark()
    case UInt8(ascii: "2"): stack.append(try top())
    default: return false
    }
    return true
  }

  // MARK: Values

  private mutating func number(_ parts: [Value]) -> Int {
    table.append(parts)
    partCount += parts.count
    return table.count - 1
  }

  private mutating func extend(with parts: [Value], isDictionary: Bool = false) throws {
    switch try top() {
    case .sequence(let id) where !isDictionary: table[id] += parts
    case .dictionary(let id) where isDictionary && parts.count % 2 == 0: table[id] += parts
    default: throw error("parts are put into what has none", at: position - 1)
    }
    partCount += parts.count
  }

  private mutating func call(_ parts: [Value]) throws {
    guard case .global(let name) = parts[0], case .sequence(let arguments) = parts[1] else {
      throw error("what is called is no imported name, or its arguments are no tuple", at: position - 1)
    }
    guard name == "collections.OrderedDict" else { return stack.append(.call(number(parts))) }
    // Python 2 gives its items as a list of pairs, Python 3 puts them in later.
    var items: [Value] = []
    if case .sequence(let list)? = table[arguments].first {
      for case .sequence(let pair) in table[list] where table[pair].count == 2 { items += table[pair] }
    }
    copied += items.count
    guard copied <= source.bytes.count else { throw error("it copies the same items too often", at: position - 1) }
    stack.append(.dictionary(number(items)))
  }

  /// Attributes of a dictionary say nothing of its items: PyTorch keeps versions of modules there.
  private mutating func build() throws {
    _ = try pop()
    guard case .dictionary = try top() else {
      throw error("an object is given a state that only its program understands", at: position - 1)
    }
  }

  private mutating func global(_ module: String, _ name: String, at place: Int) throws {
    let full = "\(module).\(name)"
    guard source.globals.contains(full) else {
      throw FormatError(
        path: source.path,
        problem: "the pickle asks for \(quoted(full)) at byte \(place - start), which is not read: "
          + "a pickle could run any program",
        remedy: source.remedy)
    }
    stack.append(.global(full))
  }

  private mutating func long(_ count: Int) throws {
    let bytes = Array(try take(count))
    guard bytes.count <= 8 else { return stack.append(.long(bytes)) }
    let isNegative = bytes.last.map { $0 >= 0x80 } ?? false
    stack.append(.integer(bytes.reversed().reduce(isNegative ? -1 : 0) { $0 << 8 | Int($1) }))
  }

  private mutating func string(_ count: Int) throws {
    let place = position
    guard let text = String(validating: try take(count), as: UTF8.self) else {
      throw error("a text is not UTF-8", at: place)
    }
    stack.append(.string(text))
  }

  private mutating func recall(_ index: Int) throws {
    guard let value = memo[index] else { throw error("number \(index) was never remembered", at: position - 1) }
    stack.append(value)
  }

  // MARK: The stack

  /// Where the values above the last mark begin.
  private var floor: Int { marks.last ?? 0 }

  private func top() throws -> Value {
    guard stack.count > floor, let value = stack.last else { throw error("the stack is empty", at: position - 1) }
    return value
  }

  private mutating func pop() throws -> Value {
    _ = try top()
    return stack.removeLast()
  }

  private mutating func popLast(_ count: Int) throws -> [Value] {
    guard stack.count - count >= floor else { throw error("the stack is empty", at: position - 1) }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popToMark() throws -> [Value] {
    guard let mark = marks.popLast() else { throw error("there is no mark", at: position - 1) }
    defer { stack.removeLast(stack.count - mark) }
    return Array(stack[mark...])
  }

  // MARK: Bytes

  private mutating func byte() throws -> UInt8 { try take(1).first! }

  /// A whole number of `count` bytes, little-endian; of eight bytes, none beyond `Int`.
  private mutating func size(_ count: Int) throws -> Int {
    let place = position
    guard let size = Int(exactly: try take(count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) else {
      throw error("a length is beyond what a file can have", at: place)
    }
    return size
  }

  private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
    guard count <= source.bytes.count - position else {
      throw error("it breaks off", at: source.bytes.count)
    }
    defer { position += count }
    return source.bytes[position..<position + count]
  }

  private mutating func line() throws -> String {
    guard let end = source.bytes[position...].firstIndex(of: 0x0a) else {
      throw error("it breaks off", at: source.bytes.count)
    }
    let count = end - position
    let place = position
    guard let text = String(validating: try take(count), as: UTF8.self) else {
      throw error("a name is not UTF-8", at: place)
    }
    position += 1
    return text
  }

  private func error(_ problem: String, at place: Int) -> FormatError {
    FormatError(
      path: source.path, problem: "the pickle is corrupt or cut: \(problem) (byte \(place - start))",
      remedy: "Download or save it again")
  }
}
