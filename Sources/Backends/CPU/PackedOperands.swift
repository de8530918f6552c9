import CajalBase
import CajalCKernels
import CajalCompiler

/// The second operand of a product or a convolution, as its kernel reads it fastest.
enum PackedOperand: Sendable {
  case product(cj_product)
  /// A convolution, or its input gradient.
  case weights(cj_convolution_shape, isGradient: Bool)

  /// 0 where a copy saves little.
  var byteCount: Int64 {
    switch self {
    case .product(let product): withUnsafePointer(to: product) { cj_packed_b_bytes($0) }
    case .weights(let shape, let isGradient):
      withUnsafePointer(to: shape) { cj_convolution_packed_bytes($0, isGradient) }
    }
  }

  /// What the order of a copy's elements depends on: neither the rows of a product nor the positions of a convolution,
  /// but for a gradient's that are less than a stride and do not meet all of the window's phases.
  var order: [Int64] {
    switch self {
    case .product(let product):
      return [Int64(product.dtype.rawValue), product.b_transposed ? 1 : 0, product.k, product.n, product.ldb]
    case .weights(let shape, let isGradient):
      let way = withUnsafePointer(to: shape) { cj_convolution_way_of($0, isGradient) }
      let sizes = [shape.channels, shape.filters, shape.groups]
      let axes = [shape.window, shape.strides, shape.dilations, shape.before].flatMap { [$0.0, $0.1, $0.2] }
      let (extents, strides) = (shape.extents, shape.strides)
      let phases =
        isGradient ? [min(extents.0, strides.0), min(extents.1, strides.1), min(extents.2, strides.2)] : [1, 1, 1]
      return [Int64(shape.dtype.rawValue), isGradient ? 1 : 0, Int64(way.rawValue)] + sizes + axes + phases
    }
  }

  func pack(_ elements: UnsafeRawPointer, into copy: UnsafeMutableRawPointer) {
    switch self {
    case .product(let product): withUnsafePointer(to: product) { cj_pack_b($0, elements, copy) }
    case .weights(let shape, let isGradient):
      withUnsafePointer(to: shape) { cj_convolution_pack($0, isGradient, elements, copy) }
    }
  }
}

/// The weights of a program's products and convolutions, laid out as the kernels read them: once for each version of
/// the weights that enough runs read, beside them in memory, while half of that is free. Products of few rows read
/// weights where they lie, those of many hide the work.
struct PackedOperands: Sendable {
  private struct Source: Sendable {
    let input: Int
    /// Bytes from the input's first.
    let offset: Int
    let operand: PackedOperand
    let order: [Int64]
  }

  private let program: Program
  private var sources: [Source] = []

  init(_ program: Program) { self.program = program }

  var count: Int { sources.count }

  /// The number of the buffer where runs find the operand packed, if it may be.
  mutating func add(_ operand: PackedOperand, _ placement: Placement) -> Int? {
    guard Settings.process.packsWeights, let buffer = placement.buffer,
      case .input(let input) = program.buffers[buffer].home, operand.byteCount > 0
    else { return nil }
    let offset = placement.view.offset * placement.dtype.byteCount
    sources.append(Source(input: input, offset: offset, operand: operand, order: operand.order))
    return program.buffers.count + sources.count - 1
  }

  /// The addresses of what is packed, behind those of the program's buffers.
  func find(_ arguments: RunArguments, _ pointers: inout [UnsafeMutableRawPointer?], _ allocate: HostProgram.Allocate) {
    for (index, source) in sources.enumerated() where !arguments.isDonated[source.input] {
      let input = arguments.inputs[source.input]
      guard let storage = input.storage as? HostStorage else { continue }
      // The storage keeps its copies while the run holds it.
      pointers[program.buffers.count + index] = packed(source, storage, at: input.offset + source.offset, allocate)
    }
  }

  private func packed(
    _ source: Source, _ storage: HostStorage, at offset: Int, _ allocate: HostProgram.Allocate
  ) -> UnsafeMutableRawPointer? {
    let layout = PackedLayout(order: source.order, offset: offset, level: cj_simd_level().rawValue)
    return storage.copy(packedAs: layout) {
      let bytes = source.operand.byteCount
      let memory = cj_memory()
      // The other half is for what cannot do without.
      guard memory.live_bytes + bytes <= memory.limit_bytes / 2, let copy = try? allocate(Int(bytes)) else {
        return nil
      }
      source.operand.pack(storage.pointer + offset, into: copy.pointer)
      return copy
    }?.pointer
  }
}
