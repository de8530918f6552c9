import CajalBase
import CajalIR

/// Matrix products over leading batch axes: C = op(A) · op(B), where op may transpose.
///
/// **Shapes**: A `[…, m, k]` (transposed: `[…, k, m]`), B `[…, k, n]` (`[…, n, k]`), C `[…, m, n]`; the
/// batch axes are equal. Floats, int32 and int64. float16 and bfloat16 accumulate in float32 and round once. Its
/// gradients are matrix products again.
public struct MatMul: Operation {
  public let transposesA: Bool
  public let transposesB: Bool

  public init(transposesA: Bool = false, transposesB: Bool = false) {
    self.transposesA = transposesA
    self.transposesB = transposesB
  }

  public var name: String { "matmul" }
  public var autocast: AutocastClass { .low }
  public func encode(into key: inout PlanKey) { key.write(UInt64(transposesA ? 1 : 0) | UInt64(transposesB ? 2 : 0)) }

  public struct Dimensions: Hashable, Sendable {
    public var batch: Int, m: Int, n: Int, k: Int
  }

  /// The sizes of the product, for operands that fit.
  public func dimensions(_ a: Shape, _ b: Shape) -> Dimensions {
    Dimensions(
      batch: a.rank == 2 ? 1 : a.prefix(a.rank - 2).count, m: transposesA ? a[-1] : a[-2],
      n: transposesB ? b[-2] : b[-1],
      k: transposesA ? a[-2] : a[-1])
  }

  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    let (a, b) = (operands[0].shape, operands[1].shape)
    guard a.rank >= 2, b.rank == a.rank, (0..<a.rank - 2).allSatisfy({ a[$0] == b[$0] }) else {
      throw .shape("\(a) and \(b) are not matrices over the same batch axes", remedy: "Broadcast the batch axes first")
    }
    let size = dimensions(a, b)
    guard (transposesB ? b[-1] : b[-2]) == size.k else {
      throw .shape(
        "\(a) has rows of \(size.k) elements, \(b) has columns of \(transposesB ? b[-1] : b[-2])",
        remedy: "The last axis of the first must equal the last but one of the second; transpose one of them")
    }
    let dtype = operands[0].dtype
    guard dtype == operands[1].dtype, dtype.isFloat || dtype.isIndex else {
      throw .dtype(
        "its operands are \(dtype) and \(operands[1].dtype)", remedy: "Cast them to one float dtype, int32 or int64")
    }
    var shape = a
    shape[-2] = size.m
    shape[-1] = size.n
    return ResultTypes(shape, dtype)
  }

  public var semantics: Semantics {
    .loops { operands, results in
      let (a, b) = (operands[0], operands[1])
      let size = dimensions(a.shape, b.shape)
      var result = HostTensor(results[0])
      for batch in 0..<size.batch {
        for row in 0..<size.m {
          for column in 0..<size.n {
            var float = 0.0
            var integer: Int64 = 0
            for inner in 0..<size.k {
              let i = batch * size.m * size.k + (transposesA ? inner * size.m + row : row * size.k + inner)
              let j = batch * size.k * size.n + (transposesB ? column * size.k + inner : inner * size.n + column)
              if a.dtype.isFloat {
                float += a.floats[i] * b.floats[j]
              } else {
                integer &+= a.integers[i] &* b.integers[j]
              }
            }
            result.store(
              a.dtype.isFloat ? .float(float) : .integer(integer), at: (batch * size.m + row) * size.n + column)
          }
        }
      }
      return [result]
    }
  }

  public var gradient: GradientRule {
    .rule { context in
      let (a, b) = (context.operands[0], context.operands[1])
      guard let g = context.cotangents[0], a.dtype.isFloat else { return [nil, nil] }
      // C = op(A)·op(B): the cotangent of op(A) is G·op(B)ᵀ, that of op(B) is op(A)ᵀ·G.
      func first() -> Value {
        transposesA
          ? record(MatMul(transposesA: transposesB, transposesB: true), b, g)
          : record(MatMul(transposesA: false, transposesB: !transposesB), g, b)
      }
      func second() -> Value {
        transposesB
          ? record(MatMul(transposesA: true, transposesB: transposesA), g, a)
          : record(MatMul(transposesA: !transposesA, transposesB: false), a, g)
      }
      return [context.isNeeded[0] ? first() : nil, context.isNeeded[1] ? second() : nil]
    }
  }

  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    let size = batchSize(operands, isBatched)
    return [record(self, operands.indices.map { isBatched[$0] ? operands[$0] : operands[$0].repeated(size) })]
  }

  public func cost(_ operands: OperandTypes, _ results: ResultTypes) -> Cost {
    let size = dimensions(operands[0].shape, operands[1].shape)
    return Cost(
      flops: [size.batch, size.m, size.n, size.k].reduce(2) { $0.multipliedSaturated(by: $1) },
      bytes: operands[0].byteCount + operands[1].byteCount + results.first.byteCount)
  }
}

