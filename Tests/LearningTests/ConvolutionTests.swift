import Cajal
import Testing

@Suite struct ConvolutionTests {
  @Test func aDetectorOfEdgesFindsThem() {
    // Dark on the left, bright on the right.
    let image = Tensor([[0.0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]).reshaped(1, 3, 4, 1)
    let detector = Tensor([[-1.0, 1], [-1, 1]]).reshaped(2, 2, 1, 1)
    #expect(image.convolved(with: detector).numbers == [0, 2, 0, 0, 2, 0])
  }

  @Test func paddingsGiveTheExtentsThatTheyPromise() {
    let x = Tensor.zeros([2, 7, 6, 3])
    let w = Tensor.zeros([3, 2, 3, 5])
    #expect(x.convolved(with: w).shape == [2, 5, 5, 5])
    #expect(x.convolved(with: w, padding: .same).shape == [2, 7, 6, 5])
    #expect(x.convolved(with: w, strides: [2, 3], padding: .same).shape == [2, 4, 2, 5])
    #expect(x.convolved(with: w, padding: 1).shape == [2, 7, 7, 5])
    #expect(x.convolved(with: w, padding: .explicit(2, 0)).shape == [2, 9, 5, 5])
    #expect(x.convolved(with: w, dilations: [3, 5]).shape == [2, 1, 1, 5])
  }

  @Test func aCausalConvolutionSeesNothingThatComesLater() {
    let x = Tensor([1.0, 2, 3, 4, 5]).reshaped(1, 5, 1)
    let w = Tensor([1.0, 10]).reshaped(2, 1, 1)
    // y[t] = x[t − 2] + 10 · x[t]
    #expect(x.convolved(with: w, padding: .causal, dilations: 2).numbers == [10, 20, 31, 42, 53])
  }

  @Test func aTransposedConvolutionUndoesTheShape() {
    let x = Tensor.zeros([1, 8, 10, 3])
    let w = Tensor.zeros([3, 3, 3, 4])
    let y = x.convolved(with: w, strides: 2, padding: 1)
    #expect(y.shape == [1, 4, 5, 4])
    #expect(y.convolvedTransposed(with: w, strides: 2, padding: 1).shape == [1, 7, 9, 3])
    #expect(y.convolvedTransposed(with: w, strides: 2, padding: 1, outputPadding: 1).shape == x.shape)
    #expect(y.convolvedTransposed(with: w, strides: 2, padding: .same).shape == x.shape)
  }

  @Test func whatDoesNotFitIsAClearError() {
    let x = Tensor.zeros([1, 4, 4, 3])
    func problem(_ result: Tensor) -> String { result.error.map { "\($0)" } ?? "no error" }
    #expect(problem(x.convolved(with: Tensor.zeros([5, 5, 3, 2]))).contains("a window of 5 does not fit into 4"))
    #expect(problem(x.convolved(with: Tensor.zeros([3, 3, 2, 2]))).contains("take 2 channels, the input has 3"))
    #expect(problem(x.convolved(with: Tensor.zeros([3, 3, 3, 2]), strides: 0)).contains("strides are [0, 0]"))
    #expect(problem(x.convolved(with: Tensor.zeros([3, 3, 1, 4]), groups: 3)).contains("do not fall into 3 groups"))
    #expect(problem(x.convolved(with: Tensor.zeros([3, 3, 3, 2]), padding: -1)).contains("a padding of"))
    #expect(problem(x.convolved(with: Tensor.zeros([3, 3, 3, 2]), strides: [1, 1, 1])).contains("3 strides"))
    #expect(problem(x.maxPooled(2, padding: 2)).contains("sees padding alone"))
    #expect(problem(x.maxPooled(9)).contains("does not fit"))
    #expect(problem(x.resized(to: 0)).contains("cannot become"))
    #expect(problem(x.pixelShuffled(by: 2)).contains("no multiple of 2"))
    #expect(problem(Tensor.zeros([4]).adaptiveAveragePooled(to: 2)).contains("cannot be pooled"))
    #expect(problem(Conv2D(4, kernel: 3)(Tensor.zeros([1, 4, 4, 4, 3]))).contains("Give it as [N, H, W, C]"))
    let layer = Conv2D(4, kernel: 3, channels: 3)
    #expect(problem(layer(Tensor.zeros([1, 4, 4, 2]))).contains("2 channels where 3 are expected"))
  }

  @Test func poolsTakeTheGreatestAndTheMean() {
    let x = Tensor.arange(16).cast(to: .float32).reshaped(1, 4, 4, 1)
    #expect(x.maxPooled(2).numbers == [5, 7, 13, 15])
    #expect(x.averagePooled(2).numbers == [2.5, 4.5, 10.5, 12.5])
    #expect(x.averagePooled(3, strides: 3, padding: 1).numbers == [2.5, 4.5, 10.5, 12.5])
    #expect(x.adaptiveAveragePooled(to: 1).numbers == [7.5])
    #expect(x.adaptiveMaxPooled(to: [1, 3]).numbers == [13, 14, 15])
    #expect(GlobalAveragePool()(x).shape == [1, 1])
  }

  @Test func foldingPatchesCountsHowOftenEachWasSeen() {
    let x = Tensor.ones([1, 4, 4, 1])
    let counts = x.unfolded(3).folded(to: 4)
    #expect(counts.numbers == [1, 2, 2, 1, 2, 4, 4, 2, 2, 4, 4, 2, 1, 2, 2, 1])
  }

  @Test func layersGiveTheirShapes() {
    let x = Tensor.zeros([2, 8, 6, 4])
    #expect(Conv2D(5, kernel: 3, strides: 2, padding: .same)(x).shape == [2, 4, 3, 5])
    #expect(DepthwiseConv2D(kernel: [3, 1], multiplier: 2)(x).shape == [2, 6, 6, 8])
    #expect(ConvTransposed2D(3, kernel: 2, strides: 2)(x).shape == [2, 16, 12, 3])
    #expect(Sequential.separableConv2D(7, kernel: 3)(x).shape == [2, 6, 4, 7])
    #expect(Upsample([2, 3], .linear)(x).shape == [2, 16, 18, 4])
    #expect(ZeroPad([1, 2])(x).shape == [2, 10, 10, 4] && Crop(1)(x).shape == [2, 6, 4, 4])
    #expect(SqueezeExcitation(channels: 4, squeezed: 2)(x).shape == x.shape)
    #expect(Conv1D(3, kernel: 3, padding: .causal)(Tensor.zeros([2, 9, 4])).shape == [2, 9, 3])
    #expect(Conv3D(3, kernel: 2)(Tensor.zeros([1, 3, 4, 5, 2])).shape == [1, 2, 3, 4, 3])
    // Gray images need no axis for their one channel.
    #expect(Conv2D(3, kernel: 3)(Tensor.zeros([2, 28, 28])).shape == [2, 26, 26, 3])
  }

  @Test func wholeChannelsAndWholeExamplesDropOut() {
    let x = Tensor.ones([64, 3, 3, 8])
    let channels = withTraining(true) { withSeed(1) { SpatialDropout(0.5)(x) } }
    let sums = channels.sum(axes: [1, 2]).numbers
    #expect(Set(sums) == [0, 18] && sums.count == 512)
    let examples = withTraining(true) { withSeed(1) { DropPath(0.25)(x) } }.sum(axes: [1, 2, 3]).numbers
    #expect(Set(examples) == [0, 96] && DropPath(0.25)(x).numbers == x.numbers)
  }

  @Test func everyLayerForImagesComesBackFromItsDescription() throws {
    let model = Sequential(named: [
      ("stem", Conv2D(4, kernel: [3, 2], strides: 2, padding: .same, dilations: 1, activation: .relu)),
      ("b10", DepthwiseConv2D(kernel: 3, padding: 1, multiplier: 2)), ("b2", GroupNorm(groups: 2)),
      ("norm", InstanceNorm()), ("lrn", LocalResponseNorm(3)), ("drop", SpatialDropout(0.1)), ("path", DropPath(0.1)),
      ("up", ConvTransposed2D(8, kernel: 2, strides: 2)), ("pool", MaxPool2D(2, roundsUp: true)),
      ("mean", AveragePool2D(2, strides: 1, padding: .explicit([.init(before: 0, after: 1)]))),
      ("se", SqueezeExcitation(channels: 8, squeezed: 3)), ("shuffle", PixelShuffle(2)), ("scale", LayerScale(0.5)),
      ("larger", Upsample(2, .linear)), ("pad", ZeroPad(1)), ("crop", Crop([1, 0])),
      ("residual", Residual(shortcut: Conv2D(3, kernel: 1), activation: .tanh) { Conv2D(3, kernel: 3, padding: 1) }),
      ("adaptive", AdaptiveAveragePool(3)), ("greatest", AdaptiveMaxPool([2, 1])), ("global", GlobalMaxPool()),
    ])
    let x = withSeed(2) { Tensor.normal([2, 9, 8, 3]) }
    let expected = model(x).numbers
    #expect(expected.count == 6)
    let text = try Architecture.text(of: model)
    let made = try #require(try Architecture.make(text) as? Sequential)
    #expect(try Architecture.text(of: made) == text)
    for (old, new) in zip(model.namedParameters, made.namedParameters) {
      #expect(old.path == new.path)
      new.parameter.value = old.parameter.value
    }
    #expect(made(x).numbers == expected)
    // The quick way to list parameters gives them in the order of their names.
    #expect(model.namedParameters.map(\.path).first == "b10.bias")
    #expect(zip(model.parameters, model.namedParameters).allSatisfy { $0 === $1.parameter })
  }

  @Test func hostileDescriptionsOfImageLayersAreClearErrors() {
    let window = "\"window\":{\"extents\":[3],\"strides\":[1,1],\"dilations\":[1,1],\"padding\":{\"same\":{}}}"
    for (text, reason) in [
      ("{\"maxPool2D\":{\(window),\"roundsUp\":false}}", "the window of maxPool2D are [3]"),
      ("{\"sequential\":{\"names\":[\"a\",\"a\"],\"layers\":[{\"flatten\":{}},{\"flatten\":{}}]}}", "have the names"),
      ("{\"upsample\":{\"factors\":[100000],\"method\":\"nearest\"}}", "a factor of upsample is 100000"),
      ("{\"pixelShuffle\":0}", "a factor of pixelShuffle is 0"),
    ] {
      let error = #expect(throws: ArchitectureError.self) { _ = try Architecture.make(text) }
      #expect("\(error.map { "\($0)" } ?? "")".contains(reason), "\(text)")
    }
  }
}
