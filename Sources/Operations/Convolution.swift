import CajalBase
import CajalIR

// The three partial derivatives of one trilinear form, T(x, w, y) = Σ x · w · y over all that a window sees: they are
// closed under differentiation.

/// The correlation of x with a window of weights, summed over the channels of a group.
///
/// y[n, o…, f] = Σ_{k…, c} x[n, o · stride + k · dilation − before…, c] · w[k…, c, f]
///
/// **Shapes**: x `[N, spatial…, C]`, w `[window…, C / groups, F]`, y `[N, out…, F]`, where out = ⌊(before + spatial +
/// after − (window − 1) · dilation − 1) / stride⌋ + 1. With groups, output channels g · F / groups… see input channels
/// g · C / groups… (depthwise: groups = C). One float dtype; float16 and bfloat16 accumulate in float32 and round once.
///
/// Where float32 windows of 3×3 move by 1, Winograd's F(4×4, 3×3) may stand for the sum (Lavin & Gray 2016). It adds
/// and subtracts elements before it multiplies them: an infinity or a NaN makes NaNs of any results of the tiles of 4×4
/// that see it, where the sum has infinities in those of its windows alone; so do finite elements so large that sums
/// of 6×6 of them overflow. `CAJAL_WINOGRAD=0` refuses it.
public struct Convolution: Operation {
  public let geometry: ConvolutionGeometry

  public init(_ geometry: ConvolutionGeometry) { self.geometry = geometry }

  public var name: String { "convolution" }
  public var autocast: AutocastClass { .low }
  public func encode(into key: inout PlanKey) { geometry.encode(into: &key) }

  public func sizes(_ x: Shape, _ w: Shape) throws(Mismatch) -> ConvolutionSizes { try geometry.sizes(x: x, w: w) }

  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    ResultTypes(try sizes(operands[0].shape, operands[1].shape).y, try commonFloat(operands))
  }

  public var semantics: Semantics {
    .loops { operands, results throws(Mismatch) in
      let (x, w) = (operands[0].floats, operands[1].floats)
      let sizes = try sizes(operands[0].shape, operands[1].shape)
      return [sums(results[0]) { sums in geometry.forEachTerm(sizes) { sums[$2] += x[$0] * w[$1] } }]
    }
  }

  public var gradient: GradientRule {
    .rule { context in
      guard let dy = context.cotangents[0] else { return [nil, nil] }
      let (x, w) = (context.operands[0], context.operands[1])
      return [
        context.isNeeded[0] ? dy.convolutionInputGradient(w, geometry, like: x) : nil,
        context.isNeeded[1] ? x.convolutionWeightGradient(dy, geometry, like: w) : nil,
      ]
    }
  }

  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    batchedConvolution(self, geometry, operands, isBatched) { Convolution($0) }
  }

  public func cost(_ operands: OperandTypes, _ results: ResultTypes) -> Cost {
    convolutionCost(try? sizes(operands[0].shape, operands[1].shape), operands, results)
  }
}

/// What a convolution's cotangent dy means for its input; also the transposed convolution of dy.
///
/// dx[n, i…, c] = Σ_{o…, k…, f} dy[n, o…, f] · w[k…, c, f], where o · stride + k · dilation − before = i
///
/// **Shapes**: dy `[N, out…, F]`, w `[window…, C / groups, F]`, dx `[N, extents…, C]`. dtypes as ``Convolution``.
public struct ConvolutionInputGradient: Operation {
  public let geometry: ConvolutionGeometry
  /// The spatial extents of x: several have the same out.
  public let extents: [Int]

  public init(_ geometry: ConvolutionGeometry, extents: [Int]) {
    self.geometry = geometry
    self.extents = extents
  }

  public var name: String { "convolutionInputGradient" }
  public var autocast: AutocastClass { .low }
  public func encode(into key: inout PlanKey) {
    geometry.encode(into: &key)
    key.write(extents)
  }

  public func sizes(_ dy: Shape, _ w: Shape) throws(Mismatch) -> ConvolutionSizes {
    try geometry.sizes(y: dy, w: w, extents: extents)
  }

  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    ResultTypes(try sizes(operands[0].shape, operands[1].shape).x, try commonFloat(operands))
  }

  public var semantics: Semantics {
    .loops { operands, results throws(Mismatch) in
      let (dy, w) = (operands[0].floats, operands[1].floats)
      let sizes = try sizes(operands[0].shape, operands[1].shape)
      return [sums(results[0]) { sums in geometry.forEachTerm(sizes) { sums[$0] += dy[$2] * w[$1] } }]
    }
  }

  public var gradient: GradientRule {
    .rule { context in
      guard let g = context.cotangents[0] else { return [nil, nil] }
      let (dy, w) = (context.operands[0], context.operands[1])
      return [
        context.isNeeded[0] ? record(Convolution(geometry), g, w) : nil,
        context.isNeeded[1] ? g.convolutionWeightGradient(dy, geometry, like: w) : nil,
      ]
    }
  }

  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    batchedConvolution(self, geometry, operands, isBatched) { ConvolutionInputGradient($0, extents: extents) }
  }

  public func cost(_ operands: OperandTypes, _ results: ResultTypes) -> Cost {
    convolutionCost(try? sizes(operands[0].shape, operands[1].shape), operands, results)
  }
}

/// What a convolution's cotangent dy means for its weights.
///
/// dw[k…, c, f] = Σ_{n, o…} x[n, o · stride + k · dilation − before…, c] · dy[n, o…, f]
///
/// **Shapes**: x `[N, spatial…, C]`, dy `[N, out…, F]`, dw `[window…, C / groups, F]`. dtypes as ``Convolution``.
public struct ConvolutionWeightGradient: Operation {
  public let geometry: ConvolutionGeometry
  /// The extents of the window: several have the same out.
  public let window: [Int]

