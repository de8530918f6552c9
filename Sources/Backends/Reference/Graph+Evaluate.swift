import CajalBase
import CajalIR
import CajalOperations

/// An instruction that failed, and where it stands.
struct EvaluationFailure: Error {
  let error: TensorError
  let position: Int
}

extension Graph {
  /// The outputs for `inputs`, by the operations' definitions.
  func evaluate(_ inputs: [HostTensor]) throws(EvaluationFailure) -> [HostTensor] {
    var results: [[HostTensor]] = []
    results.reserveCapacity(instructions.count)
    func value(_ reference: Reference) -> HostTensor {
      reference.input.map { inputs[$0] } ?? results[reference.instruction][Int(reference.result)]
    }
    for (position, instruction) in instructions.enumerated() {
      do {
        results.append(try instruction.evaluate(instruction.operands.map(value)))
      } catch {
        throw EvaluationFailure(
          error: error.found(
            running: instruction.operation.name, operands: instruction.operands.map { type(of: $0) },
            module: instruction.path),
          position: position)
      }
    }
    return outputs.map(value)
  }

  /// Which outputs depend on the instruction at `position`.
  func outputsDepending(on position: Int) -> [Bool] {
    var depends = [Bool](repeating: false, count: instructions.count)
    depends[position] = true
    for index in instructions.indices.dropFirst(position + 1) {
      depends[index] = instructions[index].operands.contains { $0.position >= 0 && depends[$0.instruction] }
    }
    return outputs.map { $0.position >= 0 && depends[$0.instruction] }
  }
}

extension Graph.Instruction {
  func evaluate(_ operands: [HostTensor]) throws(Mismatch) -> [HostTensor] {
    switch operation.semantics {
    case .elementwise: return [evaluateElementwise(operands)]
    case .identity: return [operands[0]]
    case .affine(let offset, let strides):
      return [evaluateAffine(StridedView(shape: types.first.shape, offset: offset, strides: strides))]
    case .view(let map):
      let view = StridedView(contiguous: operands[0].shape)
      return [map(view).map { operands[0].viewed($0) } ?? operands[0].reshaped(types.first.shape)]
    case .loops(let loops): return try loops(operands, types.array)
    case .loop(let signature): return try evaluateLoop(signature, operands)
    case .decomposition, .transfer, .leaf:
      throw Mismatch(
        .backend, "has no definition to run", remedy: "This is a defect of the framework; please report it")
    }
  }

  private func evaluateElementwise(_ operands: [HostTensor]) -> HostTensor {
    var result = HostTensor(types.first)
    guard let program = operation.scalarProgram(operands: operands.map(\.dtype), result: types.first.dtype) else {
      return result
    }
    let shape = types.first.shape
    let offsets = operands.map { operand -> [Int] in
      var list: [Int] = []
      let view = StridedView(contiguous: operand.shape)
      StridedView(shape: shape, strides: view.strides(broadcastTo: shape)).forEachOffset { list.append($0) }
      return list
    }
    for index in 0..<result.count {
      result.store(program.evaluate(operands.indices.map { operands[$0][offsets[$0][index]] }), at: index)
    }
    return result
  }

  private func evaluateAffine(_ view: StridedView) -> HostTensor {
    var result = HostTensor(types.first)
    var index = 0
    view.forEachOffset { coordinate in
      result.store(.integer(Int64(coordinate)), at: index)
      index += 1
    }
    return result
  }

  private func evaluateLoop(_ signature: LoopSignature, _ operands: [HostTensor]) throws(Mismatch) -> [HostTensor] {
    let (carryCount, sequenceCount) = (signature.carries, signature.sequences)
    var carries = Array(operands.prefix(carryCount))
    let sequences = operands[carryCount..<carryCount + sequenceCount]
    let captures = operands.dropFirst(carryCount + sequenceCount)
    var stacked = types.array.dropFirst(carryCount).map { HostTensor($0) }
    let positions = signature.isReversed ? Array((0..<signature.length).reversed()) : Array(0..<signature.length)
    for position in positions {
      var index = HostTensor(TensorType(.scalar, .int64))
      index[0] = .integer(Int64(position))
      let slices = sequences.map { $0.slice(position) }
      let outputs: [HostTensor]
      do {
        outputs = try signature.body.evaluate([index] + carries + slices + captures)
      } catch {
        throw Mismatch(error.error.kind, "at position \(position): \(error.error.problem)", remedy: error.error.remedy)
      }
      for (result, value) in (outputs.dropFirst(carryCount) + carries).enumerated() {
        stacked[result].setSlice(position, value)
      }
      carries = Array(outputs.prefix(carryCount))
    }
    return carries + stacked
  }
}

extension HostTensor {
  /// Element `position` along the first axis.
  fileprivate func slice(_ position: Int) -> HostTensor {
    let rest = shape.suffix(from: 1)
    return viewed(StridedView(shape: rest, offset: position * rest.count, strides: rest.strides))
  }

  fileprivate mutating func setSlice(_ position: Int, _ value: HostTensor) {
    for index in 0..<value.count { self[position * value.count + index] = value[index] }
  }
}
