import CajalBase
import CajalEngine
import CajalNN
import CajalOptimizers
import CajalTensor
import Foundation
import Testing

/// Weights that many products read lie in memory twice: as they are, and as kernels read them. Each test runs in a
/// process of its own, whose memory nobody else changes.
@Suite struct PackedWeightsTests {
  @Test func servingKeepsOneCopyOfEachVersion() async {
    await #expect(processExitsWith: .success) {
      for kind in Served.Kind.allCases {
        let model = try Served(kind)
        let first = try model.answer()
        for _ in 0..<20 { guard try model.answer() == first else { exit(2) } }
        guard settles({ kind.copyByteCounts.contains($0 - model.byteCount) }) else { exit(3) }
        model.weight.value = model.weight.value + 1
        try eval(model.weight.value)
        guard settles({ $0 <= model.byteCount }) else { exit(4) }
      }
    }
  }

  @Test func aNewVersionOfTheWeightsIsReadAtOnce() async {
    await #expect(processExitsWith: .success) {
      for kind in Served.Kind.allCases {
        let model = try Served(kind)
        let optimizer = SGD(learningRate: 0.5)
        for version in 0..<3 {
          // The weights are written over in place; what was packed of them is not theirs any more.
          let values = try Tensor(model.weight.value.scalars(Float.self)).reshaped(to: kind.weights)
          let expected = try model(with: values).scalars(Float.self)
          for _ in 0..<10 { guard try model.answer() == expected else { exit(2 + Int32(version)) } }
          let (_, gradients) = valueAndGradient(of: model) { model(with: model.weight.value).squared().mean() }
          optimizer.update(model, gradients)
          try eval(model.weight.value)
        }
      }
    }
  }

  @Test func otherBatchesOfImagesShareTheCopy() async {
    await #expect(processExitsWith: .success) {
      let model = try Served(.windows)
      for _ in 0..<20 { _ = try model.answer() }
      let x = try Tensor.concatenate([model.x, model.x]).evaluated()
      let answer = try model.answer()
      for _ in 0..<20 {
        let both = try model(with: model.weight.value, x).scalars(Float.self)
        guard both == answer + answer else { exit(2) }
      }
      let known = model.byteCount + x.shape.count * 4
      guard settles({ Served.Kind.windows.copyByteCounts.contains($0 - known) }) else { exit(3) }
    }
  }

  /// One element meets one phase of the window, a picture all four.
  @Test func aCopyForOnePhaseOfTheWindowServesNoOthers() async {
    await #expect(processExitsWith: .success) {
      func drawn(_ seed: UInt64, _ shape: Shape) throws -> Tensor {
        try withSeed(seed) { try Tensor.normal(shape).evaluated() }
      }
      let (weights, same) = (try drawn(1, [3, 3, 20, 30]), try drawn(1, [3, 3, 20, 30]))
      for extent in [1, 8, 1] {
        let x = try drawn(2, [1, extent, extent, 30])
        func answer(_ weights: Tensor) throws -> [Float] {
          try x.convolvedTransposed(with: weights, strides: 2, padding: .explicit(1)).scalars(Float.self)
        }
        for _ in 0..<10 { _ = try answer(weights) }
        guard try answer(weights) == answer(same) else { exit(2) }
      }
    }
  }

  @Test func noCopyTakesTheLastHalfOfTheMemory() async {
    await #expect(processExitsWith: .success) {
      setenv("CAJAL_MEMORY_LIMIT", "2M", 1)
      let model = try Served(.product)
      for _ in 0..<20 { _ = try model.answer() }
      guard settles({ $0 <= model.byteCount }) else { exit(2) }
    }
  }

  @Test func trainingKeepsNoCopies() async {
    await #expect(processExitsWith: .success) {
      for kind in Served.Kind.allCases {
        let model = try Served(kind)
        let optimizer = SGD(learningRate: 1e-3)
        var first: Int?
        for _ in 0..<20 {
          let (loss, gradients) = valueAndGradient(of: model) { model(with: model.weight.value).squared().mean() }
          optimizer.update(model, gradients)
          _ = try loss.item()
          try eval(model.weight.value)
          let known = first ?? Runtime.memory(of: .cpu).liveBytes
          guard settles({ $0 <= known }) else { exit(2) }
          first = known
        }
      }
    }
  }
}

/// Whether the memory in use becomes what it should be: what a step let go of may live a moment longer.
private func settles(_ isRight: (Int) -> Bool) -> Bool {
  for _ in 0..<200 {
    if isRight(Runtime.memory(of: .cpu).liveBytes) { return true }
    usleep(5000)
  }
  return false
}

/// A layer, and what it is given.
private struct Served: Module {
  enum Kind: CaseIterable {
    case product, winograd, windows

    var weights: Shape { self == .product ? [500, 300] : [3, 3, 20, 30] }
    var input: Shape { self == .product ? [32, 500] : [1, 16, 16, 20] }

    /// Columns are rounded up to whole panels, of which a kernel has at most 4; Winograd's matrices lie 64 bytes apart.
    var copyByteCounts: ClosedRange<Int> {
      switch self {
      case .product: 500 * 300 * 4...500 * 320 * 4
      case .winograd: 36 * 20 * 30 * 4...36 * (20 * 32 * 4 + 4 * 64)
      case .windows: 9 * 20 * 30 * 4...9 * 20 * 32 * 4
      }
    }
  }

  private let kind: Kind
  let weight: Parameter
  let x: Tensor

  init(_ kind: Kind) throws {
    self.kind = kind
    weight = Parameter(try withSeed(7) { try Tensor.normal(kind.weights).evaluated() })
    x = try withSeed(8) { try Tensor.normal(kind.input).evaluated() }
  }

  /// Of the weights and of what they are given.
  var byteCount: Int { 4 * (kind.weights.count + kind.input.count) }

  func callAsFunction(with weights: Tensor, _ x: Tensor? = nil) -> Tensor {
    let x = x ?? self.x
    if kind == .product { return x.matmul(weights) }
    return x.convolved(with: weights, strides: kind == .winograd ? 1 : 2, padding: .explicit(1))
  }

  func answer() throws -> [Float] { try self(with: weight.value).scalars(Float.self) }
}
