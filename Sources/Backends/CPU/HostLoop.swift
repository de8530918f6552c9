import CajalBase
import CajalCKernels
import CajalCompiler
import CajalIR

/// A loop over positions: the body's program once for each, carries handed on.
struct HostLoop: Sendable {
  private let signature: LoopSignature
  private let body: HostProgram
  private let operands: [Placement]
  private let results: [Int?]
  private let carryBytes: [Int]
  private let sliceBytes: [Int]
  private let stackedBytes: [Int]

  init(_ signature: LoopSignature, _ body: Program, _ operands: [Placement], _ results: [Int?], _ types: ResultTypes) {
    self.signature = signature
    self.body = HostProgram(body)
    self.operands = operands
    self.results = results
    carryBytes = (0..<signature.carries).map { types[$0].byteCount }
    sliceBytes = (0..<signature.sequences).map { signature.body.inputs[1 + signature.carries + $0].byteCount }
    stackedBytes = (signature.carries..<types.count).map { types[$0].byteCount / max(1, signature.length) }
  }

  var kernel: HostKernels.Kernel {
    let loop = self
    return { (pointers) throws(Mismatch) in try loop.run(pointers) }
  }

  private func run(_ pointers: HostProgram.Pointers) throws(Mismatch) {
    let borrowed = operands.map { operand in
      HostStorage(
        borrowing: HostKernels.address(operand)(pointers),
        byteCount: TensorType(operand.view.shape, operand.dtype).byteCount, device: .cpu)
    }
    var carries = borrowed.prefix(signature.carries).map { StoredValue($0) }
    for step in 0..<signature.length {
      let position = signature.isReversed ? signature.length - 1 - step : step
      stack(carries[...], from: signature.stacked, at: position, pointers)
      let outputs = try runBody(position, carries, borrowed)
      stack(outputs.dropFirst(signature.carries), from: 0, at: position, pointers)
      carries = Array(outputs.prefix(signature.carries))
    }
    for (index, carry) in carries.enumerated() {
      if let result = results[index] {
        pointers[result]!.copyMemory(from: address(carry), byteCount: carryBytes[index])
      }
    }
  }

  private func address(_ stored: StoredValue) -> UnsafeMutableRawPointer {
    guard let host = stored.storage as? HostStorage else { preconditionFailure("a loop's memory is the host's") }
    return host.pointer + stored.offset
  }

  /// Copies one position of stacked results, the first of them number `first`.
  private func stack(
    _ values: ArraySlice<StoredValue>, from first: Int, at position: Int, _ pointers: HostProgram.Pointers
  ) {
    for (index, value) in values.enumerated() {
      guard let result = results[signature.carries + first + index] else { continue }
      let bytes = stackedBytes[first + index]
      (pointers[result]! + position * bytes).copyMemory(from: address(value), byteCount: bytes)
    }
  }

  private func runBody(_ position: Int, _ carries: [StoredValue], _ borrowed: [HostStorage]) throws(Mismatch)
    -> [StoredValue]
  {
    let arguments = RunArguments(capacity: operands.count + 1)
    arguments.append(scalar: UInt64(position))
    for carry in carries { arguments.append(carry, isDonated: false) }
    for index in 0..<signature.sequences {
      let sequence = StoredValue(borrowed[signature.carries + index], offset: position * sliceBytes[index])
      arguments.append(sequence, isDonated: false)
    }
    for capture in borrowed.dropFirst(signature.carries + signature.sequences) {
      arguments.append(StoredValue(capture), isDonated: false)
    }
    do {
      return try body.run(arguments) { (bytes: Int) throws(TensorError) in
        guard let storage = HostStorage(bytes, device: .cpu, meter: HostLoop.meter) else {
          throw .outOfMemory(bytes, on: .cpu)
        }
        return storage
      }
    } catch {
      throw Mismatch(error.error.kind, "at position \(position): \(error.error.problem)", remedy: error.error.remedy)
    }
  }

  /// Memory inside loops is a plan's own, and counted by nobody.
  private static let meter = MemoryMeter()
}
