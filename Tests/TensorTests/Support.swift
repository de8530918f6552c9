import Cajal
import Testing

/// Expects these elements, row-major, of this shape and dtype; floats within `tolerance`, relative to
/// numbers above 1.
func expect(
  _ tensor: Tensor, _ numbers: [Double], _ shape: Shape, _ dtype: DType? = nil, tolerance: Double = 1e-6,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  do {
    let found = try tensor.scalars(Double.self)
    #expect(tensor.shape == shape, sourceLocation: sourceLocation)
    if let dtype { #expect(tensor.dtype == dtype, sourceLocation: sourceLocation) }
    let agree = found.count == numbers.count && zip(found, numbers).allSatisfy { isClose($0, $1, tolerance) }
    #expect(agree, "found \(found), expected \(numbers)", sourceLocation: sourceLocation)
  } catch {
    Issue.record("\(error)", sourceLocation: sourceLocation)
  }
}

private func isClose(_ found: Double, _ expected: Double, _ tolerance: Double) -> Bool {
  if expected.isNaN { return found.isNaN }
  if found == expected { return true }
  return abs(found - expected) <= tolerance * max(1, abs(expected))
}

/// Expects an error tensor whose text has each of `parts`.
@discardableResult
func expectError(
  _ tensor: Tensor, _ kind: TensorError.Kind, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation
) -> TensorError? {
  let error = #expect(throws: TensorError.self, sourceLocation: sourceLocation) { _ = try tensor.bytes() }
  guard let error else { return nil }
  #expect(error.kind == kind, "\(error)", sourceLocation: sourceLocation)
  #expect(!error.remedy.isEmpty, sourceLocation: sourceLocation)
  for part in parts { #expect(error.description.contains(part), sourceLocation: sourceLocation) }
  return error
}

/// Every list of up to `length` numbers from `choices`.
func everyList(of choices: [Int], upTo length: Int) -> [[Int]] {
  var lists: [[Int]] = [[]]
  var last = lists
  for _ in 0..<length {
    last = last.flatMap { list in choices.map { list + [$0] } }
    lists += last
  }
  return lists
}
