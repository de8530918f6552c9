import CajalBase
import CajalEngine
import CajalIR
import CajalLosses
import CajalNN
import CajalOptimizers
import CajalTensor
import Testing

/// Tasks that share, read and differentiate the same tensors: also run under the thread sanitizer.
@Suite struct ConcurrencyTests {
  @Test func tasksReadTheSamePendingTensorsOnce() async throws {
    let x = withSeed(7) { Tensor.normal([64, 64]) }
    let shared = (x.matmul(x) * 0.01).tanh()
    let expected = try (x.matmul(x) * 0.01).tanh().sum().item()
    let sums = try await withThrowingTaskGroup(of: Float.self) { group in
      for _ in 0..<8 { group.addTask { try await (shared * 1).sum().value() } }
      return try await group.reduce(into: [Float]()) { $0.append($1) }
    }
    #expect(sums.allSatisfy { $0 == expected })
  }

  @Test func tasksDifferentiateTheSameParameters() async throws {
    let model = withSeed(1) { Classifier() }
    let (x, y) = makeBatch()
    let norms = try await withThrowingTaskGroup(of: Float.self) { group in
      for _ in 0..<8 {
        group.addTask {
          let (_, gradients) = valueAndGradient(of: model) { softmaxCrossEntropy(model(x), y) }
          return try gradients[model.hidden.kernel]?.squared().sum().item() ?? -1
        }
      }
      return try await group.reduce(into: [Float]()) { $0.append($1) }
    }
    #expect(Set(norms).count == 1 && norms[0] > 0)
  }

  @Test func readersAndATrainerShareAModel() async throws {
    let model = withSeed(1) { Classifier() }
    let (x, y) = makeBatch()
    let reader = Task.detached { () throws -> Bool in
      for _ in 0..<50 {
        let scores = model(x).softmax().sum(axis: 1)
        for sum in try scores.scalars(Float.self) where abs(sum - 1) > 1e-4 { return false }
      }
      return true
    }
    let optimizer = Adam(learningRate: 0.01)
    var last: Float = 0
    for _ in 0..<50 { last = try step(model, optimizer, x, y).item() }
    #expect(try await reader.value)
    #expect(last.isFinite)
  }

  @Test func twoTrainersOfOneModelLoseNoStep() async throws {
    let model = Linear(Tensor([[0.0]]))
    let x = Tensor([[1.0]])
    // Each step subtracts 1, whatever the weight is: none may be lost. Updates of one optimizer are
    // taken one at a time.
    let optimizer = SGD(learningRate: 1)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<25 {
            let (_, gradients) = valueAndGradient(of: model) { model(x).sum() }
            optimizer.update(model, gradients)
          }
        }
      }
    }
    #expect(try model.weight.value.item() == -100)
  }

  @Test func threadCountChangesNoBit() throws {
    func train() throws -> [Float] {
      let model = withSeed(1) { Classifier() }
      let optimizer = Adam(learningRate: 0.01)
      let (x, y) = makeBatch(300)
      for _ in 0..<20 { step(model, optimizer, x, y) }
      return try model.weights()
    }
    let threads = Runtime.threads
    defer { Runtime.threads = threads }
    Runtime.threads = 1
    let one = try train()
    Runtime.threads = 2
    #expect(try train() == one)
  }

  @Test func tasksWithSplitGeneratorsDrawTheSameWhicheverRunsFirst() async throws {
    func draws(delays: [UInt64]) async throws -> [[Float]] {
      let generator = Generator(seed: 11)
      return try await withThrowingTaskGroup(of: (Int, [Float]).self) { group in
        for (index, delay) in delays.enumerated() {
          let own = generator.split()
          group.addTask {
            try await Task.sleep(for: .milliseconds(delay))
            return (index, try withGenerator(own) { try Tensor.uniform([4]).scalars(Float.self) })
          }
        }
        var all = [[Float]](repeating: [], count: delays.count)
        for try await (index, numbers) in group { all[index] = numbers }
        return all
      }
    }
    let forwards = try await draws(delays: [0, 10, 20])
    let backwards = try await draws(delays: [20, 10, 0])
    #expect(forwards == backwards)
    #expect(Set(forwards.map(\.description)).count == 3)
  }
}
