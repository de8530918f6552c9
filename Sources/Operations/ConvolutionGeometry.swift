import CajalBase
import CajalIR

/// How a window moves over the spatial axes of a tensor. One number an axis, one to three axes.
///
/// Output position o sees input position o · stride + k · dilation − before through position k of the window. What
/// lies outside the input counts as zero.
public struct ConvolutionGeometry: Hashable, Sendable, Codable {
  /// Zeros before the first position of an axis and behind the last.
  public struct Margins: Hashable, Sendable, Codable {
    public var before: Int
    public var after: Int

    public init(before: Int, after: Int) {
      self.before = before
      self.after = after
    }

    public static var none: Margins { Margins(before: 0, after: 0) }
  }

  /// Steps between output positions, at least 1.
  public var strides: [Int]
  /// Steps between positions of the window, at least 1.
  public var dilations: [Int]
  public var padding: [Margins]
  /// Input and output channels fall into as many groups, which do not see each other.
  public var groups: Int

  public init(strides: [Int], dilations: [Int], padding: [Margins], groups: Int = 1) {
    self.strides = strides
    self.dilations = dilations
    self.padding = padding
    self.groups = groups
  }

  /// Steps of 1 along `rank` axes, without padding.
  public init(rank: Int, groups: Int = 1) {
    self.init(
      strides: [Int](repeating: 1, count: rank), dilations: [Int](repeating: 1, count: rank),
      padding: [Margins](repeating: .none, count: rank), groups: groups)
  }

  /// The number of spatial axes.
  public var rank: Int { strides.count }

  func encode(into key: inout PlanKey) {
    key.write(strides)
    key.write(dilations)
    key.write(padding.map(\.before))
    key.write(padding.map(\.after))
    key.write(groups)
  }

  /// The same window over groups of `count` tensors side by side.
  func repeated(_ count: Int) -> ConvolutionGeometry {
    var result = self
    result.groups *= count
    return result
  }
}

// MARK: Extents

extension ConvolutionGeometry {
  /// No extent, stride, dilation or padding is larger, so that no product of two overflows.
  static let limit = Int(Int32.max)

  /// Throws unless there is one number, and a possible one, for each of one to three axes.
  func check() throws(Mismatch) {
    guard (1...3).contains(rank), dilations.count == rank, padding.count == rank else {
      throw .shape(
        "\(rank) strides, \(dilations.count) dilations and \(padding.count) margins are given",
        remedy: "Give one of each for each of one to three spatial axes")
    }
    guard (strides + dilations + [groups]).allSatisfy({ (1...ConvolutionGeometry.limit).contains($0) }) else {
      throw .shape(
        "strides are \(strides), dilations \(dilations), groups \(groups)", remedy: "All must be at least 1")
    }
    let widths = padding.flatMap { [$0.before, $0.after] }
    guard widths.allSatisfy({ (0...ConvolutionGeometry.limit).contains($0) }) else {
      throw .shape("a padding of \(widths)", remedy: "Pad by 0 or more; cut with a slice")
    }
  }

  /// Elements of the input between the first and the last that a window of `extent` sees along `axis`, both counted.
  func span(_ extent: Int, axis: Int) -> Int { (extent - 1) * dilations[axis] + 1 }

  /// Output positions over `inputs` positions of each axis.
  public func outputs(_ inputs: [Int], window: [Int]) throws(Mismatch) -> [Int] {
    try check()
    guard inputs.count == rank, window.count == rank else {
      throw .shape(
        "a window of \(window) over \(inputs), with strides for \(rank) axes", remedy: "Give one extent for each axis")
    }
    var result: [Int] = []
    for axis in 0..<rank {
      guard (1...ConvolutionGeometry.limit).contains(window[axis]), (0...ConvolutionGeometry.limit) ~= inputs[axis]
      else {
        throw .shape("a window of \(window) over \(inputs)", remedy: "A window has at least one position on each axis")
      }
      let padded = padding[axis].before + inputs[axis] + padding[axis].after
      let span = span(window[axis], axis: axis)
      guard span <= padded else {
        let dilated = dilations[axis] == 1 ? "" : " (\(span) with its dilation)"
        throw .shape(
          "a window of \(window[axis])\(dilated) does not fit into \(padded) positions of spatial axis \(axis)",
          remedy: "Pad the input, or use a smaller window")
      }
      result.append((padded - span) / strides[axis] + 1)
    }
    return result
  }
}

// MARK: Sizes

/// The sizes of a convolution x ∗ w = y, for tensors that fit.
public struct ConvolutionSizes: Hashable, Sendable {
  public var batch: Int
  /// Extents of the spatial axes of x, w and y.
  public var inputs: [Int]
  public var window: [Int]
  public var outputs: [Int]
  /// Channels of x and y.
  public var channels: Int
  public var filters: Int
  public var groups: Int

  /// `[N, spatial…, C]`
  public var x: Shape { Shape([batch] + inputs + [channels]) }
  /// `[window…, C / groups, F]`
  public var w: Shape { Shape(window + [channels / groups, filters]) }
  /// `[N, out…, F]`
  public var y: Shape { Shape([batch] + outputs + [filters]) }

  /// Multiply-adds, those with the padding among them; at most the greatest number.
  public var terms: Int { (window + [channels / groups]).reduce(y.count) { $0.multipliedSaturated(by: $1) } }
}

