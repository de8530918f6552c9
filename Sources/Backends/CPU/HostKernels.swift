import CajalBase
import CajalCKernels
import CajalCompiler
import CajalIR
import CajalOperations

/// Binds steps to C kernels: everything that a kernel needs but the addresses is worked out here, once.
enum HostKernels {
  typealias Kernel = HostProgram.Kernel
  typealias Pointers = HostProgram.Pointers

  private static let nothing: Kernel = { _ in }

  static func make(_ step: Step, _ program: Program, _ packed: inout PackedOperands) -> Kernel {
    switch step.kind {
    case .group(let group): return makeGroup(group)
    case .copy(let source, let target): return makeCopy(source, to: target)
    case .followed(let first, let group):
      if case .operation(let operation, let operands, let results, _, let workspace) = first, let result = results[0],
        let kernel = followed(
          operation, operands, result, workspace, &packed, by: HostGroup(group, keepsColumns: true))
      {
        return kernel
      }
      preconditionFailure("a group follows \(first), which does not tell of its parts")
    case .loop(_, let signature, let body, let operands, let results, let types):
      return HostLoop(signature, body, operands, results, types).kernel
    case .operation(let operation, let operands, let results, let types, let workspace):
      return make(operation, operands, results, types, workspace, &packed)
    }
  }

  /// An operation that tells of the parts of its result, and perhaps a group over these.
  private static func followed(
    _ operation: any Operation, _ operands: [Placement], _ result: Int, _ workspace: Int?,
    _ packed: inout PackedOperands, by group: HostGroup? = nil
  ) -> Kernel? {
    switch operation {
    case let matmul as MatMul: makeMatMul(matmul, operands, result, &packed, followedBy: group)
    case let convolution as Convolution:
      makeConvolution(convolution, operands, result, workspace, &packed, followedBy: group)
    case let gradient as ConvolutionInputGradient:
      makeConvolutionInputGradient(gradient, operands, result, workspace, &packed, followedBy: group)
    default: nil
    }
  }

  private static func make(
    _ operation: any Operation, _ operands: [Placement], _ results: [Int?], _ types: ResultTypes, _ workspace: Int?,
    _ packed: inout PackedOperands
  ) -> Kernel {
    if let check = operation as? CheckIndices { return makeCheck(check, operands[0]) }
    let isEmpty = types.array.allSatisfy { $0.shape.count == 0 }
    if isEmpty, !operation.isFallible, !operation.hasEffect { return nothing }
    if let pooling = operation as? MaxPooling, let kernel = makeMaxPooling(pooling, operands[0], results) {
      return kernel
    }
    if let result = results[0], let kernel = kernel(of: operation, operands, result, types.first, workspace, &packed) {
      return kernel
    }
    return makeLoops(operation, operands, results, types)
  }

  /// The operation's own kernel, or `nil` for one that runs by its definition.
  private static func kernel(
    of operation: any Operation, _ operands: [Placement], _ result: Int, _ type: TensorType, _ workspace: Int?,
    _ packed: inout PackedOperands
  ) -> Kernel? {
    switch operation {
    case let reduce as Reduce: return makeReduce(reduce, operands[0], result, workspace)
    case let reduce as ArgReduce: return makeArgReduce(reduce, operands[0], result)
    case let sort as ArgSort: return makeArgSort(sort, operands[0], result, workspace)
    case let sum as CumulativeSum: return makeCumulativeSum(sum, operands[0], result)
    case let slice as Slice: return makeSlice(slice.part, operands, result)
    case let update as Update: return makeUpdate(update.part, operands, result, type)
    case let concatenate as Concatenate: return makeConcatenate(concatenate.axis, operands, result, type)
    case let pad as Pad: return makePad(pad, operands, result, type)
    case let gather as Gather: return makeGather(gather.axis, operands, result)
    case let gather as GatherAlong: return makeGatherAlong(gather.axis, operands, result)
    case let scatter as ScatterAdd: return makeScatterAdd(scatter.axis, operands, result)
    case let scatter as ScatterAddAlong: return makeScatterAddAlong(scatter.axis, operands, result)
    case let random as Random: return makeRandom(random, operands, result)
    case let gradient as ConvolutionWeightGradient: return makeWeightGradient(gradient, operands, result, workspace)
    default: return followed(operation, operands, result, workspace, &packed)
    }
  }

  /// The address of a contiguous operand.
  static func address(_ placement: Placement) -> @Sendable (Pointers) -> UnsafeMutableRawPointer {
    let buffer = placement.buffer ?? 0
    let offset = placement.view.offset * placement.dtype.byteCount
    // Every buffer has an address before the first kernel runs.
    return { $0[buffer]! + offset }
  }

