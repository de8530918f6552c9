import Cajal
import Testing

private struct Block: Module {
  let first = Dense(2, inputs: 2)
  let scale = Parameter([1], .ones)
  let count = Parameter([1], .zeros, isTrainable: false)
}

private struct Tree: Module {
  let blocks: [Block]
  let named: [String: Dense]
  let maybe: Dense?
  let never: Dense? = nil
  let pair: (Parameter, Int)
  let numbers = [Float](repeating: 0, count: 100_000)
  let note = "no parameter"
  let table = Tensor.ones([3])

  init() {
    blocks = [Block(), Block()]
    named = ["b": Dense(1, inputs: 1, usesBias: false), "a": Dense(1, inputs: 1, usesBias: false)]
    maybe = Dense(1, inputs: 1)
    pair = (Parameter([1], .zeros), 3)
  }
}

private struct Tied: Module {
  let input: Dense
  let output: Dense
  init() {
    input = Dense(2, inputs: 2)
    output = input
  }
}

@Suite struct ModuleTests {
  @Test func parametersAreFoundByReflectionSortedByPath() {
    #expect(
      Tree().namedParameters.map(\.path) == [
        "blocks.0.count", "blocks.0.first.bias", "blocks.0.first.kernel", "blocks.0.scale", "blocks.1.count",
        "blocks.1.first.bias", "blocks.1.first.kernel", "blocks.1.scale", "maybe.bias", "maybe.kernel",
        "named.a.kernel",
        "named.b.kernel", "pair..0",
      ])
  }

  @Test func parametersInContainersOfAnyKindAreListed() {
    struct Heads: Module { let heads = ["a": Dense(1, inputs: 1), "b": Dense(1, inputs: 1)] }
    struct Rest: Module { let layers = ContiguousArray([Dense(1, inputs: 1)]) + [Dense(1, inputs: 1)][...] }
    let (tree, heads, rest) = (Tree(), Heads(), Rest())
    #expect(
      Set(tree.parameters.map { ObjectIdentifier($0) }) == Set(tree.namedParameters.map { ObjectIdentifier($0.1) }))
    // The second time as the first.
    for _ in 0..<2 { #expect((heads.trainableParameters.count, rest.trainableParameters.count) == (4, 4)) }
  }

  @Test func buffersDoNotLearn() {
    let block = Block()
    #expect(block.parameters.count == 4)
    #expect(block.trainableParameters.count == 3)
    #expect(block.parameterCount == 7)
  }

  @Test func aSharedParameterIsListedOnce() {
    let tied = Tied()
    #expect(tied.namedParameters.map(\.path) == ["input.bias", "input.kernel"])
  }

  @Test func numbersInPathsCountAsPeopleDo() {
    let model = Sequential((0..<12).map { _ in Dense(1, inputs: 1, usesBias: false) })
    #expect(model.namedParameters.map(\.path) == (0..<12).map { "layers.\($0).kernel" })
  }

  @Test func sequentialIsWrittenWithLoopsAndConditions() {
    func model(_ depth: Int, flat: Bool, last: Bool) -> Sequential {
      Sequential {
        if flat { Flatten() }
        for _ in 0..<depth { Dense(4, activation: .relu) }
        if last { Dense(2) } else { Dense(3) }
        [Activation.softmax, Activation.identity] as [any Layer]
      }
    }
    #expect(model(2, flat: true, last: true).layers.count == 6)
    #expect(model(0, flat: false, last: false).layers.count == 3)
    #expect(model(2, flat: true, last: true)(Tensor.ones([5, 2, 3])).shape == [5, 2])
    #expect(model(1, flat: false, last: false)(Tensor.ones([5, 3])).shape == [5, 3])
  }

  @Test func errorsNameTheModuleTheyHappenedIn() throws {
    let model = Sequential {
      Dense(4, inputs: 2)
      Dense(3, inputs: 5)
    }
    let error = try #require(model(Tensor.ones([1, 2])).error)
    #expect(error.module?.contains("layers.1") == true, "\(error)")
    #expect(error.site?.contains("ModuleTests.swift") == true, "\(error)")
  }

  @Test func flattenKeepsTheFirstAxis() {
    #expect(Flatten()(Tensor.ones([2, 3, 4])).shape == [2, 12])
    #expect(Flatten()(Tensor.ones([2])).error != nil || Flatten()(Tensor.ones([2])).shape == [2, 1])
  }
}
