import CajalIR
import CajalNN
import CajalTensor
import Synchronization

/// Leaves out the updates whose gradients are not all finite, whichever optimizer makes them, and tells of which
/// parameters these were.
package final class StepGuard: Sendable {
  /// The one that updates of this task are under.
  @TaskLocal package static var current: StepGuard?

  private let flags = Mutex<[(path: String, isFinite: Tensor)]>([])
  private let lossOfStep = Mutex<Tensor?>(nil)

  package init() {}

  /// What must be finite too, if it is known before the update.
  package var loss: Tensor? {
    get { lossOfStep.withLock { $0 } }
    set { lossOfStep.withLock { $0 = newValue } }
  }

  /// `gradients`, for a step that happens only if they and the loss are finite.
  func guarding(_ gradients: Gradients) -> Gradients {
    // In a function that is captured a flag is no number yet, but a name.
    guard Capture.current == nil else { return gradients.skippingNonFinite(of: loss) }
    return gradients.mapByParameter { parameter, gradient in
      let flag = gradient.isFinite().all()
      flags.withLock { $0.append((parameter.path, flag)) }
      return gradient
    }.skippingNonFinite(of: loss)
  }

  /// The parameters whose gradients were not finite; waits for the steps.
  package func culprits() throws -> [String] {
    try flags.withLock { $0 }.filter { try !$0.isFinite.item(as: Bool.self) }.map(\.path)
  }
}
