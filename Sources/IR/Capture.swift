import CajalBase

/// Something that holds a value from step to step: a parameter, an optimizer's average.
package protocol StateCell: AnyObject, Sendable {
  /// The value, and what holds it: a value that somebody else replaces meanwhile stays as long as its holder.
  var content: (value: Value, holder: AnyObject) { get }
  func replace(with value: Value)
}

/// What a function reads and replaces besides its arguments, while it is captured: for a later call to do the same
/// without running it.
///
/// One thread's: whoever reads or writes a cell, or asks the host for a number that is another one at the next
/// call, says so to the ``current`` capture.
package final class Capture {
  /// A number of the host's, and how to ask for the next one.
  package struct Number {
    package let value: Value
    package let ask: () -> Scalar
  }

  /// Cells with the values that the function found in them, and the names that it reads these by: what it finds
  /// elsewhere is not the cell's, though it may be the same value.
  package private(set) var cells: [(cell: any StateCell, found: Value, name: Value)] = []
  /// Positions of those that it wrote.
  package private(set) var written: [Int] = []
  package private(set) var numbers: [Number] = []
  /// Nodes and generators of the function have greater serials.
  package let firstSerial = Node.Origin().serial
  /// Whether the function did what cannot be done again without it.
  package private(set) var isRefused = false
  /// The scope's, where the function begins.
  private let generator = Scope.current.generator
  private var positions: [ObjectIdentifier: Int] = [:]
  private var whenEnded: [() -> Void] = []
  private let naming: (Value) -> Value

  private init(naming: @escaping (Value) -> Value) { self.naming = naming }

  /// That of this thread's innermost function being captured.
  package static var current: Capture? { Recording.ofThread._withUnsafeGuaranteedRef { $0.capture } }

  /// Captures what `body` does.
  ///
  /// - Parameter naming: makes another value of the same.
  package static func of<Result>(
    _ body: () -> Result, naming: @escaping (Value) -> Value
  ) -> (result: Result, capture: Capture) {
    let recording = Recording.ofThread.takeUnretainedValue()
    let capture = Capture(naming: naming)
    recording.capture = capture
    defer { recording.capture = nil }
    return (body(), capture)
  }

  /// Does `body` as if nothing were captured.
  package static func suspended<Result>(_ body: () -> Result) -> Result {
    let recording = Recording.ofThread.takeUnretainedValue()
    let capture = recording.capture
    recording.capture = nil
    defer { recording.capture = capture }
    return body()
  }

  package func refuse() { isRefused = true }

  /// What a reader of `cell`, which holds `value`, is given.
  package func read(_ cell: some StateCell, _ value: Value) -> Value {
    let (_, found, name) = cells[position(of: cell, value)]
    return value == found ? name : value
  }

  /// `cell` is about to be written, and holds `value`.
  package func write(_ cell: some StateCell, over value: Value) {
    let position = position(of: cell, value)
    if !written.contains(position) { written.append(position) }
  }

  private func position(of cell: some StateCell, _ value: Value) -> Int {
    if let known = positions[ObjectIdentifier(cell)] { return known }
    cells.append((cell, value, naming(value)))
    positions[ObjectIdentifier(cell)] = cells.count - 1
    return cells.count - 1
  }

  /// Does `body`, which evaluates, when all of the function is recorded.
  package func atEnd(_ body: @escaping () -> Void) { whenEnded.append(body) }

  /// Does what waited for the end.
  package func end() {
    for body in whenEnded { body() }
    whenEnded = []
  }

  fileprivate func add(_ value: Value, _ ask: @escaping () -> Scalar) {
    numbers.append(Number(value: value, ask: ask))
  }

  fileprivate func add(_ value: Value, from given: Generator?, _ ask: @escaping (Generator) -> Scalar) {
    let source = given ?? Scope.current.generator
    // One that the function makes itself gives every call the same.
    if source.serial > firstSerial { return }
    let isScopes = given == nil && source === generator
    add(value) { ask(isScopes ? Scope.current.generator : source) }
  }
}

/// A number of the host's that is asked for again at each call of a compiled function.
package func hostNumber(_ dtype: DType, _ ask: @escaping () -> Scalar) -> Value {
  let value = scalarValue(ask(), dtype)
  Capture.current?.add(value, ask)
  return value
}

/// A number of a generator's, the scope's if `nil`, as ``hostNumber(_:_:)``.
package func hostNumber(from given: Generator?, _ ask: @escaping (Generator) -> UInt64) -> Value {
  func number(_ source: Generator) -> Scalar { .integer(Int64(bitPattern: ask(source))) }
  let value = scalarValue(number(given ?? Scope.current.generator), .int64)
  Capture.current?.add(value, from: given, number)
  return value
}
