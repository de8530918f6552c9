import CajalBase
import CajalCKernels
import CajalCompiler
import CajalIR

extension HostKernels {
  static func makeGroup(_ group: FusedGroup) -> Kernel {
    if group.space.count == 0 { return { _ in } }
    let bound = HostGroup(group)
    return { bound.run($0) }
  }
}

/// A fused group as the tile interpreter takes it.
private final class HostGroup: @unchecked Sendable {
  private var group: cj_group
  private let loads: UnsafeMutableBufferPointer<cj_access>
  private let stores: UnsafeMutableBufferPointer<cj_access>
  private let instructions: UnsafeMutableBufferPointer<cj_instruction>

  init(_ source: FusedGroup) {
    let accesses = HostGroup.mergeAxes(source)
    loads = .allocate(capacity: max(1, source.loads.count))
    stores = .allocate(capacity: max(1, source.stores.count))
    instructions = .allocate(capacity: max(1, source.instructions.count))
    for (index, load) in source.loads.enumerated() {
      loads.initializeElement(
        at: index,
        to: HostGroup.access(
          slot: load.placement.buffer ?? -1, load.placement.dtype, register: index, offset: load.placement.view.offset,
          accesses.loads[index]))
    }
    for (index, store) in source.stores.enumerated() {
      stores.initializeElement(
        at: index,
        to: HostGroup.access(
          slot: store.buffer, store.dtype, register: Int(store.register), offset: 0, accesses.stores[index]))
    }
    for (index, instruction) in source.instructions.enumerated() {
      instructions.initializeElement(
        at: index, to: HostGroup.instruction(instruction, register: source.loads.count + index))
    }
    group = cj_group(
      rank: Int32(accesses.extents.count), extents: (0, 0, 0, 0, 0, 0, 0, 0), load_count: Int32(source.loads.count),
      store_count: Int32(source.stores.count), instruction_count: Int32(source.instructions.count),
      register_count: Int32(source.loads.count + source.instructions.count), loads: UnsafePointer(loads.baseAddress!),
      stores: UnsafePointer(stores.baseAddress!), instructions: UnsafePointer(instructions.baseAddress!))
    withUnsafeMutableBytes(of: &group.extents) { bytes in
      for (axis, extent) in accesses.extents.enumerated() {
        bytes.storeBytes(of: Int64(extent), toByteOffset: axis * 8, as: Int64.self)
      }
    }
  }

  deinit {
    loads.deallocate()
    stores.deallocate()
    instructions.deallocate()
  }

  func run(_ pointers: HostProgram.Pointers) {
    withUnsafePointer(to: &group) { cj_group_run($0, pointers) }
  }

  /// Extents and strides with neighbouring axes merged wherever every operand allows it, at least one axis.
  private static func mergeAxes(_ group: FusedGroup) -> (extents: [Int], loads: [[Int]], stores: [[Int]]) {
    var extents: [Int] = []
    var all = [[Int]](repeating: [], count: group.loads.count + group.stores.count)
    let strides = group.loads.map(\.strides) + group.stores.map { _ in group.space.strides }
    for axis in 0..<group.space.rank where group.space[axis] != 1 {
      let extent = group.space[axis]
      let canMerge =
        !extents.isEmpty && strides.indices.allSatisfy { all[$0][extents.count - 1] == strides[$0][axis] * extent }
      for operand in strides.indices {
        if canMerge {
          all[operand][extents.count - 1] = strides[operand][axis]
        } else {
          all[operand].append(strides[operand][axis])
        }
      }
      if canMerge { extents[extents.count - 1] *= extent } else { extents.append(extent) }
    }
    if extents.isEmpty {
      extents = [1]
      for operand in all.indices { all[operand] = [operand < group.loads.count ? 0 : 1] }
    }
    return (extents, Array(all.prefix(group.loads.count)), Array(all.dropFirst(group.loads.count)))
  }

  private static func access(slot: Int, _ dtype: DType, register: Int, offset: Int, _ strides: [Int]) -> cj_access {
    var access = cj_access()
    access.slot = Int32(slot)
    access.dtype = UInt16(slot < 0 ? DType.int64.rawValue : dtype.rawValue)
    access.reg = UInt16(register)
    access.offset = Int64(offset)
    withUnsafeMutableBytes(of: &access.strides) { bytes in
      for (axis, stride) in strides.enumerated() {
        bytes.storeBytes(of: Int64(stride), toByteOffset: axis * 8, as: Int64.self)
      }
    }
    return access
  }

  private static func instruction(_ source: ScalarInstruction, register: Int) -> cj_instruction {
    cj_instruction(
      op: source.opcode.rawValue, type: source.type.rawValue, aux: source.detail, reserved: 0, dst: UInt16(register),
      a: UInt16(source.a), b: UInt16(source.b), c: UInt16(source.c), immediate: source.immediate)
  }
}