extension Value {
  /// NumPy's `matmul`: vectors become matrices for the product, batch axes broadcast. Narrow integers
  /// wrap, through int32; `bool` counts as int64.
  public func matmul(_ other: Value, transposed: Bool = false, transposingOther: Bool = false) -> Value {
    let (a, b) = Value.lowered(self, other)
    return a.product(b, transposed: transposed, transposingOther: transposingOther)
  }

  private func product(_ other: Value, transposed: Bool, transposingOther: Bool) -> Value {
    if rank == 2, other.rank == 2, dtype == other.dtype, dtype.isFloat {
      return record(MatMul(transposesA: transposed, transposesB: transposingOther), self, other)
    }
    let (a, b) = Value.promoted(self, other)
    if let failed = [a, b].first(where: { $0.isFailed }) { return failed }
    if !a.dtype.isFloat, !a.dtype.isIndex {
      let wide: DType = a.dtype == .bool ? .int64 : .int32
      let product = a.cast(to: wide).matmul(
        b.cast(to: wide), transposed: transposed, transposingOther: transposingOther)
      return a.dtype == .bool ? product : product.cast(to: a.dtype)
    }
    guard a.rank > 0, b.rank > 0 else {
      return errorValue("matmul", [a, b], .shape("a scalar is no matrix", remedy: "Multiply scalars with `*`"))
    }
    if a.rank == 1 || b.rank == 1 { return a.vectorProduct(b, transposed, transposingOther) }
    let operation = MatMul(transposesA: transposed, transposesB: transposingOther)
    if a.rank > 2, b.rank == 2, !transposed {
      // One product instead of a batch of them: [.., m, k] → [..·m, k]
      let rows = a.reshaped(to: [a.shape.prefix(a.rank - 1).count, a.shape[-1]])
      let product = record(operation, rows, b)
      return product.isFailed ? product : product.reshaped(to: a.shape.prefix(a.rank - 1) + [product.shape[-1]])
    }
    guard let batch = Shape.broadcast(a.shape.prefix(a.rank - 2), b.shape.prefix(b.rank - 2)) else {
      return errorValue(
        "matmul", [a, b],
        .shape("the batch axes of \(a.shape) and \(b.shape) do not broadcast", remedy: "They must be equal or 1"))
    }
    return record(
      operation, a.broadcast(to: batch + a.shape.suffix(from: a.rank - 2)),
      b.broadcast(to: batch + b.shape.suffix(from: b.rank - 2)))
  }

  /// The product where one side is a vector, which loses its axis again.
  private func vectorProduct(_ other: Value, _ transposed: Bool, _ transposingOther: Bool) -> Value {
    let left = rank == 1 ? reshaped(to: [1, shape[0]]) : self
    let right = other.rank == 1 ? other.reshaped(to: [other.shape[0], 1]) : other
    let product = left.matmul(
      right, transposed: rank > 1 && transposed, transposingOther: other.rank > 1 && transposingOther)
    if product.isFailed { return product }
    var shape = product.shape.array
    if other.rank == 1 { shape.removeLast() }
    if rank == 1 { shape.remove(at: shape.count - (other.rank == 1 ? 1 : 2)) }
    return product.reshaped(to: Shape(shape))
  }
}
