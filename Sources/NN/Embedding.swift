import CajalBase
import CajalIR
import CajalOperations
import CajalTensor

/// A vector of its own for each of `count` things: words, categories.
///
/// **Shapes**: indices `[…]` (integers in 0..<count) to `[…, width]`; table `[count, width]`. An index outside
/// fails the evaluation, not the process.
public struct Embedding: DescribedLayer {
  public let table: Parameter
  public let count: Int
  public let width: Int
  /// The index whose vector is 0 and stays so.
  public let padding: Int?

  /// - Parameter initializer: normal of variance 1, as PyTorch's, by default.
  public init(
    _ count: Int, _ width: Int, padding: Int? = nil, initializer: Initializer = .normal(standardDeviation: 1),
    dtype: DType = .float32
  ) {
    self.count = count
    self.width = width
    self.padding = padding
    table = Parameter([count, width], initializer, dtype: dtype)
  }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    table.inModule {
      let vectors = table.value.map(input) {
        record(Gather(axis: 0), $0, $1.checkedIndices(extent: count, allowsNegative: false))
      }
      guard let padding else { return vectors }
      return (input .== padding).expanded(at: -1).select(0, vectors)
    }
  }

  public struct Configuration: Codable, Sendable {
    let count: Int
    let width: Int
    let padding: Int?
    let dtype: DType
  }
  public static var kind: String { "embedding" }
  public var configuration: Configuration {
    Configuration(count: count, width: width, padding: padding, dtype: table.dtype)
  }
  public init(configuration: Configuration) throws {
    self.init(
      try Architecture.extent(configuration.count, "count of embedding"),
      try Architecture.extent(configuration.width, "width of embedding"), padding: configuration.padding,
      dtype: configuration.dtype)
  }
}
