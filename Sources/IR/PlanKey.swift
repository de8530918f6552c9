import CajalBase

/// The words that say what a graph is: two graphs with the same words run as the
/// same plan. Only structure goes in; what changes from step to step does not.
public struct PlanKey: Sendable {
  @usableFromInline var words: ContiguousArray<UInt64> = []

  public init() {}

  /// Begins anew, in the same memory.
  public mutating func removeAll() { words.removeAll(keepingCapacity: true) }

  @inlinable
  public mutating func write(_ word: UInt64) { words.append(word) }

  @inlinable
  public mutating func write(_ number: Int) { words.append(UInt64(bitPattern: Int64(number))) }

  public mutating func write(_ flag: Bool) { words.append(flag ? 1 : 0) }

  public mutating func write(_ numbers: [Int]) {
    write(numbers.count)
    for number in numbers { write(number) }
  }

  public mutating func write(_ flags: [Bool]) {
    write(flags.count)
    for flag in flags { write(flag) }
  }

  @inlinable
  public mutating func write(_ dtype: DType) { words.append(UInt64(dtype.rawValue)) }

  public mutating func write(_ shape: Shape) {
    write(shape.rank)
    for axis in 0..<shape.rank { write(shape[axis]) }
  }

  public mutating func write(_ type: TensorType) {
    // The dtype and the rank share a word.
    write(UInt64(type.dtype.rawValue) << 8 | UInt64(type.shape.rank))
    for axis in 0..<type.shape.rank { write(type.shape[axis]) }
  }

  /// What kind of operation follows: its Swift type, unique in this process.
  public mutating func write(_ operation: any Operation) {
    write(UInt64(UInt(bitPattern: ObjectIdentifier(Swift.type(of: operation)))))
    operation.encode(into: &self)
  }

  public mutating func write(_ graph: Graph) {
    write(graph.inputs.count)
    for input in graph.inputs { write(input) }
    write(graph.instructions.count)
    for instruction in graph.instructions {
      write(instruction.operation)
      write(instruction.operands.count)
      for operand in instruction.operands { write(operand.word) }
    }
    write(graph.outputs.count)
    for output in graph.outputs { write(output.word) }
  }
}

extension PlanKey: Hashable {
  public static func == (left: PlanKey, right: PlanKey) -> Bool {
    guard left.words.count == right.words.count else { return false }
    // Without a branch a word: keys of one bucket are nearly always equal.
    return left.words.withUnsafeBufferPointer { a in
      right.words.withUnsafeBufferPointer { b in
        var difference: UInt64 = 0
        for index in a.indices { difference |= a[index] ^ b[index] }
        return difference == 0
      }
    }
  }

  /// Multiplies and folds four words at a time. Only finds the bucket, so it need not resist anybody; a step's
  /// key has a thousand words, and the standard hash would take longer than the rest of finding a plan.
  public func hash(into hasher: inout Hasher) {
    // Odd numbers of Steele and Vigna 2021 (the generators LXM), as good as any.
    let factors: (UInt64, UInt64) = (0xD134_2543_DE82_EF95, 0xAF25_1AF3_B0F0_25B5)
    var (a, b, c, d) = (UInt64(words.count), UInt64(1), UInt64(2), UInt64(3))
    words.withUnsafeBufferPointer { words in
      var index = 0
      while index + 4 <= words.count {
        a = (a ^ words[index]) &* factors.0
        b = (b ^ words[index + 1]) &* factors.0
        c = (c ^ words[index + 2]) &* factors.0
        d = (d ^ words[index + 3]) &* factors.0
        (a, b, c, d) = (a ^ a >> 32, b ^ b >> 32, c ^ c >> 32, d ^ d >> 32)
        index += 4
      }
      while index < words.count {
        a = (a ^ words[index]) &* factors.1
        a ^= a >> 32
        index += 1
      }
    }
    hasher.combine(((a &* factors.1 ^ b) &* factors.1 ^ c) &* factors.1 ^ d)
  }
}
