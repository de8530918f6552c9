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

  static func workspace(_ group: FusedGroup) -> Int { group.folds.isEmpty ? 0 : HostGroup(group).workspaceByteCount }
}

/// A fused group as the tile interpreter takes it.
final class HostGroup: @unchecked Sendable {
  private var group: cj_group
  private let loads: UnsafeMutableBufferPointer<cj_access>
  private let stores: UnsafeMutableBufferPointer<cj_access>
  private let instructions: UnsafeMutableBufferPointer<cj_instruction>
  private let folds: UnsafeMutableBufferPointer<cj_fold>
  private let workspace: Int?
  private let memo = cj_group_memo_make()

  /// - Parameter keepsColumns: the last axis stays apart: the group runs on parts of rows.
  init(_ source: FusedGroup, keepsColumns: Bool = false) {
    let merged = MergedAxes(source, keepsColumns: keepsColumns || source.worksByRows)
    loads = HostGroup.list(
      source.loads.enumerated().map { index, load in
        HostGroup.access(
          slot: load.placement.buffer ?? -1, load.placement.dtype, register: index, offset: load.placement.view.offset,
          isRow: load.isRow, merged.loads[index])
      })
    stores = HostGroup.list(
      source.stores.enumerated().map { index, store in
        HostGroup.access(
          slot: store.buffer, store.dtype, register: Int(store.register), offset: 0, isRow: store.isRow,
          merged.stores[index])
      })
    instructions = HostGroup.list(
      source.instructions.enumerated().map { index, instruction in
        HostGroup.instruction(instruction, register: source.loads.count + index)
      })
    folds = HostGroup.list(
      source.folds.map { fold in
        cj_fold(
          slot: Int32(fold.buffer), reg: UInt16(fold.register), op: fold.kind.rawValue, dtype: fold.dtype.rawValue)
      })
    workspace = source.workspace
    group = cj_group(
      rank: Int32(merged.extents.count), extents: (0, 0, 0, 0, 0, 0, 0, 0), load_count: Int32(source.loads.count),
      store_count: Int32(source.stores.count), instruction_count: Int32(source.instructions.count),
      register_count: Int32(source.loads.count + source.instructions.count), loads: UnsafePointer(loads.baseAddress!),
      stores: UnsafePointer(stores.baseAddress!), instructions: UnsafePointer(instructions.baseAddress!),
      fold_count: Int32(source.folds.count), folds: UnsafePointer(folds.baseAddress!))
    withUnsafeMutableBytes(of: &group.extents) { bytes in
      for (axis, extent) in merged.extents.enumerated() {
        bytes.storeBytes(of: Int64(extent), toByteOffset: axis * 8, as: Int64.self)
      }
    }
  }

  deinit {
    loads.deallocate()
    stores.deallocate()
    instructions.deallocate()
    folds.deallocate()
    cj_group_memo_free(memo)
  }

  var workspaceByteCount: Int { withUnsafePointer(to: &group) { Int(cj_group_workspace($0)) } }

  func run(_ pointers: HostProgram.Pointers) {
    withGroup { cj_group_run($0, pointers, workspace.flatMap { pointers[$0] }, memo) }
  }

  private func withGroup(_ body: (UnsafePointer<cj_group>) -> Void) { withUnsafePointer(to: &group, body) }

  fileprivate func withBlocks(_ pointers: HostProgram.Pointers, _ body: (UnsafeMutableRawPointer) -> Void) {
    withGroup { group in
      var blocks = cj_group_start_blocks(group, pointers, memo)
      withUnsafeMutablePointer(to: &blocks) { body($0) }
    }
  }

  /// `values` in memory of their own; never without an address.
  private static func list<T>(_ values: [T]) -> UnsafeMutableBufferPointer<T> {
    let list = UnsafeMutableBufferPointer<T>.allocate(capacity: max(1, values.count))
    _ = list.initialize(from: values)
    return list
  }

