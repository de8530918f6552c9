import CajalIR
import CajalOperations

/// Runs `body` for each position along the first axis of `sequences`, handing carries on. The plan
/// does not grow with the length.
///
/// **Shapes**: sequences `[length, …]`; the body sees `[…]` of each. Each carry keeps its shape and
/// dtype. Random draws in the body differ from position to position.
///
/// - Parameter reversed: from the last position to the first; stacked results keep their places.
/// - Returns: the last carries, and what the body returned besides, stacked: `[length, …]`.
public func scan(
  _ initial: [Tensor], over sequences: [Tensor], length: Int? = nil, reversed: Bool = false,
  _ body: (_ carries: [Tensor], _ slices: [Tensor]) -> (carries: [Tensor], outputs: [Tensor])
) -> (carries: [Tensor], outputs: [Tensor]) {
  withExtendedLifetime((initial, sequences)) {
    let (carries, stacked) = Value.scan(
      initial: initial.map(\.value), sequences: sequences.map(\.value), length: length, isReversed: reversed
    ) { _, carries, slices in
      let (next, outputs) = body(carries.map { Tensor($0) }, slices.map { Tensor($0) })
      return (next.map(\.value), outputs.map(\.value))
    }
    let results = Tensor.results(carries + stacked)
    return (Array(results.prefix(carries.count)), Array(results.dropFirst(carries.count)))
  }
}