extension ConvolutionGeometry {
  /// Throws unless x and w belong together.
  func sizes(x: Shape, w: Shape) throws(Mismatch) -> ConvolutionSizes {
    try check()
    try checkRank(x, "the input", "[N, spatial…, C]")
    try checkRank(w, "the weights", "[window…, C / groups, F]")
    let window = Array(w.array.prefix(rank))
    let outputs = try outputs(Array(x.array[1...rank]), window: window)
    let sizes = ConvolutionSizes(
      batch: x[0], inputs: Array(x.array[1...rank]), window: window, outputs: outputs, channels: x[-1], filters: w[-1],
      groups: groups)
    try checkChannels(sizes, w)
    return sizes
  }

  /// Throws unless y and w are those of an input of `extents`.
  func sizes(y: Shape, w: Shape, extents: [Int]) throws(Mismatch) -> ConvolutionSizes {
    try check()
    try checkRank(y, "the output", "[N, out…, F]")
    try checkRank(w, "the weights", "[window…, C / groups, F]")
    let sizes = ConvolutionSizes(
      batch: y[0], inputs: extents, window: Array(w.array.prefix(rank)),
      outputs: try outputs(extents, window: Array(w.array.prefix(rank))), channels: w[-2] * groups, filters: w[-1],
      groups: groups)
    try checkChannels(sizes, w)
    try checkOutput(sizes, y)
    return sizes
  }

  /// Throws unless x and y are those of a window.
  func sizes(x: Shape, y: Shape, window: [Int]) throws(Mismatch) -> ConvolutionSizes {
    try check()
    try checkRank(x, "the input", "[N, spatial…, C]")
    try checkRank(y, "the output", "[N, out…, F]")
    let sizes = ConvolutionSizes(
      batch: x[0], inputs: Array(x.array[1...rank]), window: window,
      outputs: try outputs(Array(x.array[1...rank]), window: window), channels: x[-1], filters: y[-1], groups: groups)
    try checkChannels(sizes, nil)
    try checkOutput(sizes, y)
    return sizes
  }

  private func checkRank(_ shape: Shape, _ noun: String, _ axes: String) throws(Mismatch) {
    guard shape.rank == rank + 2 else {
      throw .shape(
        "\(noun) \(shape) has \(shape.rank) axes", remedy: "Over \(rank) spatial axes it has \(rank + 2): \(axes)")
    }
  }

  private func checkChannels(_ sizes: ConvolutionSizes, _ w: Shape?) throws(Mismatch) {
    guard sizes.channels % groups == 0, sizes.filters % groups == 0 else {
      throw .shape(
        "\(sizes.channels) input and \(sizes.filters) output channels do not fall into \(groups) groups",
        remedy: "The number of groups must divide both")
    }
    if let w, w[-2] != sizes.channels / groups {
      throw .shape(
        "the weights \(w) take \(w[-2]) channels, the input has \(sizes.channels) in \(groups) groups",
        remedy: "The last axis but one of the weights must be \(sizes.channels / groups)")
    }
  }

  private func checkOutput(_ sizes: ConvolutionSizes, _ y: Shape) throws(Mismatch) {
    guard y == sizes.y else {
      throw .shape(
        "the output \(y) is not that of a window of \(sizes.window) over \(sizes.inputs)",
        remedy: "It would be \(sizes.y)")
    }
  }
}

// MARK: Meaning

extension ConvolutionGeometry {
  /// Calls `body` with the places of x, w and y in each term of T(x, w, y) = Σ x · w · y.
  func forEachTerm(_ sizes: ConvolutionSizes, _ body: (_ x: Int, _ w: Int, _ y: Int) -> Void) {
    let (channels, filters) = (sizes.channels / groups, sizes.filters / groups)
    let (inputs, outputs) = (sizes.inputs.reduce(1, *), sizes.outputs.reduce(1, *))
    let taps = taps(sizes.inputs, sizes.window, sizes.outputs)
    for n in 0..<sizes.batch {
      for tap in taps {
        let (x, y) = ((n * inputs + tap.x) * sizes.channels, (n * outputs + tap.y) * sizes.filters)
        for group in 0..<groups {
          for c in 0..<channels {
            let w = (tap.w * channels + c) * sizes.filters
            for f in group * filters..<(group + 1) * filters { body(x + group * channels + c, w + f, y + f) }
          }
        }
      }
    }
  }

  /// Which input position each output position sees through each position of the window, row-major in each of the
  /// three; what is padding is left out.
  func taps(_ inputs: [Int], _ window: [Int], _ outputs: [Int]) -> [(x: Int, w: Int, y: Int)] {
    var taps = [(x: 0, w: 0, y: 0)]
    for axis in 0..<rank {
      var next: [(x: Int, w: Int, y: Int)] = []
      for tap in taps {
        for y in 0..<outputs[axis] {
          for w in 0..<window[axis] {
            let x = y * strides[axis] + w * dilations[axis] - padding[axis].before
            guard (0..<inputs[axis]).contains(x) else { continue }
            next.append(
              (tap.x * inputs[axis] + x, tap.w * window[axis] + w, tap.y * outputs[axis] + y))
          }
        }
      }
      taps = next
    }
    return taps
  }
}
