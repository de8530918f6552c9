import CajalCKernels

/// An operand of a test program: its elements' bytes and how it is walked.
struct Operand {
  var dtype: cj_dtype
  var bytes: [UInt8]
  var offset = 0
  var strides: [Int]

  init<T: BitwiseCopyable>(_ dtype: cj_dtype, _ values: [T], offset: Int = 0, strides: [Int]) {
    self.dtype = dtype
    self.bytes = values.bytes()
    self.offset = offset
    self.strides = strides
  }
}

func elementBytes(_ dtype: cj_dtype) -> Int {
  [1, 1, 1, 2, 4, 8, 2, 2, 4, 8][Int(dtype.rawValue)]
}

/// The compute type of a dtype.
func computeType(_ dtype: cj_dtype) -> cj_type {
  [CJ_B8, CJ_I32, CJ_I32, CJ_I32, CJ_I32, CJ_I64, CJ_F32, CJ_F32, CJ_F32, CJ_F64][Int(dtype.rawValue)]
}

func instruction(
  _ op: cj_opcode, _ type: cj_type, aux: Int = 0, _ dst: Int, _ a: Int = 0, _ b: Int = 0, _ c: Int = 0,
  immediate: UInt64 = 0, extent: cj_extent = CJ_FULL
) -> cj_instruction {
  cj_instruction(
    op: UInt8(op.rawValue), type: UInt8(type.rawValue), aux: UInt8(aux), extent: UInt8(extent.rawValue),
    dst: UInt16(dst),
    a: UInt16(a), b: UInt16(b), c: UInt16(c), immediate: immediate)
}

func access(
  _ slot: Int, _ dtype: cj_dtype, _ reg: Int, offset: Int = 0, strides: [Int], extent: cj_extent = CJ_FULL
) -> cj_access {
  var result = cj_access()
  result.slot = Int32(slot)
  result.dtype = UInt8(dtype.rawValue)
  result.reg = UInt16(reg)
  result.offset = Int64(offset)
  result.extent = UInt8(extent.rawValue)
  withUnsafeMutableBytes(of: &result.strides) { raw in
    for (axis, stride) in strides.enumerated() { raw.bindMemory(to: Int64.self)[axis] = Int64(stride) }
  }
  return result
}

/// Runs a program over memory given as byte arrays, which it may change.
func runGroup(
  _ extents: [Int], loads: [cj_access], stores: [cj_access], folds: [cj_fold] = [], registers: Int,
  _ instructions: [cj_instruction], slots: inout [[UInt8]], withWorkspace: Bool = true
) {
  var memory: [UnsafeMutableRawPointer?] = slots.map {
    let block = UnsafeMutableRawPointer.allocate(byteCount: max($0.count, 1), alignment: 16)
    $0.withUnsafeBytes { block.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(block), byteCount: $0.count) }
    return block
  }
  // Never empty: an empty array has no address.
  (loads + [cj_access()]).withUnsafeBufferPointer { loadList in
    (stores + [cj_access()]).withUnsafeBufferPointer { storeList in
      (instructions + [cj_instruction()]).withUnsafeBufferPointer { list in
        (folds + [cj_fold()]).withUnsafeBufferPointer { foldList in
          var group = cj_group(
            rank: Int32(extents.count), extents: (0, 0, 0, 0, 0, 0, 0, 0), load_count: Int32(loads.count),
            store_count: Int32(stores.count), instruction_count: Int32(instructions.count),
            register_count: Int32(registers), loads: loadList.baseAddress!, stores: storeList.baseAddress!,
            instructions: list.baseAddress!, fold_count: Int32(folds.count), folds: foldList.baseAddress!)
          withUnsafeMutableBytes(of: &group.extents) { raw in
            for (axis, extent) in extents.enumerated() { raw.bindMemory(to: Int64.self)[axis] = Int64(extent) }
          }
          let bytes = withWorkspace ? Int(cj_group_workspace(&group)) : 0
          let workspace = bytes > 0 ? UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64) : nil
          memory.withUnsafeMutableBufferPointer { cj_group_run(&group, UnsafePointer($0.baseAddress!), workspace, nil) }
          workspace?.deallocate()
        }
      }
    }
  }
  for i in slots.indices {
    slots[i] = Array(UnsafeRawBufferPointer(start: memory[i], count: slots[i].count))
    memory[i]!.deallocate()
  }
}

/// One instruction over operands laid out as given; the result is contiguous.
func runOne(
  _ op: cj_opcode, _ type: cj_type, aux: Int = 0, extents: [Int], _ operands: [Operand], out: cj_dtype
) -> [UInt8] {
  var dense = [Int](repeating: 1, count: extents.count)
  for axis in stride(from: extents.count - 2, through: 0, by: -1) { dense[axis] = dense[axis + 1] * extents[axis + 1] }
  var slots = operands.map(\.bytes)
  slots.append([UInt8](repeating: 0, count: extents.reduce(1, *) * elementBytes(out)))
  let loads = operands.enumerated().map { access($0, $1.dtype, $0, offset: $1.offset, strides: $1.strides) }
  let count = operands.count
  runGroup(
    extents, loads: loads, stores: [access(count, out, count, strides: dense)], registers: count + 1,
    [instruction(op, type, aux: aux, count, 0, count > 1 ? 1 : 0, count > 2 ? 2 : 0)], slots: &slots)
  return slots[count]
}

extension [UInt8] {
  func values<T: BitwiseCopyable>(_ type: T.Type) -> [T] { withUnsafeBytes { [T]($0.bindMemory(to: T.self)) } }
}
