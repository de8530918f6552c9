import CajalBase
import CajalIR

/// Writes the register program of a group.
struct GroupBuilder {
  private let space: Shape
  private var loads: [FusedGroup.Load] = []
  private var loadRegisters: [LoadKey: Int32] = [:]
  private var instructions: [ScalarInstruction] = []
  private var instructionRegisters: [ScalarInstruction: Int32] = [:]
  private var stores: [FusedGroup.Store] = []

  private struct LoadKey: Hashable {
    let base: Placement.Base
    let offset: Int
    let strides: [Int]
    let dtype: DType
  }

  /// Registers of instructions start here while loads are still being found.
  private static let instructionBase: Int32 = 1 << 20

  init(space: Shape) { self.space = space }

  /// The register that holds `placement`, broadcast to the space.
  mutating func load(_ placement: Placement) -> Int32 {
    if case .constant(let scalar) = placement.base {
      let type = placement.dtype.computeType
      return emit(ScalarInstruction(opcode: .constant, type: type, immediate: scalar.bits(as: type.dtype)))
    }
    let strides = placement.view.strides(broadcastTo: space)
    let key = LoadKey(base: placement.base, offset: placement.view.offset, strides: strides, dtype: placement.dtype)
    if let register = loadRegisters[key] { return register }
    loads.append(FusedGroup.Load(placement: placement, strides: strides))
    let register = converted(Int32(loads.count - 1), placement)
    loadRegisters[key] = register
    return register
  }

  /// Coordinates come as int64; their dtype is a conversion away.
  private mutating func converted(_ register: Int32, _ placement: Placement) -> Int32 {
    guard placement.base == .affine, placement.dtype != .int64 else { return register }
    let cast = emit(
      ScalarInstruction(
        opcode: .cast, type: placement.dtype.computeType, detail: ComputeType.int64.rawValue, a: register))
    guard placement.dtype.narrowsComputeType else { return cast }
    return emit(
      ScalarInstruction(opcode: .round, type: placement.dtype.computeType, detail: placement.dtype.rawValue, a: cast))
  }

  /// Appends `program` with its arguments in these registers.
  mutating func inline(_ program: ScalarProgram, _ arguments: [Int32]) -> Int32 {
    var registers = arguments
    for instruction in program.instructions {
      var copy = instruction
      let arity = instruction.opcode.arity
      copy.a = arity > 0 ? registers[Int(instruction.a)] : 0
      copy.b = arity > 1 ? registers[Int(instruction.b)] : 0
      copy.c = arity > 2 ? registers[Int(instruction.c)] : 0
      registers.append(emit(copy))
    }
    return registers[Int(program.result)]
  }

  /// The same instruction on the same registers is computed once.
  private mutating func emit(_ instruction: ScalarInstruction) -> Int32 {
    if let register = instructionRegisters[instruction] { return register }
    instructions.append(instruction)
    let register = GroupBuilder.instructionBase + Int32(instructions.count - 1)
    instructionRegisters[instruction] = register
    return register
  }

  mutating func store(_ register: Int32, to buffer: Int, _ dtype: DType) {
    stores.append(FusedGroup.Store(buffer: buffer, register: register, dtype: dtype))
  }

  /// The finished group: registers of instructions follow those of the loads.
  func group(nodeCount: Int) -> FusedGroup {
    let shift = Int32(loads.count) - GroupBuilder.instructionBase
    func moved(_ register: Int32) -> Int32 { register >= GroupBuilder.instructionBase ? register + shift : register }
    return FusedGroup(
      space: space, loads: loads,
      instructions: instructions.map { instruction in
        var copy = instruction
        let arity = instruction.opcode.arity
        if arity > 0 { copy.a = moved(instruction.a) }
        if arity > 1 { copy.b = moved(instruction.b) }
        if arity > 2 { copy.c = moved(instruction.c) }
        return copy
      },
      stores: stores.map { FusedGroup.Store(buffer: $0.buffer, register: moved($0.register), dtype: $0.dtype) },
      nodeCount: nodeCount)
  }
}
