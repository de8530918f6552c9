import CajalBase
import CajalData
import CajalEngine
import CajalNN
import CajalOptimizers
import CajalTensor
import Testing

/// What is structure and what is data: when a plan is compiled, and when it is found.
@Suite struct PlanTests {
  @Test func aMovingSliceIsOnePlan() throws {
    let data = Tensor((0..<1000).map { Float($0) })
    let compiled = try plansCompiled {
      for start in stride(from: 0, to: 900, by: 10) {
        let sum = try (data[start..<start + 10] * 2).sum().item()
        #expect(sum == Float(20 * start + 90))
      }
    }
    #expect(compiled == 1)
  }

  @Test func plansOfOneOperationMoreAreOthers() throws {
    // The number of an operand and that of a result stood for each other.
    let x = Tensor([0.5, 1.0])
    for _ in 0..<2 {
      let joined = Tensor.concatenate([x, x, x.tanh()])
      #expect(try joined.scalars(Float.self).count == 6)
      let (t, twice) = (x.tanh(), Tensor.concatenate([x, x]))
      try eval(t, twice)
      #expect(try twice.scalars(Float.self) == [0.5, 1, 0.5, 1])
      #expect(try t.scalars(Float.self).count == 2)
    }
  }

  @Test func assigningToAMovingPlaceIsOnePlan() throws {
    var row = Tensor.zeros([8])
    let compiled = try plansCompiled {
      for place in 0..<8 {
        row[place] = Tensor([Float(place)])[0]
        try eval(row)
      }
    }
    #expect(try row.scalars(Float.self) == [0, 1, 2, 3, 4, 5, 6, 7])
    #expect(compiled <= 2)
  }

  @Test func aTrainingRunCompilesTwoPlansForItsStepAndNoneLater() throws {
    let inputs = withSeed(2) { Tensor.uniform([100, 8]) }
    let data = LabeledData(inputs: try inputs.evaluated(), labels: Tensor((0..<100).map { $0 % 4 }), classes: 4)
    let model = withSeed(1) { Classifier() }
    let optimizer = Adam()
    try eval(model.parameters.map(\.value))
    var perEpoch: [Int] = []
    for epoch in 0..<4 {
      perEpoch.append(
        plansCompiled {
          for (x, y) in data.batches(of: 32, shuffled: true, epoch: epoch) {
            optimizer.learningRate *= 0.99
            step(model, optimizer, x, y)
          }
        })
    }
    // A plan for full batches, one for the short last batch.
    #expect(perEpoch[0] <= 3)
    #expect(perEpoch.dropFirst().allSatisfy { $0 == 0 })
  }

  @Test func randomDrawsChangeFromStepToStepWithinOnePlan() throws {
    var sums: Set<Float> = []
    let compiled = try withSeed(9) {
      try plansCompiled { for _ in 0..<10 { sums.insert(try Tensor.uniform([100]).sum().item()) } }
    }
    #expect(compiled == 1)
    #expect(sums.count == 10)
  }

  @Test func aLiteralIsStructureAndAVariableIsData() throws {
    let x = Tensor([1.25])
    let literals = try plansCompiled {
      _ = try (x * 3.5).item()
      _ = try (x * 4.5).item()
    }
    #expect(literals == 2)
    let variables = try plansCompiled { for factor: Float in [3.25, 4.25] { _ = try (x * factor - 0.125).item() } }
    #expect(variables == 1)
  }

  @Test func plansAreFoundByTheWholeKey() throws {
    let x = Tensor([1.0, 2, 3, 4, 5, 6])
    #expect(try x.reshaped(2, 3).sum(axis: 0).scalars(Float.self) == [5, 7, 9])
    #expect(try x.reshaped(3, 2).sum(axis: 0).scalars(Float.self) == [9, 12])
    #expect(try x.reshaped(2, 3).sum(axis: 1).scalars(Float.self) == [6, 15])
    let compiled = try plansCompiled {
      let sums = try (x.reshaped(2, 3) * 1).sum(axis: 1).scalars(Float.self)
      #expect(sums == [6, 15])
    }
    #expect(compiled <= 1)
  }
}
