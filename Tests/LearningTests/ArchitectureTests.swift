import Cajal
import CajalFormats
import Foundation
import Testing

private struct Scale: DescribedLayer {
  static let kind = "test.scale"
  let configuration: Double
  func callAsFunction(_ input: Tensor) -> Tensor { input * configuration }
}

private func everyLayer() -> Sequential {
  withSeed(3) {
    Sequential {
      Dense(8, inputs: 6, activation: .leakyRelu(slope: 0.3))
      BatchNorm()
      Residual {
        LayerNorm()
        Dense(8, activation: .gelu)
        Dropout(0.5)
      }
      Residual(shortcut: Dense(4, usesBias: false)) { Maxout(4, pieces: 3) }
      Parallel(.concatenate) {
        Sequential {
          Dense(4, activation: .tanh)
          GaussianNoise(0.1)
        }
        PReLU()
      }
      Parallel(.sum) {
        RMSNorm()
        Activation.softShrink(lambda: 0.1)
      }
      Reshape(2, 4)
      Flatten()
    }
  }
}

@Suite struct ArchitectureTests {
  @Test func aModelComesBackFromItsFileAlone() throws {
    try withTemporaryFolder { folder in
      let model = everyLayer()
      let x = withSeed(1) { Tensor.normal([5, 6]) }
      let expected = model(x).numbers
      #expect(expected.count == 40)
      try model.save(folder + "/model", metadata: ["made.by": "a test"])
      let loaded = try Sequential.load(folder + "/model")
      #expect(loaded(x).numbers == expected)
      #expect(loaded.namedParameters.map(\.path) == model.namedParameters.map(\.path))
      #expect(try Architecture.load(folder + "/model") is Sequential)
      #expect(try SafetensorsFile.read(folder + "/model").metadata["made.by"] == "a test")
      // The same text again: nothing was lost on the way.
      #expect(try Architecture.text(of: loaded) == Architecture.text(of: model))
    }
  }

  @Test func embeddingsAndWidthsComeBack() throws {
    try withTemporaryFolder { folder in
      let model = Sequential {
        Embedding(5, 3, padding: 0, dtype: .float64)
        Dense(2, inputs: 3, dtype: .float64)
      }
      try model.save(folder + "/model")
      let loaded = try Sequential.load(folder + "/model")
      let x = Tensor([0, 4, 2])
      #expect(loaded(x).dtype == .float64 && loaded(x).numbers == model(x).numbers)
    }
  }

  @Test(arguments: Activation.names)
  func anActivationComesBack(_ name: String) throws {
    let activation = try #require(Activation(named: name))
    let x = Tensor([[-2.0, -0.3, 0.4, 3.0]])
    let text = try Architecture.text(of: activation)
    let made = try #require(try Architecture.make(text) as? Activation)
    #expect(made.name == name && made.parameters == activation.parameters)
    #expect(made(x).numbers == activation(x).numbers && !made(x).numbers.isEmpty)
  }