  /// An operation without a kernel, by its definition.
  private static func makeLoops(
    _ operation: any Operation, _ operands: [Placement], _ results: [Int?], _ types: ResultTypes
  ) -> Kernel {
    let addresses = operands.map(address)
    let operandTypes = operands.map { TensorType($0.view.shape, $0.dtype) }
    return { (pointers) throws(Mismatch) in
      guard case .loops(let loops) = operation.semantics else { return }
      let inputs = zip(operandTypes, addresses).map { type, address in
        HostTensor(type, bytes: UnsafeRawBufferPointer(start: address(pointers), count: type.byteCount))
      }
      for (output, buffer) in zip(try loops(inputs, types.array), results) {
        guard let buffer else { continue }
        output.copyBytes(to: UnsafeMutableRawBufferPointer(start: pointers[buffer]!, count: output.type.byteCount))
      }
    }
  }

  // MARK: Products and reductions

  private static func makeMatMul(
    _ matmul: MatMul, _ operands: [Placement], _ result: Int, _ packed: inout PackedOperands,
    followedBy group: HostGroup?
  ) -> Kernel {
    let product = MatrixProduct(matmul, operands, &packed)
    let (x, y) = (address(operands[0]), address(operands[1]))
    return { product.run(x($0), y($0), $0[result]!, $0, followedBy: group) }
  }

  private static func makeReduce(_ reduce: Reduce, _ operand: Placement, _ result: Int, _ workspace: Int?) -> Kernel {
    let reduction = Reduction(reduce, operand)
    let x = address(operand)
    return { pointers in
      reduction.run(x(pointers), pointers[result]!, workspace: workspace.flatMap { pointers[$0] })
    }
  }

  private static func makeArgReduce(_ reduce: ArgReduce, _ operand: Placement, _ result: Int) -> Kernel {
    let (outer, extent, inner) = operand.view.shape.split(at: reduce.axis)
    let x = address(operand)
    let dtype = operand.dtype.kernel
    return { pointers in
      cj_arg_reduce(
        reduce.isMaximum, dtype, Int64(outer), Int64(extent), Int64(inner), x(pointers),
        pointers[result]!.assumingMemoryBound(to: Int64.self))
    }
  }

  private static func makeArgSort(_ sort: ArgSort, _ operand: Placement, _ result: Int, _ workspace: Int?) -> Kernel? {
    guard let workspace else { return nil }
    let (outer, extent, inner) = operand.view.shape.split(at: sort.axis)
    let x = address(operand)
    let dtype = operand.dtype.kernel
    return { pointers in
      cj_argsort(
        sort.isDescending, dtype, Int64(outer), Int64(extent), Int64(inner), Int64(sort.count), x(pointers),
        pointers[result]!.assumingMemoryBound(to: Int64.self), pointers[workspace]!)
    }
  }

  private static func makeCumulativeSum(_ sum: CumulativeSum, _ operand: Placement, _ result: Int) -> Kernel {
    let (outer, extent, inner) = operand.view.shape.split(at: sum.axis)
    let x = address(operand)
    let dtype = operand.dtype.kernel
    return {
      cj_cumulative_sum(sum.isReversed, dtype, Int64(outer), Int64(extent), Int64(inner), x($0), $0[result]!)
    }
  }

  // MARK: Indices

  private static func makeCheck(_ check: CheckIndices, _ operand: Placement) -> Kernel {
    let x = address(operand)
    let count = Int64(operand.view.shape.count)
    let dtype = operand.dtype
    return { (pointers) throws(Mismatch) in
      let position = cj_first_bad_index(dtype.kernel, count, x(pointers), Int64(check.extent), check.allowsNegative)
      guard position >= 0 else { return }
      let index =
        dtype == .int64
        ? x(pointers).load(fromByteOffset: Int(position) * 8, as: Int64.self)
        : Int64(x(pointers).load(fromByteOffset: Int(position) * 4, as: Int32.self))
      if let problem = check.problem(index, at: Int(position)) { throw problem }
    }
  }

  private static func makeGather(_ axis: Int, _ operands: [Placement], _ result: Int) -> Kernel {
    let (outer, extent, inner) = operands[0].view.shape.split(at: axis)
    let count = Int64(operands[1].view.shape.count)
    let (x, indices) = (address(operands[0]), address(operands[1]))
    let (bytes, dtype) = (Int32(operands[0].dtype.byteCount), operands[1].dtype.kernel)
    return {
      cj_gather(bytes, Int64(outer), Int64(extent), Int64(inner), count, dtype, indices($0), x($0), $0[result]!)
    }
  }

