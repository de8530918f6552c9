import CajalBase
import Foundation
import Synchronization

/// The thread that starts one device's runs, in order. A bounded queue: whoever records faster
/// than the device runs waits.
final class Executor: @unchecked Sendable {
  private let condition = NSCondition()
  private var jobs: [@Sendable () -> Void] = []
  private var thread: Thread?
  private let name: String
  /// Jobs that were submitted and are not done.
  private let unfinished = Atomic<Int>(0)

  /// Runs that may wait: one ahead of the one that runs keeps the device busy.
  private static let depth = 2

  init(_ name: String) { self.name = name }

  /// Whether all that was submitted is done.
  var isIdle: Bool { unfinished.load(ordering: .acquiring) == 0 }

  func submit(_ job: @escaping @Sendable () -> Void) {
    unfinished.wrappingAdd(1, ordering: .relaxed)
    condition.lock()
    if thread == nil { startThread() }
    while jobs.count >= Executor.depth, Thread.current !== thread { condition.wait() }
    jobs.append(job)
    condition.broadcast()
    condition.unlock()
  }

  private func startThread() {
    let worker = Thread { [self] in work() }
    worker.name = name
    // Kernels keep little on the stack; fallback loops may recurse a little.
    worker.stackSize = 4 << 20
    thread = worker
    worker.start()
  }

  private func work() {
    while true {
      condition.lock()
      while jobs.isEmpty { condition.wait() }
      let job = jobs.removeFirst()
      condition.broadcast()
      condition.unlock()
      job()
      unfinished.wrappingSubtract(1, ordering: .releasing)
    }
  }
}
