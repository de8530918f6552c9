import CajalBase
import CajalIR

/// What surrounds the input that a window moves over.
public enum Padding: Hashable, Sendable, Codable {
  /// Nothing: the window stays inside.
  case valid
  /// As much as gives ⌈extent / stride⌉ positions, the odd one behind, as TensorFlow's.
  case same
  /// As ``same``, but all of it before: no position sees what comes behind it.
  case causal
  /// These widths, one for each axis or one for all.
  case explicit([ConvolutionGeometry.Margins])

  /// As many before as behind: one number for each axis, or one for all.
  public static func explicit(_ widths: Int...) -> Padding { .explicit(widths) }
  public static func explicit(_ widths: [Int]) -> Padding { .explicit(widths.map { .init(before: $0, after: $0) }) }
}

extension Padding: ExpressibleByIntegerLiteral {
  /// As many on each side of every axis.
  public init(integerLiteral width: Int) { self = .explicit(width) }
}

/// One number for each spatial axis, or one for all: `3`, `[3, 5]`.
public protocol PerAxis: Sendable {
  var numbers: [Int] { get }
}

extension Int: PerAxis {
  public var numbers: [Int] { [self] }
}

extension [Int]: PerAxis {
  public var numbers: [Int] { self }
}

extension PerAxis {
  /// `rank` numbers, where one stands for all; a list of another length as it is, for the operation to refuse.
  public func along(_ rank: Int) -> [Int] {
    let numbers = numbers
    return numbers.count == 1 && rank > 0 ? [Int](repeating: numbers[0], count: rank) : numbers
  }
}

extension Padding {
  /// Its widths for a window over `inputs`, that gives ⌈extent / stride⌉ positions where it is made to.
  ///
  /// The lists have one length, and numbers that ``ConvolutionGeometry/check()`` lets pass.
  func margins(_ inputs: [Int], window: [Int], _ geometry: ConvolutionGeometry) -> [ConvolutionGeometry.Margins] {
    switch self {
    case .valid: return inputs.map { _ in .none }
    case .explicit(let widths):
      return widths.count == 1 ? inputs.map { _ in widths[0] } : widths
    case .same, .causal:
      return inputs.indices.map { axis in
        let stride = geometry.strides[axis]
        let positions = (inputs[axis] + stride - 1) / stride
        let total = max(0, (positions - 1) * stride + geometry.span(window[axis], axis: axis) - inputs[axis])
        let before = self == .causal ? total : total / 2
        return .init(before: before, after: total - before)
      }
    }
  }
}

extension ConvolutionGeometry {
  /// How a window moves over `inputs`, whatever says so.
  ///
  /// - Throws: where the numbers do not fit.
  public init(
    over inputs: [Int], window: [Int], strides: [Int], padding: Padding, dilations: [Int], groups: Int = 1
  ) throws(Mismatch) {
    let rank = inputs.count
    self.init(rank: rank, groups: groups)
    (self.strides, self.dilations) = (strides.along(rank), dilations.along(rank))
    // Without padding first: the widths come of the other numbers.
    try check()
    guard window.count == rank, window.allSatisfy({ (1...ConvolutionGeometry.limit).contains($0) }) else {
      throw .shape("a window of \(window) over \(inputs)", remedy: "Give one extent of at least 1 for each axis")
    }
    self.padding = padding.margins(inputs, window: window, self)
    try check()
  }
}
