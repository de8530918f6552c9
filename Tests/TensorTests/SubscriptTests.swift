import Cajal
import Testing

/// 0…23 as `[2, 3, 4]`: element (i, j, k) is 12i + 4j + k.
private let x = Tensor.arange(24).reshaped(2, 3, 4)

@Suite struct SubscriptTests {
  @Test func integersDropTheirAxis() {
    expect(x[1], (12..<24).map(Double.init), [3, 4])
    expect(x[1, 2], [20, 21, 22, 23], [4])
    expect(x[1, 2, 3], [23], [])
    expect(x[-1, -3, -4], [12], [])
  }

  @Test func rangesKeepTheirAxis() {
    expect(x[0..<1, 1..<3, 0...1], [4, 5, 8, 9], [1, 2, 2])
    expect(x[1, 1..., ..<2], [16, 17, 20, 21], [2, 2])
    expect(x[0, 0, ...2], [0, 1, 2], [3])
    expect(x[0, 0, (-2)...], [2, 3], [2])
    expect(x[0, 0, ..<(-1)], [0, 1, 2], [3])
    expect(x[0, 0, (-3)...(-1)], [1, 2, 3], [3])
    expect(x[0, 0, ...(-1)], [0, 1, 2, 3], [4])
    expect(x[0, 0, 2..<2], [], [0])
  }

  @Test func stepsSkipAndWalkBackwards() {
    expect(x[0, 0, .every(2)], [0, 2], [2])
    expect(x[0, 0, .every(3)], [0, 3], [2])
    expect(x[0, 0, .every(-1)], [3, 2, 1, 0], [4])
    expect(x[0, 0, .every(-2)], [3, 1], [2])
    expect(x[0, 0, .every(2, from: 1)], [1, 3], [2])
    expect(x[0, 0, .every(-2, from: 0, to: 3)], [2, 0], [2])
    expect(x[0, 0, .every(100)], [0], [1])
    expect(x[0, 0, .every(Int.min)], [3], [1])
    expectError(x[0, 0, .every(0)], .index, "step of 0")
  }

  @Test func everyStepAgreesWithSwiftsStride() {
    let line = Tensor.arange(7)
    for step in [-8, -3, -2, -1, 1, 2, 3, 8] {
      for start in 0...7 {
        for end in start...7 {
          let picked =
            step > 0
            ? Array(stride(from: start, to: end, by: step)) : Array(stride(from: end - 1, through: start, by: step))
          expect(line[.every(step, from: start, to: end)], picked.map(Double.init), [picked.count])
        }
      }
    }
  }

  @Test func allNewAxisAndEllipsisShapeTheResult() {
    #expect(x[.all].shape == [2, 3, 4])
    expect(x[.all, 0, 0], [0, 12], [2])
    expect(x[.ellipsis, 1], [1, 5, 9, 13, 17, 21], [2, 3])
    expect(x[1, .ellipsis, 0], [12, 16, 20], [3])
    #expect(x[.newAxis].shape == [1, 2, 3, 4])
    #expect(x[.ellipsis, .newAxis].shape == [2, 3, 4, 1])
    #expect(x[0, .newAxis, .all, .newAxis, 1].shape == [1, 3, 1])
    #expect(x[0, 1, 2, .ellipsis].shape == [])
  }

  @Test func tensorsOfIndicesPickAndRepeat() {
    let order = Tensor([2, 0, 2])
    expect(x[0, order, 0], [8, 0, 8], [3])
    expect(x[0, .all, Tensor([-1, 0])], [3, 0, 7, 4, 11, 8], [3, 2])
    expect(x[0, Tensor([[0, 1], [1, 0]]), 3], [3, 7, 7, 3], [2, 2])
    expect(x[.all, Tensor([1], dtype: .int32), Tensor([2])], [6, 18], [2, 1, 1])
  }

  @Test func whatIsOutsideIsAnErrorThatSaysTheRange() {
    expectError(x[2], .index, "index 2", "axis 0", "[2, 3, 4]", "-2..<2")
    expectError(x[-3], .index, "index -3")
    expectError(x[0, 1..<9], .index, "axis 1", "1..<9")
    expectError(x[0...Int.max], .index)
    expectError(x[...Int.max], .index)
    expectError(x[Int.min...], .index)
    expectError(x[Int.min], .index)
    expectError(x[0, 0, 0, 0], .index, "4 subscripts", "3 axes")
    expectError(x[0, Tensor([3])], .index)
    expectError(x[0, Tensor([1.5])], .dtype)
  }

  @Test func assigningReplacesAPartOfThisVariableAlone() {
    var y = Tensor.zeros([2, 3])
    let before = y
    y[0, 1] = 5
    y[1] = [1, 2, 3]
    y[.all, 2] += 10
    expect(y, [0, 5, 10, 1, 2, 13], [2, 3], .float32)
    expect(before, [0, 0, 0, 0, 0, 0], [2, 3])
  }

  @Test func assigningBroadcastsAndTakesSteps() {
    var y = Tensor.zeros([6], dtype: .int32)
    y[.every(2)] = 1
    y[.every(-2, from: 1)] = [7, 8, 9]
    expect(y, [1, 9, 1, 8, 1, 7], [6], .int32)
    var z = Tensor.zeros([2, 2])
    z[.ellipsis] = Tensor([1.0, 2.0])
    expect(z, [1, 2, 1, 2], [2, 2])
  }

  @Test func assigningWhatDoesNotFitIsAnError() {
    var y = Tensor.zeros([4])
    y[0..<2] = Tensor([1.0, 2.0, 3.0])
    expectError(y, .shape)
    var z = Tensor.zeros([4])
    z[9] = 1
    expectError(z, .index)
    var w = Tensor.zeros([4])
    w[Tensor([0])] = 1
    expectError(w, .index, "scatterAdded")
  }

  @Test func aMovingSliceIsOnePlan() throws {
    let data = Tensor.arange(100, dtype: .float32)
    try eval(data)
    var total: Float = 0
    let meter = EngineMeter()
    try meter.measure { for start in 0..<90 { total += try data[start..<start + 10].sum().item() } }
    // Σ (10 · start + 45) for start in 0..<90.
    #expect(total == 44_100)
    #expect(meter.counters.plansCompiled <= 1)
  }
}