  @Test func descriptionsAreShortAndReadable() throws {
    let model = Sequential {
      Dense(2, inputs: 3, activation: .elu(alpha: 0.5))
      Activation.softmax
    }
    #expect(
      try Architecture.text(of: model) == """
        {"sequential":[{"dense":{"activation":{"elu":{"alpha":0.5}},"dtype":"float32","inputs":3,"units":2,\
        "usesBias":true}},{"activation":"softmax"}]}
        """)
  }

  @Test func aModelThatNoFileCanSaySavesItsWeights() throws {
    try withTemporaryFolder { folder in
      let shared = Dense(2, inputs: 2)
      let models: [(Sequential, String)] = [
        (Sequential([Dense(2, inputs: 2, activation: Activation { $0 * 2 })]), "a function of your own"),
        (Sequential([shared, shared]), "share"),
      ]
      for (model, reason) in models {
        expectError(reason) { _ = try Architecture.text(of: model) }
        try model.save(folder + "/model")
        try model.load(folder + "/model")
        expectError("not what model they belong to", "model.load") { _ = try Sequential.load(folder + "/model") }
      }
    }
  }

  @Test func aLayerOfYourOwnIsRegistered() throws {
    let text = "{\"test.scale\":2.5}"
    expectError("there is no layer \"test.scale\"", "Architecture.register") { _ = try Architecture.make(text) }
    Architecture.register(Scale.self)
    let made: any Layer = try Architecture.make(text)
    #expect(made(Tensor([2.0])).numbers == [5])
    #expect(try Architecture.text(of: Sequential([Scale(configuration: 3)])) == "{\"sequential\":[{\"test.scale\":3}]}")
  }

  @Test func anotherKindOfModelIsNamed() throws {
    try withTemporaryFolder { folder in
      try Dense(2, inputs: 2).save(folder + "/dense")
      expectError("it holds a Dense, not a Sequential", "Dense.load") {
        _ = try Sequential.load(folder + "/dense")
      }
    }
  }

  @Test func loadingDrawsNothingFromTheProgramsGenerator() throws {
    try withTemporaryFolder { folder in
      try Dense(2, inputs: 2).save(folder + "/dense")
      func draw(_ body: () throws -> Void) rethrows -> [Double] {
        try withSeed(1) {
          try body()
          return Tensor.uniform([2]).numbers
        }
      }
      #expect(try draw { _ = try Dense.load(folder + "/dense") } == draw {})
    }
  }

  /// A description and what the error says of it.
  static let hostile: [(String, String)] = [
    ("", "architecture is wrong"), ("7", "architecture is wrong"), ("{}", "one member"),
    ("{\"dense\":{},\"flatten\":{}}", "one member"), ("{\"os.remove\":{}}", "there is no layer \"os.remove\""),
    ("{\"dense\":{\"units\":3}}", "dense"), (dense(units: "-1"), "units of dense is -1"),
    (dense(units: "0"), "units of dense is 0"), (dense(units: "9223372036854775807"), "units of dense"),
    (dense(units: "1e400"), "wrong"), (dense(units: "\"3\""), "units"),
    (dense(units: "3", activation: "\"evil\""), "there is no activation \"evil\""),
    (dense(units: "3", activation: "{\"elu\":{}}"), "takes [\"alpha\"]"),
    ("{\"dropout\":2}", "rate of 2"), ("{\"reshape\":[-3]}", "an extent of reshape is -3"),
    ("{\"reshape\":[1,1,1,1,1,1,1,1]}", "8 axes"),
    ("{\"maxout\":{\"units\":2147483648,\"pieces\":2,\"dtype\":\"float32\"}}", "units · pieces"),
    ("{\"maxout\":{\"units\":2,\"pieces\":2,\"dtype\":\"float31\"}}", "no such dtype"),
    (nested(100), "more than 64 deep"), (nested(5000), "wrong"),
    ("{\"sequential\":\"" + String(repeating: "x", count: 10_000_001) + "\"}", "longer than"),
  ]

  private static func dense(units: String, activation: String = "\"relu\"") -> String {
    "{\"dense\":{\"units\":\(units),\"activation\":\(activation),\"usesBias\":true,\"dtype\":\"float32\"}}"
  }

  private static func nested(_ depth: Int) -> String {
    String(repeating: "{\"sequential\":[", count: depth) + "{\"flatten\":{}}" + String(repeating: "]}", count: depth)
  }

  @Test func hostileDescriptionsAreClearErrors() throws {
    for (text, reason) in ArchitectureTests.hostile {
      let error = #expect(throws: ArchitectureError.self, "\(text.prefix(60))") { _ = try Architecture.make(text) }
      #expect("\(error.map { "\($0)" } ?? "")".contains(reason), "\(text.prefix(60))")
    }
    #expect(throws: Never.self) { try Architecture.make(ArchitectureTests.nested(60)) }
  }

  @Test func aHostileDescriptionInAFileNamesTheFile() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/hostile"
      try SafetensorsWriter.write([], metadata: [Architecture.metadataKey: "{\"evil\":{}}"], to: path)
      expectError(path, "there is no layer \"evil\"") { _ = try Sequential.load(path) }
      // A description of more than the file holds.
      try SafetensorsWriter.write(
        [], metadata: [Architecture.metadataKey: ArchitectureTests.dense(units: "2147483648")], to: path)
      expectError(path, "it has no bias") { _ = try Dense.load(path) }
    }
  }
}
