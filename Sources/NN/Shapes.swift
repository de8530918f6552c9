import CajalBase
import CajalIR
import CajalTensor

// Layers that only change the shape.

/// All axes but the first as one.
///
/// **Shapes**: `[N, …]` to `[N, count]`.
public struct Flatten: DescribedLayer {
  public init() {}
  public func callAsFunction(_ input: Tensor) -> Tensor { input.flattened(from: 1) }

  public static var kind: String { "flatten" }
  public var configuration: NoConfiguration { NoConfiguration() }
  public init(configuration: NoConfiguration) {}
}

/// Each example under another shape; one extent may be −1 and follows from the others.
///
/// **Shapes**: `[N, …]` to `[N] + shape`.
public struct Reshape: DescribedLayer {
  public let shape: Shape

  public init(_ extents: Int...) { shape = Shape(extents) }

  public func callAsFunction(_ input: Tensor) -> Tensor {
    input.reshaped(to: input.error == nil ? input.shape.prefix(1) + shape : shape)
  }

  public static var kind: String { "reshape" }
  public var configuration: [Int] { shape.array }
  public init(configuration: [Int]) throws {
    guard configuration.count < Shape.maximumRank else {
      throw ArchitectureError("reshape to \(configuration.count) axes", remedy: "Save the model again")
    }
    shape = Shape(try configuration.map { $0 == -1 ? -1 : try Architecture.extent($0, "an extent of reshape") })
  }
}