  private static func makeGatherAlong(_ axis: Int, _ operands: [Placement], _ result: Int) -> Kernel {
    let (outer, extent, inner) = operands[0].view.shape.split(at: axis)
    let count = Int64(operands[1].view.shape[axis])
    let (x, indices) = (address(operands[0]), address(operands[1]))
    let (bytes, dtype) = (Int32(operands[0].dtype.byteCount), operands[1].dtype.kernel)
    return {
      cj_gather_along(bytes, Int64(outer), Int64(extent), Int64(inner), count, dtype, indices($0), x($0), $0[result]!)
    }
  }

  private static func makeScatterAdd(_ axis: Int, _ operands: [Placement], _ result: Int) -> Kernel {
    let (outer, extent, inner) = operands[0].view.shape.split(at: axis)
    let count = Int64(operands[1].view.shape.count)
    let (indices, updates) = (address(operands[1]), address(operands[2]))
    let (dtype, indexType) = (operands[0].dtype.kernel, operands[1].dtype.kernel)
    let start = makeCopy(operands[0], to: result)
    return { (pointers) throws(Mismatch) in
      try start(pointers)
      guard count > 0 else { return }
      cj_scatter_add(
        dtype, Int64(outer), Int64(extent), Int64(inner), count, indexType, indices(pointers), updates(pointers),
        pointers[result]!)
    }
  }

  private static func makeScatterAddAlong(_ axis: Int, _ operands: [Placement], _ result: Int) -> Kernel {
    let (outer, extent, inner) = operands[0].view.shape.split(at: axis)
    let count = Int64(operands[1].view.shape[axis])
    let (indices, updates) = (address(operands[1]), address(operands[2]))
    let (dtype, indexType) = (operands[0].dtype.kernel, operands[1].dtype.kernel)
    let start = makeCopy(operands[0], to: result)
    return { (pointers) throws(Mismatch) in
      try start(pointers)
      guard count > 0 else { return }
      cj_scatter_add_along(
        dtype, Int64(outer), Int64(extent), Int64(inner), count, indexType, indices(pointers), updates(pointers),
        pointers[result]!)
    }
  }

  private static func makeRandom(_ random: Random, _ operands: [Placement], _ result: Int) -> Kernel {
    let (key, stream) = (address(operands[0]), address(operands[1]))
    let count = Int64(random.shape.count)
    let distribution = cj_distribution(UInt32(random.distribution.rawValue))
    let dtype = random.dtype.kernel
    return {
      cj_random(
        distribution, dtype, key($0).load(as: UInt64.self), stream($0).load(as: UInt64.self), count, $0[result]!)
    }
  }
}

extension DType {
  /// The kernels' name of this dtype.
  var kernel: cj_dtype { cj_dtype(UInt32(rawValue)) }
}

/// How the kernels read a batch of matrices: rows `rowStride` apart, or columns where transposed.
struct MatrixLayout {
  let isTransposed: Bool
  let rowStride: Int
  let batchStride: Int

  /// `nil` where neither axis runs along memory, or the batch axes are not one stride.
  init?(_ view: StridedView) {
    let rank = view.shape.rank
    guard rank >= 2 else { return nil }
    let (rows, columns) = (view.shape[rank - 2], view.shape[rank - 1])
    let (down, across) = (view.strides[rank - 2], view.strides[rank - 1])
    if across == 1 || columns == 1, rows == 1 || down >= columns {
      isTransposed = false
      rowStride = rows == 1 ? max(columns, 1) : down
    } else if down == 1 || rows == 1, columns == 1 || across >= rows {
      isTransposed = true
      rowStride = columns == 1 ? max(rows, 1) : across
    } else {
      return nil
    }
    let batch = StridedView(shape: view.shape.prefix(rank - 2), strides: Array(view.strides.prefix(rank - 2)))
    guard let merged = batch.reshaped(to: [batch.shape.count]), merged.strides[0] >= 0 else { return nil }
    batchStride = batch.shape.count == 1 ? 0 : merged.strides[0]
  }
}

/// What the kernels read without a copy.
@Sendable func acceptsStrided(_ operand: LoweringOptions.StridedOperand) -> Bool {
  switch operand.operation {
  case is MatMul: MatrixLayout(operand.view) != nil
  case is Slice, is Pad, is ScatterAdd, is ScatterAddAlong: operand.index == 0
  case is Update: operand.index <= 1
  case is Concatenate: true
  default: false
  }
}
