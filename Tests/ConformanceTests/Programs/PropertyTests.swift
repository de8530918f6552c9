import CajalBase
import CajalIR
import CajalOperations
import CajalTensor
import Testing

/// Random programs: backends agree, and neither fusion, nor what is held, nor the order of reading changes a bit.
/// 300 programs, ten times as many where `CAJAL_FULL` is 1.
@Suite struct PropertyTests {
  private static let chunk: UInt64 = 25
  private static let chunks = Array(0..<UInt64(isFull ? 120 : 12))

  @Test(arguments: chunks)
  func backendsAgreeOnRandomPrograms(_ chunk: UInt64) throws {
    for seed in chunk * PropertyTests.chunk..<(chunk + 1) * PropertyTests.chunk {
      do { try checkGraph(seed) } catch { Issue.record("program \(seed): \(error)") }
    }
  }

  @Test(arguments: chunks)
  func holdingAndReadingChangesNoBit(_ chunk: UInt64) throws {
    for seed in chunk * PropertyTests.chunk..<(chunk + 1) * PropertyTests.chunk {
      do { try checkEngine(seed) } catch { Issue.record("program \(seed): \(error)") }
    }
  }

  /// A program over placeholders, to be run without the engine.
  private func traced(_ seed: UInt64) -> (program: RandomProgram, inputs: [Value]) {
    let trace = Trace(depth: 0)
    var inputs: [Value] = []
    var program = RandomProgram(seed: seed) { numbers in
      inputs.append(placeholderValue(numbers.type, device: .cpu, trace: trace))
      return inputs[inputs.count - 1]
    }
    program.grow()
    return (program, inputs)
  }

  private func checkGraph(_ seed: UInt64) throws {
    let (program, inputs) = traced(seed)
    let all = try Recorded(program.items.map(\.value), inputs: inputs)
    let expected = try Machine.reference.run(all, program.leaves)
    let found = try Machine.cpu.run(all, program.leaves)
    for (index, item) in program.items.enumerated() {
      if let text = disagreement(found[index], expected[index], item) {
        Issue.record("program \(seed), value \(index) (\(item.value.node.operation.name)): \(text)\n\(all.graph)")
        return
      }
    }
    // Fewer outputs: other groups, other memory.
    var generator = SplitMix64("outputs", seed)
    let kept = program.items.indices.filter { $0 == program.items.count - 1 || generator.next() % 4 == 0 }
    let some = try Recorded(kept.map { program.items[$0].value }, inputs: inputs)
    for (machine, graph, indices) in [
      (Machine.cpuUnfused, all, Array(program.items.indices)), (.cpuDonated, all, Array(program.items.indices)),
      (.cpu, some, kept),
      (.cpuUnfused, some, kept), (.cpuDonated, some, kept), (.fake, some, kept),
    ] {
      for (result, index) in zip(try machine.run(graph, program.leaves), indices) {
        if let text = bitDifference(result, found[index]) {
          Issue.record("program \(seed) on \(machine), value \(index) of \(indices.count): \(text)\n\(graph.graph)")
          return
        }
      }
    }
  }

  private func disagreement(_ found: HostTensor, _ expected: HostTensor, _ item: RandomProgram.Item) -> String? {
    if item.isExact { return bitDifference(found, expected) }
    for index in 0..<expected.count {
      let (a, b) = (found.floats[index], expected.floats[index])
      if a.isNaN && b.isNaN || abs(a - b) <= 4 * item.error { continue }
      return "element \(index) is \(a) instead of \(b), which is more than \(item.error) off"
    }
    return nil
  }

  /// The program through the engine, with handles held, dropped, and read before and after.
  private func checkEngine(_ seed: UInt64) throws {
    let (program, inputs) = traced(seed)
    let expected = try Machine.cpu.run(Recorded(program.items.map(\.value), inputs: inputs), program.leaves)
    for device in [Device.cpu, .fake] {
      try withDevice(device) { try follow(seed, expected, device) }
    }
  }

  private func follow(_ seed: UInt64, _ expected: [HostTensor], _ device: Device) throws {
    var chooser = SplitMix64("reading on \(device)", seed)
    var leaves: [Tensor] = []
    var problems: [String] = []
    func check(_ index: Int, _ tensor: Tensor, _ when: String) {
      do {
        let found = try tensor.bytes().withUnsafeBytes { HostTensor(expected[index].type, bytes: $0) }
        if let text = bitDifference(found, expected[index]) { problems.append("value \(index) read \(when): \(text)") }
      } catch {
        problems.append("value \(index) read \(when): \(error)")
      }
    }
    var program = RandomProgram(seed: seed) { numbers in
      let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: numbers.type.byteCount, alignment: 8)
      defer { bytes.deallocate() }
      numbers.copyBytes(to: bytes)
      leaves.append(Tensor(bytes: UnsafeRawBufferPointer(bytes), shape: numbers.shape, dtype: numbers.dtype))
      return leaves[leaves.count - 1].value
    }
    // Everything is held while the program may still use it, and read now and then.
    var held: [Int: Tensor] = [:]
    for (index, item) in program.items.enumerated() { held[index] = Tensor(item.value) }
    program.grow { index, value in
      held[index] = Tensor(value)
      if chooser.next() % 6 == 0 { check(index, held[index]!, "at once") }
      if chooser.next() % 9 == 0 {
        let other = chooser.integer(0...index)
        check(other, held[other]!, "on the way")
      }
    }
    // Then most is let go, and the rest read in any order.
    leaves = []
    for index in held.keys.sorted() where chooser.next() % 3 != 0 && index != program.items.count - 1 {
      held[index] = nil
    }
    for index in held.keys.sorted().shuffled(using: &chooser) { check(index, held[index]!, "at the end") }
    for index in held.keys.sorted() { check(index, held[index]!, "again") }
    for problem in problems.prefix(2) { Issue.record("program \(seed) on \(device): \(problem)") }
  }
}
