import CajalBase
import CajalIR
import CajalOperations

/// What a profile says of a step, measured times aside.
public struct StepSummary: Sendable, Hashable {
  /// Its name and sizes: `matmul 128×784×512 and group of 3 [128, 512]`,
  /// `convolution [64, 32, 32, 64] (Winograd 4×4) and group of 4 [64, 32, 32, 64]`.
  public var name: String
  /// The module that recorded it, if one did.
  public var module: String?
  /// What it computes in.
  public var dtype: DType
  /// Arithmetic, and the bytes that must move: each buffer's once.
  public var cost: Cost

  public init(name: String, module: String? = nil, dtype: DType, cost: Cost) {
    self.name = name
    self.module = module
    self.dtype = dtype
    self.cost = cost
  }
}

extension Step {
  public var summary: StepSummary { summary { _, _ in nil } }

  /// - Parameter way: how the backend computes an operation, where it has several ways.
  public func summary(way: (any Operation, [Placement]) -> String?) -> StepSummary {
    StepSummary(name: kind.title(way), module: path?.description, dtype: kind.dtype, cost: kind.cost)
  }

  /// Arithmetic, and the bytes that must move: each buffer's once.
  public var cost: Cost { kind.cost }
}

extension Step.Kind {
  fileprivate func title(_ way: (any Operation, [Placement]) -> String?) -> String {
    switch self {
    case .group(let group): "\(name) \(group.space)"
    case .copy(let source, _): "\(name) \(source.view.shape)"
    case .followed(let first, let group): "\(first.title(way)) and group of \(group.nodeCount) \(group.space)"
    case .loop(_, let signature, _, _, _, _): "\(name) of \(signature.length)"
    case .operation(let operation, let operands, _, let types, _):
      if let product = operation as? MatMul {
        "\(name) \(product.dimensions(operands[0].view.shape, operands[1].view.shape).title)"
      } else {
        "\(name) \(types.first.shape)" + (way(operation, operands).map { " (\($0))" } ?? "")
      }
    }
  }

  fileprivate var dtype: DType {
    switch self {
    case .group(let group): group.stores.first?.dtype ?? group.folds.first?.dtype ?? .float32
    case .copy(let source, _): source.dtype
    case .followed(let first, _): first.dtype
    case .operation(_, _, _, let types, _), .loop(_, _, _, _, _, let types): types.first.dtype
    }
  }

  fileprivate var cost: Cost {
    switch self {
    case .group(let group): return group.cost()
    case .copy(let source, _): return Cost(flops: 0, bytes: 2 * source.view.shape.count * source.dtype.byteCount)
    case .followed(let first, let group):
      // The group finds the product in the cache.
      var cost = first.cost
      cost += group.cost(without: first.result)
      return cost
    case .operation(let operation, let operands, _, let types, _):
      return operation.cost(OperandTypes(operands.map { TensorType($0.view.shape, $0.dtype) }), types)
    case .loop(_, let signature, let body, _, _, _):
      return signature.length * body.steps.map(\.cost).reduce(into: Cost(flops: 0, bytes: 0), +=)
    }
  }

  private var result: Int? {
    if case .operation(_, _, let results, _, _) = self { return results[0] }
    return nil
  }
}

extension MatMul.Dimensions {
  fileprivate var title: String { (batch == 1 ? "" : "\(batch)×") + "\(m)×\(k)×\(n)" }
}

extension FusedGroup {
  private var rows: Int { space.rank == 0 ? 1 : space.prefix(space.rank - 1).count }

  /// - Parameter cached: a buffer whose loads cost nothing.
  fileprivate func cost(without cached: Int? = nil) -> Cost {
    var cost = folds.count * Cost(flops: space.count, bytes: 0)
    for instruction in instructions {
      switch instruction {
      case .scalar(let scalar, let isRow):
        cost += (isRow ? rows : space.count) * Cost(flops: scalar.opcode.flops, bytes: 0)
      case .reduce: cost += Cost(flops: space.count, bytes: 0)
      case .broadcast: break
      }
    }
    for store in stores { cost += (store.isRow ? rows : space.count) * Cost(flops: 0, bytes: store.dtype.byteCount) }
    for fold in folds { cost += (space.rank == 0 ? 1 : space[-1]) * Cost(flops: 0, bytes: fold.dtype.byteCount) }
    for (region, count) in loadedRegions where region.buffer != cached { cost += Cost(flops: 0, bytes: count) }
    return cost
  }

  private struct Region: Hashable {
    let buffer: Int
    let offset: Int
  }

  /// Bytes read, by where they begin: what is read twice in other orders comes from the cache.
  private var loadedRegions: [Region: Int] {
    var regions: [Region: Int] = [:]
    for load in loads {
      guard let buffer = load.placement.buffer else { continue }
      let count = load.strides.indices.reduce(1) { $0 * (load.strides[$1] == 0 ? 1 : space[$1]) }
      let region = Region(buffer: buffer, offset: load.placement.view.offset)
      regions[region] = max(regions[region] ?? 0, count * load.placement.dtype.byteCount)
    }
    return regions
  }
}