  public init(_ geometry: ConvolutionGeometry, window: [Int]) {
    self.geometry = geometry
    self.window = window
  }

  public var name: String { "convolutionWeightGradient" }
  public var autocast: AutocastClass { .low }
  public func encode(into key: inout PlanKey) {
    geometry.encode(into: &key)
    key.write(window)
  }

  public func sizes(_ x: Shape, _ dy: Shape) throws(Mismatch) -> ConvolutionSizes {
    try geometry.sizes(x: x, y: dy, window: window)
  }

  public func resultTypes(_ operands: OperandTypes) throws(Mismatch) -> ResultTypes {
    ResultTypes(try sizes(operands[0].shape, operands[1].shape).w, try commonFloat(operands))
  }

  public var semantics: Semantics {
    .loops { operands, results throws(Mismatch) in
      let (x, dy) = (operands[0].floats, operands[1].floats)
      let sizes = try sizes(operands[0].shape, operands[1].shape)
      return [sums(results[0]) { sums in geometry.forEachTerm(sizes) { sums[$1] += x[$0] * dy[$2] } }]
    }
  }

  public var gradient: GradientRule {
    .rule { context in
      guard let g = context.cotangents[0] else { return [nil, nil] }
      let (x, dy) = (context.operands[0], context.operands[1])
      return [
        context.isNeeded[0] ? dy.convolutionInputGradient(g, geometry, like: x) : nil,
        context.isNeeded[1] ? record(Convolution(geometry), x, g) : nil,
      ]
    }
  }

  public func batched(_ operands: [Value], _ isBatched: [Bool]) -> [Value] {
    let size = batchSize(operands, isBatched)
    if size == 0 { return unrolledBatch(self, operands, isBatched) }
    let sides = operands.indices.map { operands[$0].sideBySide(isBatched[$0] ? nil : size) }
    return [
      record(ConvolutionWeightGradient(geometry.repeated(size), window: window), sides).inFront(size)
    ]
  }

  public func cost(_ operands: OperandTypes, _ results: ResultTypes) -> Cost {
    convolutionCost(try? sizes(operands[0].shape, operands[1].shape), operands, results)
  }
}

// MARK: What they share

private func commonFloat(_ operands: OperandTypes) throws(Mismatch) -> DType {
  guard operands[0].dtype == operands[1].dtype, operands[0].dtype.isFloat else {
    throw .dtype(
      "its operands are \(operands[0].dtype) and \(operands[1].dtype)", remedy: "Cast them to one float dtype")
  }
  return operands[0].dtype
}

/// A tensor of sums that `add` adds up in float64, rounded once.
private func sums(_ type: TensorType, _ add: (inout [Double]) -> Void) -> HostTensor {
  var sums = [Double](repeating: 0, count: type.shape.count)
  add(&sums)
  var result = HostTensor(type)
  for index in sums.indices { result.store(.float(sums[index]), at: index) }
  return result
}

private func convolutionCost(_ sizes: ConvolutionSizes?, _ operands: OperandTypes, _ results: ResultTypes) -> Cost {
  Cost(
    flops: (sizes?.terms ?? 0).multipliedSaturated(by: 2),
    bytes: operands[0].byteCount + operands[1].byteCount + results.first.byteCount)
}

/// A batch of samples is a longer one where the weights (operand 1) are the same for all; else a convolution of
/// as many more groups.
private func batchedConvolution<Form: Operation>(
  _ operation: Form, _ geometry: ConvolutionGeometry, _ operands: [Value], _ isBatched: [Bool],
  _ grouped: (ConvolutionGeometry) -> Form
) -> [Value] {
  let size = batchSize(operands, isBatched)
  if size == 0 { return unrolledBatch(operation, operands, isBatched) }
  if !isBatched[1] {
    let x = operands[0]
    let flat = x.reshaped(to: Shape([size * x.shape[1]]) + x.shape.suffix(from: 2))
    let result = record(operation, flat, operands[1])
    return [result.reshaped(to: Shape([size, x.shape[1]]) + result.shape.suffix(from: 1))]
  }
  let sides = operands.indices.map { operands[$0].sideBySide(isBatched[$0] ? nil : size) }
  return [record(grouped(geometry.repeated(size)), sides).inFront(size)]
}

extension Value {
  /// `[B, …, C]` as `[…, B·C]`; repeated `count` times where it has no batch axis.
  fileprivate func sideBySide(_ count: Int?) -> Value {
    let whole = count.map { repeated($0) } ?? self
    let moved = whole.movingAxis(0, to: whole.rank - 2)
    return moved.reshaped(to: moved.shape.prefix(moved.rank - 2) + [moved.shape[-2] * moved.shape[-1]])
  }

  /// `[…, B·C]` as `[B, …, C]`.
  fileprivate func inFront(_ count: Int) -> Value {
    if isFailed { return self }
    return reshaped(to: shape.prefix(rank - 1) + [count, shape[-1] / count]).movingAxis(rank - 1, to: 0)
  }
}

// MARK: Recording

extension Value {
  fileprivate func convolutionInputGradient(_ w: Value, _ geometry: ConvolutionGeometry, like x: Value) -> Value {
    record(ConvolutionInputGradient(geometry, extents: Array(x.shape.array[1...geometry.rank])), self, w)
  }

  fileprivate func convolutionWeightGradient(_ dy: Value, _ geometry: ConvolutionGeometry, like w: Value) -> Value {
    record(ConvolutionWeightGradient(geometry, window: Array(w.shape.array.prefix(geometry.rank))), self, dy)
  }
}
