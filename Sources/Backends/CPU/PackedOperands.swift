import CajalBase
import CajalCKernels
import CajalCompiler

/// The weights of a program's products, laid out as the kernels read them: once for each version of the weights that
/// enough runs read, beside them in memory, while half of that is free. Products of few rows read weights where they
/// lie, those of many hide the work.
struct PackedOperands: Sendable {
  private struct Operand: Sendable {
    let input: Int
    /// Bytes from the input's first.
    let offset: Int
    let product: cj_product
    let dtype: DType
  }

  private let program: Program
  private var operands: [Operand] = []

  init(_ program: Program) { self.program = program }

  var count: Int { operands.count }

  /// The number of the buffer where runs find the second operand of a product packed, if it may be.
  mutating func add(_ product: cj_product, _ placement: Placement) -> Int? {
    guard Settings.process.packsWeights, let buffer = placement.buffer,
      case .input(let input) = program.buffers[buffer].home,
      withUnsafePointer(to: product, { cj_packed_b_bytes($0) }) > 0
    else { return nil }
    operands.append(
      Operand(
        input: input, offset: placement.view.offset * placement.dtype.byteCount, product: product,
        dtype: placement.dtype))
    return program.buffers.count + operands.count - 1
  }

  /// The addresses of what is packed, behind those of the program's buffers.
  func find(_ arguments: RunArguments, _ pointers: inout [UnsafeMutableRawPointer?], _ allocate: HostProgram.Allocate) {
    for (index, operand) in operands.enumerated() where !arguments.isDonated[operand.input] {
      let input = arguments.inputs[operand.input]
      guard let storage = input.storage as? HostStorage else { continue }
      // The storage keeps its copies while the run holds it.
      pointers[program.buffers.count + index] = packed(operand, storage, at: input.offset + operand.offset, allocate)
    }
  }

  private func packed(
    _ operand: Operand, _ storage: HostStorage, at offset: Int, _ allocate: HostProgram.Allocate
  ) -> UnsafeMutableRawPointer? {
    let product = operand.product
    let layout = PackedLayout(
      dtype: operand.dtype, isTransposed: product.b_transposed, rows: Int(product.k), columns: Int(product.n),
      stride: Int(product.ldb), offset: offset, level: cj_simd_level().rawValue)
    return storage.copy(packedAs: layout) {
      withUnsafePointer(to: product) { product in
        let bytes = cj_packed_b_bytes(product)
        let memory = cj_memory()
        // The other half is for what cannot do without.
        guard memory.live_bytes + bytes <= memory.limit_bytes / 2, let copy = try? allocate(Int(bytes)) else {
          return nil
        }
        cj_pack_b(product, storage.pointer + offset, copy.pointer)
        return copy
      }
    }?.pointer
  }
}
