import CajalBase
import CajalTensor
import Foundation
import Testing

/// Recording that evaluates by itself, past its limit, in the middle of whatever is recorded.
@Suite struct RecordingLimitTests {
  @Test func aGradientOfMoreOperationsThanTheLimitIsRight() async {
    await #expect(processExitsWith: .success) {
      // Four operations a position, forward and back, pass the limit of pending operations several times.
      let positions = 15_000
      let slope = gradient(at: Tensor([1.0])) { x in
        var sum = x * 0
        for _ in 0..<positions { sum = sum + (x * x + 1).sqrt() * 0.001 }
        return sum.sum()
      }
      // d/dx √(x² + 1) = x / √(x² + 1) = 1/√2 at 1.
      let expected = Float(positions) * 0.001 / Float(2).squareRoot()
      guard abs(try slope.item() - expected) < 1e-2 * expected else { exit(2) }
    }
  }
}
