import Foundation
import Synchronization

/// Ctrl-C: the first finishes the step and saves what was learned, the second ends at once.
enum Interrupt {
  private static let count = Atomic<Int>(0)

  static func install() {
    // Made now: a signal handler must not be what makes it.
    _ = wasRequested
    signal(SIGINT) { _ in
      if Interrupt.count.wrappingAdd(1, ordering: .relaxed).oldValue > 0 { _exit(130) }
    }
  }

  static var wasRequested: Bool { count.load(ordering: .relaxed) > 0 }
}
