import CajalBase
import CajalIR
import CajalTensor

/// A description of a stream of elements that can be passed over again and again: examples, batches, rows.
///
/// It holds no position and reads nothing by itself; ``pass(epoch:from:)`` begins to. Stages make one data set of
/// another: `map`, `shuffled`, `batched`, `prefetched` and so on. What a pass gives depends on the description
/// and the epoch alone, never on how many threads worked on it.
///
/// A data set in memory stays one, element by element, through the stages that keep count: so it is shuffled
/// whole, and a pass may begin anywhere at once. A streamed one is read in bounded memory.
///
/// **Errors**: a pass ends where reading fails. A batch (or tensor) that could not be read is given as one of
/// error tensors, which whatever reads it throws; of other elements, ``Pass/error`` tells, or ``Pass/read()``
/// throws.
///
/// ```swift
/// let squares = Dataset(indices: 0..<1000) { Tensor(scalar: Float($0 * $0)) }
/// for batch in squares.shuffled(seed: 1).batched(32).prefetched(2) { print(batch.shape) }
/// ```
public struct Dataset<Element: Sendable>: Sendable {
  /// How many elements a pass gives; `nil` where only reading tells.
  public let count: Int?
  let opening: Opening
  /// How many stages draw random numbers before this one: each has streams of its own.
  let depth: Int

  enum Opening: Sendable {
    /// In memory: any element at once. The workers read ahead.
    case indexed(Workers, @Sendable (_ epoch: Int) throws -> Indexed<Element>)
    /// One after the other, from a position on.
    case streamed(@Sendable (_ epoch: Int, _ position: Int) throws -> Pull<Element>)
  }

  init(count: Int?, depth: Int = 0, _ opening: Opening) {
    self.count = count
    self.depth = depth
    self.opening = opening
  }

  // MARK: Sources

  /// The elements of an array.
  public init(_ elements: [Element]) {
    self.init(
      count: elements.count,
      .indexed(.none) { _ in Indexed(count: elements.count) { elements[$0] } })
  }

  /// What `element` gives for each index: called anew in every pass.
  public init(indices: Range<Int>, _ element: @escaping @Sendable (_ index: Int) throws -> Element) {
    self.init(
      count: indices.count,
      .indexed(.none) { _ in Indexed(count: indices.count) { try element(indices.lowerBound + $0) } })
  }

  /// A stream, such as a file that is read row by row.
  ///
  /// - Parameters:
  ///   - count: how many elements there are, where that is known.
  ///   - open: called once a pass; what it returns is called until it returns `nil` or throws.
  ///
  /// ```swift
  /// let rows = Dataset { let file = try CSVReader("large.csv"); return { try file.next() } }
  /// ```
  public init(count: Int? = nil, streaming open: @escaping @Sendable () throws -> (() throws -> Element?)) {
    self.init(
      count: count,
      .streamed { _, position in
        let pull = try open()
        for _ in 0..<position where try pull() == nil { break }
        return pull
      })
  }

  // MARK: Passes

  /// Begins a pass over the elements.
  ///
  /// - Parameters:
  ///   - epoch: with the seeds of the stages, says the order and the draws of this pass.
  ///   - position: how many elements to leave out at the beginning; in memory that costs nothing.
  public func pass(epoch: Int = 0, from position: Int = 0) -> Pass<Element> {
    Pass(position: Swift.max(0, position)) { try open(epoch: epoch, from: Swift.max(0, position)) }
  }

  /// All elements of a pass.
  ///
  /// - Throws: what reading threw.
  public func elements(epoch: Int = 0) throws -> [Element] {
    let pull = try open(epoch: epoch, from: 0)
    var elements: [Element] = []
    elements.reserveCapacity(count ?? 0)
    while let element = try pull() { elements.append(element) }
    return elements
  }

  func open(epoch: Int, from position: Int) throws -> Pull<Element> {
    switch opening {
    case .streamed(let open): return try open(epoch, position)
    case .indexed(let workers, let open):
      let indexed = try open(epoch)
      guard workers.count > 0 else {
        let indices = indexed.indices(from: position)
        return { try indices().map(indexed.element) }
      }
      return OrderedWorkers.pull(workers, from: { indexed.indices(from: position) }, indexed.element)
    }
  }
}

extension Dataset: Sequence {
  /// A pass of epoch 0.
  public func makeIterator() -> Pass<Element> { pass() }
}

/// Gives the next element, or `nil` at the end.
typealias Pull<Element> = () throws -> Element?

/// The elements of one epoch of a data set in memory.
struct Indexed<Element: Sendable>: Sendable {
  let count: Int
  let element: @Sendable (_ index: Int) throws -> Element

  func indices(from position: Int) -> Pull<Int> {
    var next = position
    return {
      guard next < count else { return nil }
      defer { next += 1 }
      return next
    }
  }
}

/// One pass over a data set.
///
/// It has one reader: of its copies, each takes from what is left. Dropping the last one ends the threads that
/// read ahead.
public struct Pass<Element: Sendable>: Sequence, IteratorProtocol {
  private let state: State

  private final class State {
    var pull: Pull<Element>?
    var position: Int
    var error: (any Error)?
    var isFailureGiven = false

    init(position: Int) { self.position = position }
  }

  init(position: Int, _ open: () throws -> Pull<Element>) {
    state = State(position: position)
    do { state.pull = try open() } catch { state.error = error }
  }

  /// How many elements of the data set were given or left out: where to begin to go on from here.
  public var position: Int { state.position }

  /// What ended the pass before its time, if something did.
  public var error: (any Error)? { state.error }

  /// The next element. Sets going whatever this thread has recorded: a batch is a step's boundary.
  ///
  /// Where reading fails: an element of error tensors if elements are batches or tensors, and then the end;
  /// else the end, and ``error`` says why.
  public mutating func next() -> Element? {
    Runtime.startPending()
    guard state.error == nil else { return takeFailure() }
    do {
      guard let element = try state.pull?() else {
        state.pull = nil
        return nil
      }
      state.position += 1
      return element
    } catch {
      state.error = error
      return takeFailure()
    }
  }

  /// The next element, or the end; throws what reading threw.
  public mutating func read() throws -> Element? {
    let element = next()
    if let error { throw error }
    return element
  }

  /// The error as an element, once.
  private func takeFailure() -> Element? {
    state.pull = nil
    guard !state.isFailureGiven, let error = state.error, let type = Element.self as? any FailureCarrying.Type
    else { return nil }
    state.isFailureGiven = true
    return type.init(failure: error) as? Element
  }
}
