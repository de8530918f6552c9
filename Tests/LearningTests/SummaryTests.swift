import Cajal
import Testing

private struct Autoencoder: Layer {
  let encoder = Dense(2, activation: .tanh)
  let decoder = Dense(4)
  func callAsFunction(_ input: Tensor) -> Tensor { decoder(encoder(input)) }
}

@Suite struct SummaryTests {
  private func network(_ hidden: Int) -> Sequential {
    Sequential {
      Dense(hidden, activation: .sigmoid)
      Dense(2)
    }
  }

  @Test func theTextbooksNetworksHaveAsManyParameters() {
    #expect(network(5).summary(input: [1, 3]).parameters == 32)
    #expect(network(4).summary(input: [1, 3]).parameters == 26)
  }

  @Test func layersStandWithTheirShapesAndCounts() {
    let model = Sequential {
      Flatten()
      Dense(5, activation: .relu)
      Dropout(0.5)
      Residual { BatchNorm() }
      Dense(2)
    }
    let summary = model.summary(input: [7, 3, 1])
    #expect(
      summary.rows.map(\.path) == [
        "layers.0", "layers.1", "layers.2", "layers.3.body.layers.0", "layers.4",
      ])
    #expect(summary.rows.map(\.output) == [[7, 3], [7, 5], [7, 5], [7, 5], [7, 2]])
    #expect(summary.rows.map(\.parameters) == [0, 20, 0, 10, 12])
    #expect((summary.parameters, summary.buffers) == (42, 10))
    #expect(
      "\(summary)" == """
        layer                   type       output  parameters
        layers.0                Flatten    [7, 3]           0
        layers.1                Dense      [7, 5]          20
        layers.2                Dropout    [7, 5]           0
        layers.3.body.layers.0  BatchNorm  [7, 5]          10
        layers.4                Dense      [7, 2]          12
        42 parameters, 10 in buffers
        """)
  }

  @Test func withoutAnInputOnlyWhatIsKnownStands() {
    let summary = network(4).summary()
    #expect(summary.rows.map(\.output) == [nil, nil] && summary.rows.map(\.parameters) == [nil, nil])
    #expect("\(summary)".hasSuffix("at least 6 parameters"))
  }

  @Test func freeFormModelsAreListedByTheirProperties() {
    let summary = Autoencoder().summary(input: [3, 4])
    #expect(summary.rows.map(\.path) == ["encoder", "decoder"])
    #expect(summary.rows.map(\.output) == [[3, 2], [3, 4]])
    #expect(summary.parameters == 22)
    let one = Dense(3).summary(input: [1, 2])
    #expect(one.rows.map(\.type) == ["Dense"] && one.rows[0].output == [1, 3] && one.parameters == 9)
  }

  @Test func aSummaryChangesNoPathsAndCountsSharedParametersOnce() {
    let shared = Dense(2, inputs: 2)
    let model = Sequential([shared, Residual { shared }])
    #expect(model.summary(input: [1, 2]).parameters == 6)
    #expect(model.namedParameters.map(\.path) == ["layers.0.bias", "layers.0.kernel"])
  }
}
