import CajalBase
import CajalCKernels
import CajalCompiler
import CajalIR
import CajalOperations

// Kernels that move elements.

extension HostKernels {
  /// Extents and strides, ready for `cj_copy`.
  struct CopyPlan: Sendable {
    let bytes: Int32
    let rank: Int32
    let extents: [Int64]
    let source: [Int64]
    let target: [Int64]
    let isEmpty: Bool

    init(_ shape: Shape, _ dtype: DType, source: [Int], target: [Int]) {
      // The kernel takes at least one axis.
      let isScalar = shape.rank == 0
      bytes = Int32(dtype.byteCount)
      rank = Int32(max(1, shape.rank))
      extents = isScalar ? [1] : shape.array.map(Int64.init)
      self.source = isScalar ? [1] : source.map(Int64.init)
      self.target = isScalar ? [1] : target.map(Int64.init)
      isEmpty = shape.count == 0
    }

    /// Copies elements from `from` to `to`, the addresses of the first.
    func run(from: UnsafeRawPointer, to: UnsafeMutableRawPointer) {
      if !isEmpty { cj_copy(bytes, rank, extents, from, source, to, target) }
    }
  }

  static func makeCopy(_ source: Placement, to target: Int) -> Kernel {
    let shape = source.view.shape
    let plan = CopyPlan(shape, source.dtype, source: source.view.strides, target: shape.strides)
    let x = address(source)
    return { plan.run(from: x($0), to: $0[target]!) }
  }

  /// The int64 scalars at `placements`.
  private static func startReader(_ placements: some Collection<Placement>) -> @Sendable (Pointers) -> [Int] {
    let addresses = placements.map(address)
    return { pointers in addresses.map { Int($0(pointers).load(as: Int64.self)) } }
  }

  static func makeSlice(_ part: Part, _ operands: [Placement], _ result: Int) -> Kernel {
    let source = operands[0]
    let shape = part.shape(in: source.view.shape)
    var strides = source.view.strides
    for (index, axis) in part.axes.enumerated() { strides[axis] *= part.steps[index] }
    let plan = CopyPlan(shape, source.dtype, source: strides, target: shape.strides)
    let axisStrides = part.axes.map { source.view.strides[$0] * source.dtype.byteCount }
    let starts = startReader(operands.dropFirst())
    let x = address(source)
    let whole = source.view.shape
    return { (pointers) throws(Mismatch) in
      let offsets = zip(try part.checkedStarts(starts(pointers), in: whole), axisStrides).map { $0 * $1 }
      plan.run(from: x(pointers) + offsets.reduce(0, +), to: pointers[result]!)
    }
  }

  static func makeUpdate(_ part: Part, _ operands: [Placement], _ result: Int, _ type: TensorType) -> Kernel {
    let start = makeCopy(operands[0], to: result)
    let place = part.view(in: type.shape, starts: [Int](repeating: 0, count: part.axes.count))
    let plan = CopyPlan(place.shape, type.dtype, source: operands[1].view.strides, target: place.strides)
    let whole = type.shape.strides
    let axisStrides = part.axes.map { whole[$0] * type.dtype.byteCount }
    let starts = startReader(operands.dropFirst(2))
    let update = address(operands[1])
    return { (pointers) throws(Mismatch) in
      let offsets = zip(try part.checkedStarts(starts(pointers), in: type.shape), axisStrides).map { $0 * $1 }
      try start(pointers)
      plan.run(from: update(pointers), to: pointers[result]! + offsets.reduce(0, +))
    }
  }

  static func makeConcatenate(_ axis: Int, _ operands: [Placement], _ result: Int, _ type: TensorType) -> Kernel {
    let strides = type.shape.strides
    var start = 0
    let pieces = operands.map { operand -> (CopyPlan, @Sendable (Pointers) -> UnsafeMutableRawPointer, Int) in
      let plan = CopyPlan(operand.view.shape, operand.dtype, source: operand.view.strides, target: strides)
      defer { start += operand.view.shape[axis] }
      return (plan, address(operand), start * strides[axis] * type.dtype.byteCount)
    }
    return { pointers in
      for (plan, x, offset) in pieces { plan.run(from: x(pointers), to: pointers[result]! + offset) }
    }
  }

  static func makePad(_ pad: Pad, _ operands: [Placement], _ result: Int, _ type: TensorType) -> Kernel {
    let source = operands[0]
    let place = pad.place(in: type.shape, source.view.shape)
    let plan = CopyPlan(source.view.shape, source.dtype, source: source.view.strides, target: place.strides)
    let (x, value) = (address(source), address(operands[1]))
    let (bytes, count) = (type.dtype.byteCount, Int64(type.shape.count))
    return { pointers in
      var bits: UInt64 = 0
      withUnsafeMutableBytes(of: &bits) {
        $0.copyMemory(from: UnsafeRawBufferPointer(start: value(pointers), count: bytes))
      }
      cj_fill(Int32(bytes), count, bits, pointers[result]!)
      plan.run(from: x(pointers), to: pointers[result]! + place.offset * bytes)
    }
  }
}
