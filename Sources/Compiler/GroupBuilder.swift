import CajalBase
import CajalIR
import CajalOperations

/// Writes the register program of a group.
struct GroupBuilder {
  private let space: Shape
  private var loads: [FusedGroup.Load] = []
  private var loadRegisters: [LoadKey: Int32] = [:]
  private var instructions: [FusedGroup.Instruction] = []
  private var instructionRegisters: [FusedGroup.Instruction: Int32] = [:]
  private var stores: [FusedGroup.Store] = []
  private var folds: [FusedGroup.Fold] = []

  private struct LoadKey: Hashable {
    let base: Placement.Base
    let offset: Int
    let strides: [Int]
    let dtype: DType
    let isRow: Bool
  }

  /// Registers of instructions start here while loads are still being found.
  private static let instructionBase: Int32 = 1 << 20

  init(space: Shape) { self.space = space }

  /// The register that holds `placement`, broadcast to the space, or to its rows in `rowShape`.
  mutating func load(_ placement: Placement, rowShape: Shape? = nil) -> Int32 {
    if case .constant(let scalar) = placement.base {
      let type = placement.dtype.computeType
      return emit(
        .scalar(
          ScalarInstruction(opcode: .constant, type: type, immediate: scalar.bits(as: type.dtype)),
          isRow: rowShape != nil))
    }
    var strides = placement.view.strides(broadcastTo: rowShape ?? space)
    if let rowShape, rowShape.rank < space.rank { strides.append(0) }
    let key = LoadKey(
      base: placement.base, offset: placement.view.offset, strides: strides, dtype: placement.dtype,
      isRow: rowShape != nil)
    if let register = loadRegisters[key] { return register }
    loads.append(FusedGroup.Load(placement: placement, strides: strides, isRow: key.isRow))
    let register = converted(Int32(loads.count - 1), placement, isRow: key.isRow)
    loadRegisters[key] = register
    return register
  }

  /// Coordinates come as int64; their dtype is a conversion away.
  private mutating func converted(_ register: Int32, _ placement: Placement, isRow: Bool) -> Int32 {
    guard placement.base == .affine, placement.dtype != .int64 else { return register }
    let cast = emit(
      .scalar(
        ScalarInstruction(
          opcode: .cast, type: placement.dtype.computeType, detail: ComputeType.int64.rawValue, a: register),
        isRow: isRow))
    return rounded(cast, placement.dtype, isRow: isRow)
  }

  private mutating func rounded(_ register: Int32, _ dtype: DType, isRow: Bool) -> Int32 {
    guard dtype.narrowsComputeType else { return register }
    return emit(
      .scalar(
        ScalarInstruction(opcode: .round, type: dtype.computeType, detail: dtype.rawValue, a: register), isRow: isRow))
  }

  /// Appends `program` with its arguments in these registers.
  mutating func inline(_ program: ScalarProgram, _ arguments: [Int32], isRow: Bool) -> Int32 {
    var registers = arguments
    for instruction in program.instructions {
      let moved = instruction.renumbered { registers[Int($0)] }
      registers.append(emit(.scalar(moved, isRow: isRow)))
    }
    return registers[Int(program.result)]
  }

  mutating func reduce(_ kind: Reduce.Kind, _ register: Int32, _ dtype: DType) -> Int32 {
    rounded(emit(.reduce(kind, dtype.computeType, register)), dtype, isRow: true)
  }

  mutating func broadcast(_ register: Int32, _ dtype: DType) -> Int32 {
    emit(.broadcast(dtype.computeType, register))
  }

  /// The same instruction on the same registers is computed once.
  private mutating func emit(_ instruction: FusedGroup.Instruction) -> Int32 {
    if let register = instructionRegisters[instruction] { return register }
    instructions.append(instruction)
    let register = GroupBuilder.instructionBase + Int32(instructions.count - 1)
    instructionRegisters[instruction] = register
    return register
  }

  mutating func store(_ register: Int32, to buffer: Int, _ dtype: DType, isRow: Bool = false) {
    stores.append(FusedGroup.Store(buffer: buffer, register: register, dtype: dtype, isRow: isRow))
  }

  mutating func fold(_ kind: Reduce.Kind, _ register: Int32, to buffer: Int, _ dtype: DType) {
    folds.append(FusedGroup.Fold(kind: kind, buffer: buffer, register: register, dtype: dtype))
  }

  /// The finished group: registers of instructions follow those of the loads.
  func group(nodeCount: Int) -> FusedGroup {
    let shift = Int32(loads.count) - GroupBuilder.instructionBase
    func moved(_ register: Int32) -> Int32 { register >= GroupBuilder.instructionBase ? register + shift : register }
    return FusedGroup(
      space: space, loads: loads,
      instructions: instructions.map { instruction in
        switch instruction {
        case .scalar(let scalar, let isRow): .scalar(scalar.renumbered(moved), isRow: isRow)
        case .reduce(let kind, let type, let register): .reduce(kind, type, moved(register))
        case .broadcast(let type, let register): .broadcast(type, moved(register))
        }
      },
      stores: stores.map { store in
        var copy = store
        copy.register = moved(store.register)
        return copy
      },
      folds: folds.map { fold in
        var copy = fold
        copy.register = moved(fold.register)
        return copy
      },
      nodeCount: nodeCount)
  }
}

extension ScalarInstruction {
  /// The same on other registers.
  fileprivate func renumbered(_ register: (Int32) -> Int32) -> ScalarInstruction {
    var copy = self
    let arity = opcode.arity
    copy.a = arity > 0 ? register(a) : 0
    copy.b = arity > 1 ? register(b) : 0
    copy.c = arity > 2 ? register(c) : 0
    return copy
  }
}
