import CajalIR
import CajalTensor
import Foundation

/// Threads that work ahead of a pass.
struct Workers: Sendable {
  /// 0: the reader works itself.
  var count: Int
  /// Elements that are ready or being worked on.
  var ahead: Int

  static let none = Workers(count: 0, ahead: 0)

  init(count: Int, ahead: Int) {
    self.count = max(0, count)
    self.ahead = max(self.count, ahead)
  }

  /// Both wishes: as many threads and as many elements as either asks for.
  func joined(_ other: Workers) -> Workers {
    Workers(count: max(count, other.count), ahead: max(ahead, other.ahead))
  }
}

/// Threads that turn inputs into outputs, which come out in the order of the inputs.
///
/// One thread at a time pulls an input and takes a number for it; a result waits under its number until the
/// reader comes to it. Nobody pulls while `ahead` results are on their way, so memory is bounded.
final class OrderedWorkers<Input, Output: Sendable>: @unchecked Sendable {
  // Everything below is touched under `condition`, except `pull`: under `source`.
  private let condition = NSCondition()
  private let source = NSLock()
  private let ahead: Int
  private var results: [Int: Result<Output?, any Error>] = [:]
  private var nextInput = 0
  private var nextOutput = 0
  /// Waking a thread costs more than many a transform: nobody is woken who does not wait.
  private var isReaderWaiting = false
  private var isWorkerWaiting = false
  /// No more inputs are pulled: there are none, one failed, or the pass was dropped.
  private var isEnded = false
  private var pull: Pull<Input>?

  private init(ahead: Int) { self.ahead = ahead }

  /// What the reader holds: the threads end with it.
  private final class Reader {
    let workers: OrderedWorkers

    init(_ workers: OrderedWorkers) { self.workers = workers }

    deinit { workers.end() }
  }

  /// The results of `transform`, worked out by `workers` in the scope of the caller.
  ///
  /// - Parameter open: called once, on the first thread that needs it.
  static func pull(
    _ workers: Workers, from open: @escaping @Sendable () throws -> Pull<Input>,
    _ transform: @escaping @Sendable (Input) throws -> Output
  ) -> Pull<Output> {
    let shared = OrderedWorkers(ahead: workers.ahead)
    // What is recorded here belongs to no differentiation of the reader's.
    let scope = Scope.current.with(differentiation: .some(nil))
    for _ in 0..<workers.count {
      let thread = Thread { scope.run { shared.work(open, transform) } }
      thread.name = "cajal.data"
      thread.start()
    }
    let reader = Reader(shared)
    return { try reader.workers.take() }
  }

  private func work(_ open: () throws -> Pull<Input>, _ transform: (Input) throws -> Output) {
    while let number = waitForTurn() {
      var input: Input?
      var failure: (any Error)?
      do {
        if pull == nil { pull = try open() }
        input = try pull?()
      } catch { failure = error }
      if input == nil { end() }
      source.unlock()
      guard let input else {
        put(failure.map { .failure($0) } ?? .success(nil), number)
        return
      }
      let result = Result<Output?, any Error> { try transform(input) }
      Runtime.startPending()
      if case .failure = result { end() }
      put(result, number)
    }
  }

  /// Takes the source's lock and the next number once there is room; `nil`, without the lock, at the end.
  private func waitForTurn() -> Int? {
    source.lock()
    condition.lock()
    defer { condition.unlock() }
    while !isEnded, nextInput - nextOutput >= ahead {
      isWorkerWaiting = true
      condition.wait()
      isWorkerWaiting = false
    }
    guard !isEnded else {
      source.unlock()
      return nil
    }
    defer { nextInput += 1 }
    return nextInput
  }

  private func put(_ result: Result<Output?, any Error>, _ number: Int) {
    condition.lock()
    results[number] = result
    if isReaderWaiting, number == nextOutput { condition.broadcast() }
    condition.unlock()
  }

  private func end() {
    condition.lock()
    isEnded = true
    condition.broadcast()
    condition.unlock()
  }

  private func take() throws -> Output? {
    condition.lock()
    defer { condition.unlock() }
    // Every number that was given out gets its result: the end and an error too.
    while results[nextOutput] == nil {
      if isEnded, nextOutput == nextInput { return nil }
      isReaderWaiting = true
      condition.wait()
      isReaderWaiting = false
    }
    let result = results.removeValue(forKey: nextOutput)
    nextOutput += 1
    // Half of them at once, so that a worker that was woken has work to do.
    if isWorkerWaiting, nextInput - nextOutput <= ahead / 2 { condition.broadcast() }
    return try result?.get()
  }
}
