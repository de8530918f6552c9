import Cajal
import Testing

@Suite struct ErrorTensorTests {
  @Test func anErrorNamesOperationShapesAndRemedy() throws {
    let bad = Tensor.zeros([2, 3]) + Tensor.zeros([4])
    let error = try #require(bad.error)
    #expect(error.operation == "add")
    #expect(error.kind == .shape)
    #expect(error.operands.map(\.shape) == [[2, 3], [4]])
    #expect(error.description.contains("[2, 3]") && error.description.contains("[4]"))
  }

  @Test func anErrorNamesTheUsersLine() throws {
    let bad = Tensor.zeros([2]).matmul(Tensor.zeros([3]))
    let line = #line - 1
    let site = try #require(bad.error?.site)
    #expect(site.contains("ErrorTensorTests.swift:\(line)"), "\(site)")
    #expect(site.contains("anErrorNamesTheUsersLine"))
  }

  @Test func subscriptsFunctionsAndClosuresNameTheUsersLineToo() throws {
    func site(_ tensor: Tensor) throws -> String { try #require(tensor.error?.site) }
    let x = Tensor.zeros([2])
    let indexed = x[5]
    let first = #line - 1
    #expect(try site(indexed).contains("ErrorTensorTests.swift:\(first)"))
    let inside = withSeed(1) { x.sum(axis: 3) }
    let second = #line - 1
    #expect(try site(inside).contains("ErrorTensorTests.swift:\(second)"))
    let ragged = Tensor([[1.0], []])
    let third = #line - 1
    #expect(try site(ragged).contains("ErrorTensorTests.swift:\(third)"))
  }

  @Test func everythingMadeFromAnErrorCarriesIt() throws {
    let bad = Tensor.zeros([2]) + Tensor.zeros([3])
    let first = try #require(bad.error?.description)
    var tensors: [Tensor] = [
      bad * 2, -bad, 1 / bad, bad[0], bad[.ellipsis, .newAxis], bad.sum(), bad.mean(axis: 3), bad.reshaped(7), bad.T,
      bad.reshaped(-1, 2), bad.flattened(), bad.expanded(at: 4), bad.squeezed(0), bad.flipped(0), bad.padded([(1, 1)]),
      bad.transposed(1, 0), bad.matmul(.ones([2, 2])), Tensor.ones([2, 2]).matmul(bad), .stack([.ones([2]), bad]),
      .concatenate([bad]), bad.split(into: 2)[0], bad.split([1, 1])[1], bad.take(Tensor([0])),
      Tensor.ones([2]).take(bad),
      bad.oneHot(3), bad.softmax(), bad.argmax(), bad.cast(to: .int8), bad.to(.reference), bad.broadcast(to: [2, 2]),
      bad.stoppingGradient(), bad.clamped(to: 0...1), select(bad, 1, 2), softmaxCrossEntropy(bad, Tensor([0])),
      [bad, 1],
      gradient(at: bad) { $0.sum() }, gradient(at: Tensor.ones([2])) { ($0 * bad).sum() },
      scan([bad], over: [], length: 2) { c, _ in (c, []) }.carries[0], maximum(bad, 0), bad.scatterAdded(bad, at: bad),
    ]
    var assigned = bad
    assigned[0] = 1
    var replaced = Tensor.ones([2])
    replaced[0] = bad
    var many = bad
    for _ in 0..<1000 { many = (many + 1).relu() }
    tensors += [assigned, replaced, many]
    for (index, tensor) in tensors.enumerated() {
      let error = #expect(throws: TensorError.self, "tensor \(index)") { _ = try tensor.scalars(Float.self) }
      #expect(error?.description == first, "tensor \(index)")
    }
  }

  @Test func anErrorAnswersOneOnAnyAxis() {
    let bad = Tensor.zeros([2]) + Tensor.zeros([3])
    #expect(bad.shape[0] == 1 && bad.shape[5] == 1 && bad.shape[-2] == 1)
    #expect(bad.count == 1)
  }

  @Test func everyWayOfReadingThrows() async {
    let bad = Tensor.zeros([2]) + Tensor.zeros([3])
    #expect(throws: TensorError.self) { try bad.item() }
    #expect(throws: TensorError.self) { try bad.bytes() }
    #expect(throws: TensorError.self) { try eval(Tensor.ones([1]), bad) }
    #expect(throws: TensorError.self) { try bad.evaluated() }
    await #expect(throws: TensorError.self) { try await bad.value() }
    expectError(
      Tensor(error: TensorError(.input, operation: "batch", "it is torn", remedy: "Mend it")) + 1, .input, "torn")
  }

  @Test func readingMoreThanOneNumberAsOneIsAnErrorWithTheLine() {
    let x = Tensor([1, 2])
    let line = #line + 2
    do {
      _ = try x.item()
      Issue.record("two numbers were read as one")
    } catch {
      #expect(error.site?.contains("ErrorTensorTests.swift:\(line)") == true)
      #expect(error.description.contains("2 elements"))
    }
  }

  @Test func hugeShapesAreErrorsWithoutAllocating() {
    let before = Runtime.memory(of: .cpu).peakBytes
    let big = 1 << 31
    expectError(.zeros([big, big]), .memory, "larger than any memory")
    expectError(.zeros([big, big, big]), .shape)
    expectError(Tensor.zeros([1 << 20, 1]) + Tensor.zeros([1, 1 << 30]), .memory)
    expectError(Tensor.ones([1 << 24, 1]).matmul(.ones([1, 1 << 24])), .memory)
    expectError(.arange(Int.max), .memory)
    expectError(.eye(Int.max), .shape)
    expectError(.uniform([Int.max]), .memory)
    expectError(Tensor([1]).broadcast(to: [Int.max]), .memory)
    expectError(Tensor([1.0, 2.0, 3.0]).padded([(Int.max, Int.max)]), .memory)
    expectError(Tensor([0]).oneHot(Int.max), .memory)
    expectError(Tensor.ones([2, 2]).reshaped(Int.max, -1), .shape)
    expectError(.zeros([Int.max, Int.max, 0]).reshaped(3), .shape)
    expectError(.zeros([-3]), .shape)
    #expect(Runtime.memory(of: .cpu).peakBytes - before < 1 << 20)
  }

  @Test func aShapeWithoutElementsMayHaveHugeExtents() {
    let empty = Tensor.zeros([1 << 44, 0])
    #expect(empty.count == 0)
    expect(empty + 1, [], [1 << 44, 0])
    expect(empty.T, [], [0, 1 << 44])
    expectError(.zeros([Int.max, 0]), .memory)
    expectError(empty.sum(axis: 1, keepingAxes: true) + Tensor.ones([16]), .memory)
  }

  @Test func numbersThatOverflowInSumsAreErrorsToo() {
    let x = Tensor.ones([2, 3])
    expect(x.variance(correction: .min), [0], [])
    expect(x[.every(.max)], [1, 1, 1], [1, 3])
    expectError(x.split([.max, .max, 4])[0], .shape)
    expectError(x.split([-1, 3])[0], .shape)
    expectError(x.padded([(.max, .max), (1, 1)]), .memory)
  }

  @Test func mixingDevicesIsAnError() {
    let here = Tensor([1.0])
    let there = withDevice(.reference) { Tensor([2.0]) }
    expectError(here + there, .device, "reference", "cpu", ".to(_:)")
    expect(here + there.to(.cpu), [3], [1])
    #expect(here.to(.fake).device == .fake)
  }
}
