import CajalBase
import CajalCKernels
import CajalCompiler
import CajalIR
import CajalOperations

extension HostKernels {
  /// Bytes of scratch that the kernel of `operation` needs, whatever the number of threads.
  @Sendable static func workspace(_ operation: any Operation, _ operands: [Placement]) -> Int {
    switch operation {
    case let convolution as Convolution: workspace(convolution, operands)
    case let gradient as ConvolutionInputGradient: workspace(gradient, operands)
    case let reduce as Reduce: Reduction(reduce, operands[0]).workspace
    case let sort as ArgSort: workspace(sort, operands[0].view.shape)
    case let gradient as ConvolutionWeightGradient: workspace(gradient, operands)
    default: 0
    }
  }

  private static func workspace(_ sort: ArgSort, _ shape: Shape) -> Int {
    let (outer, extent, inner) = shape.split(at: sort.axis)
    return Int(cj_argsort_workspace(Int64(outer), Int64(extent), Int64(inner)))
  }
}

/// The arguments of `cj_matmul` but for the addresses.
struct MatrixProduct {
  private let product: cj_product
  /// The buffer of the second operand, packed.
  private let packed: Int?

  init(_ matmul: MatMul, _ operands: [Placement], _ packedOperands: inout PackedOperands) {
    let (a, b) = (operands[0], operands[1])
    guard let left = MatrixLayout(a.view), let right = MatrixLayout(b.view) else {
      preconditionFailure("a product was given matrices that it does not accept")
    }
    let size = matmul.dimensions(a.view.shape, b.view.shape)
    product = cj_product(
      dtype: a.dtype.kernel, a_transposed: matmul.transposesA != left.isTransposed,
      b_transposed: matmul.transposesB != right.isTransposed, batch: Int64(size.batch), m: Int64(size.m),
      n: Int64(size.n), k: Int64(size.k), lda: Int64(left.rowStride), a_batch: Int64(left.batchStride),
      ldb: Int64(right.rowStride), b_batch: Int64(right.batchStride), packed_b: nil)
    packed = packedOperands.add(.product(product), b)
  }

  private func with(_ pointers: HostProgram.Pointers) -> cj_product {
    var product = product
    product.packed_b = packed.flatMap { UnsafeRawPointer(pointers[$0]) }
    return product
  }

  /// The product, and `group` over each part of it that is done.
  func run(
    _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ c: UnsafeMutableRawPointer, _ pointers: HostProgram.Pointers,
    followedBy group: HostGroup?
  ) {
    withUnsafePointer(to: with(pointers)) { product in
      group.following(pointers) { cj_matmul(product, a, b, c, $0, $1) }
    }
  }
}

/// The arguments of `cj_reduce` but for the addresses.
struct Reduction {
  private let kind: cj_reduction
  private let dtype: cj_dtype
  private let outer, count, inner: Int64

  init(_ reduce: Reduce, _ operand: Placement) {
    let shape = operand.view.shape
    // Canonical form: the axes are neighbours.
    let first = reduce.axes.first ?? 0
    kind = cj_reduction(UInt32(reduce.kind.rawValue))
    dtype = operand.dtype.kernel
    outer = Int64(shape.prefix(first).count)
    count = Int64(reduce.axes.reduce(1) { $0 * shape[$1] })
    inner = Int64(shape.suffix(from: first + reduce.axes.count).count)
  }

  var workspace: Int { Int(cj_reduce_workspace(kind, dtype, outer, count, inner)) }

  func run(_ x: UnsafeRawPointer, _ result: UnsafeMutableRawPointer, workspace: UnsafeMutableRawPointer?) {
    cj_reduce(kind, dtype, outer, count, inner, x, result, workspace)
  }
}