  private static func access(
    slot: Int, _ dtype: DType, register: Int, offset: Int, isRow: Bool, _ strides: [Int]
  ) -> cj_access {
    var access = cj_access()
    access.slot = Int32(slot)
    access.dtype = slot < 0 ? DType.int64.rawValue : dtype.rawValue
    access.extent = HostGroup.extent(isRow)
    access.reg = UInt16(register)
    access.offset = Int64(offset)
    withUnsafeMutableBytes(of: &access.strides) { bytes in
      for (axis, stride) in strides.enumerated() {
        bytes.storeBytes(of: Int64(stride), toByteOffset: axis * 8, as: Int64.self)
      }
    }
    return access
  }

  private static func instruction(_ source: FusedGroup.Instruction, register: Int) -> cj_instruction {
    var instruction = cj_instruction()
    instruction.dst = UInt16(register)
    switch source {
    case .scalar(let scalar, let isRow):
      instruction.op = scalar.opcode.rawValue
      instruction.type = scalar.type.rawValue
      instruction.aux = scalar.detail
      instruction.extent = extent(isRow)
      instruction.a = UInt16(scalar.a)
      instruction.b = UInt16(scalar.b)
      instruction.c = UInt16(scalar.c)
      instruction.immediate = scalar.immediate
    case .reduce(let kind, let type, let operand):
      instruction.op = UInt8(CJ_REDUCE.rawValue)
      instruction.type = type.rawValue
      instruction.aux = kind.rawValue
      instruction.extent = extent(true)
      instruction.a = UInt16(operand)
    case .broadcast(let type, let operand):
      instruction.op = UInt8(CJ_BROADCAST.rawValue)
      instruction.type = type.rawValue
      instruction.extent = extent(false)
      instruction.a = UInt16(operand)
    }
    return instruction
  }

  private static func extent(_ isRow: Bool) -> UInt8 { UInt8((isRow ? CJ_ROW : CJ_FULL).rawValue) }
}

extension HostGroup? {
  /// Runs `operation`, which tells of each part of its result that is done, by `done(context, …)`.
  func following(
    _ pointers: HostProgram.Pointers, _ operation: (_ done: cj_block_done?, _ context: UnsafeMutableRawPointer?) -> Void
  ) {
    if let group = self {
      group.withBlocks(pointers) { operation(cj_group_run_block, $0) }
    } else {
      operation(nil, nil)
    }
  }
}

/// Extents and strides of a group with neighbouring axes merged wherever every operand allows it, at
/// least one axis.
private struct MergedAxes {
  var extents: [Int] = []
  var loads: [[Int]] { Array(strides.prefix(loadCount)) }
  var stores: [[Int]] { Array(strides.dropFirst(loadCount)) }
  private var strides: [[Int]]
  private let loadCount: Int

  init(_ group: FusedGroup, keepsColumns: Bool) {
    loadCount = group.loads.count
    strides = [[Int]](repeating: [], count: group.loads.count + group.stores.count)
    let given = group.loads.map(\.strides) + group.stores.map { MergedAxes.strides(of: $0, group.space) }
    let columns = keepsColumns ? group.space.rank - 1 : group.space.rank
    for axis in 0..<columns where group.space[axis] != 1 {
      append(group.space[axis], given.map { $0[axis] }, merging: true)
    }
    if columns < group.space.rank { append(group.space[columns], given.map { $0[columns] }, merging: false) }
    if extents.isEmpty {
      extents = [1]
      for operand in strides.indices { strides[operand] = [operand < loadCount ? 0 : 1] }
    }
  }

  private mutating func append(_ extent: Int, _ next: [Int], merging: Bool) {
    let last = extents.count - 1
    if merging, last >= 0, strides.indices.allSatisfy({ strides[$0][last] == next[$0] * extent }) {
      extents[last] *= extent
      for operand in strides.indices { strides[operand][last] = next[operand] }
    } else {
      extents.append(extent)
      for operand in strides.indices { strides[operand].append(next[operand]) }
    }
  }

  /// Row values lie one behind the other.
  private static func strides(of store: FusedGroup.Store, _ space: Shape) -> [Int] {
    store.isRow ? space.prefix(space.rank - 1).strides + [0] : space.strides
  }
}
