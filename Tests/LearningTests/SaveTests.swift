import Cajal
import CajalFormats
import Foundation
import Testing

private func network(_ seed: UInt64) -> Sequential {
  withSeed(seed) {
    Sequential {
      Dense(3, inputs: 2, activation: .tanh)
      Dense(2, inputs: 3, dtype: .float32)
    }
  }
}

@Suite struct SaveTests {
  @Test func whatIsSavedIsLoadedBitForBit() throws {
    try withTemporaryFolder { folder in
      let (saved, loaded) = (network(1), network(2))
      #expect(saved.parameters.map(\.value.numbers) != loaded.parameters.map(\.value.numbers))
      try saved.save(folder + "/a.safetensors", metadata: ["made.by": "a test"])
      let metadata = try loaded.load(folder + "/a.safetensors")
      #expect(metadata["made.by"] == "a test")
      #expect(saved.parameters.map(\.value.numbers) == loaded.parameters.map(\.value.numbers))
      #expect(
        try SafetensorsFile.read(folder + "/a.safetensors").tensors.map(\.name).sorted()
          == ["layers.0.bias", "layers.0.kernel", "layers.1.bias", "layers.1.kernel"])
    }
  }

  @Test func buffersAndEveryDtypeAreSaved() throws {
    struct Odd: Module { let parts: [Parameter] }
    try withTemporaryFolder { folder in
      let odd = Odd(parts: DType.allCases.map { Parameter(Tensor([1, 0, 1], dtype: $0), isTrainable: false) })
      try odd.save(folder + "/odd")
      let other = Odd(parts: DType.allCases.map { Parameter(Tensor([0, 1, 0], dtype: $0), isTrainable: false) })
      try other.load(folder + "/odd")
      #expect(other.parameters.allSatisfy { $0.value.numbers == [1, 0, 1] })
      #expect(other.parameters.map(\.dtype) == odd.parameters.map(\.dtype))
    }
  }

  @Test func shapesNotKnownYetAreLearnedFromTheFile() throws {
    try withTemporaryFolder { folder in
      let saved = Dense(3, inputs: 2)
      try saved.save(folder + "/dense")
      let late = Dense(3)
      try late.load(folder + "/dense")
      #expect(late.kernel.value.numbers == saved.kernel.value.numbers)
      expectError("before its shape is known", "number of inputs") { try Dense(3).save(folder + "/late") }
      #expect(files(in: folder) == ["dense"])
    }
  }

  @Test func floatsOfAnotherWidthAreConverted() throws {
    try withTemporaryFolder { folder in
      try Dense(1, inputs: 1, kernelInitializer: .ones, dtype: .float64).save(folder + "/wide")
      let narrow = Dense(1, inputs: 1, dtype: .float16)
      try narrow.load(folder + "/wide")
      #expect(narrow.kernel.value.dtype == .float16 && narrow.kernel.value.numbers == [1])
    }
  }

  @Test func filesThatDoNotFitChangeNothing() throws {
    try withTemporaryFolder { folder in
      let model = network(1)
      let before = model.parameters.map(\.value.numbers)
      let path = folder + "/file"
      func refuse(_ tensors: [SafetensorsWriter.Tensor], _ parts: String...) throws {
        try SafetensorsWriter.write(tensors, to: path)
        let error = #expect(throws: FormatError.self) { try model.load(path) }
        for part in parts { #expect("\(error.map { "\($0)" } ?? "")".contains(part)) }
        #expect(model.parameters.map(\.value.numbers) == before)
      }
      let good = entries(model)
      try refuse(Array(good.dropLast()), path, "it has no layers.1.kernel")
      try refuse(good + [entry("extra", [1])], "it holds extra")
      try refuse(good.dropFirst() + [entry("layers.0.bias", [4])], "[4]", "[3]")
      try refuse(good.dropFirst() + [entry("layers.0.bias", [3], dtype: "I32")], "int32", "float32")
      try refuse(good.dropFirst() + [entry("layers.0.bias", [3, 1, 1, 1, 1, 1, 1, 1, 1])], "layers.0.bias")
    }
  }

  private func entries(_ model: Sequential) -> [SafetensorsWriter.Tensor] {
    model.namedParameters.map { entry($0.path, $0.parameter.shape?.array ?? []) }
  }

  private func entry(_ name: String, _ shape: [Int], dtype: String = "F32") -> SafetensorsWriter.Tensor {
    SafetensorsWriter.Tensor(
      name: name, dtype: dtype, shape: shape, bytes: [UInt8](repeating: 0, count: shape.reduce(4, *)))
  }

  @Test func anErrorInAWeightIsThrownBySaveAndLeavesNoFile() throws {
    try withTemporaryFolder { folder in
      let model = Dense(1, inputs: 1)
      model.kernel.value = Tensor.ones([2]) + Tensor.ones([3])
      expectError("add") { try model.save(folder + "/x") }
      #expect(files(in: folder) == [])
    }
  }
}
