import CajalBase
import CajalEngine
import CajalIR
import CajalOperations
import CajalTensor

/// A function that runs once for arguments of the same shapes and dtypes, and whose computation is done again at the
/// calls that follow, without running it: what `compile` makes.
///
/// What the calls give is what the function itself would give, bit for bit. Parameters, the state of optimizers,
/// their learning rates and random streams are read anew at each call, and written; tensors and numbers that the
/// function finds elsewhere are those of the first call, and what it does besides (printing, counting, work on other
/// threads) it does then only. A call fails whole, with all its results, and writes nothing then. The function is run
/// at each call as if it were not compiled where it reads tensors' numbers, inside `valueAndGradient`,
/// `withParameters`, a scan or another compiled function, and if an operand is an error.
public final class CompiledFunction {
  private let body: ([Tensor]) -> [Tensor]
  /// The most recent first.
  private var known: [(situation: Situation, form: Form)] = []

  /// More kinds of arguments than a program goes on using.
  private static let capacity = 64
  /// A function that cannot be captured is not asked for ever.
  private static let attempts = 3

  /// What a captured function depends on besides its operands.
  private struct Situation: Equatable {
    let types: [TensorType]
    let devices: [Device?]
    let device: Device
    let isTraining: Bool
    let autocast: DType?
    let freezing: Int
  }

  private enum Form {
    case captured(CapturedFunction)
    /// Captured in vain, so many times.
    case failed(Int)
  }

  fileprivate init(_ body: @escaping ([Tensor]) -> [Tensor]) { self.body = body }

  /// The function's results for `arguments`.
  public func callAsFunction(_ arguments: [Tensor]) -> [Tensor] {
    let scope = Scope.current
    guard scope.differentiation == nil, scope.position == nil, Capture.current == nil, ParameterContext.current == nil,
      !Recording.ofThread.takeUnretainedValue().checksNaN,
      arguments.allSatisfy({ CompiledFunction.isOrdinary($0.value) })
    else { return body(arguments) }
    let situation = Situation(
      types: arguments.map(\.value.type), devices: arguments.map(\.value.node.device), device: scope.device,
      isTraining: scope.isTraining, autocast: scope.autocast,
      freezing: Parameter.freezing.load(ordering: .relaxed))
    var attempts = 0
    if let index = known.firstIndex(where: { $0.situation == situation }) {
      switch known[index].form {
      case .captured(let function):
        if let results = function(arguments) { return results }
      case .failed(let count):
        if count >= CompiledFunction.attempts { return body(arguments) }
        attempts = count
      }
      known.remove(at: index)
    }
    let (results, function) = CapturedFunction.capture(body, arguments)
    known.insert((situation, function.map { .captured($0) } ?? .failed(attempts + 1)), at: 0)
    if known.count > CompiledFunction.capacity { known.removeLast() }
    return results
  }

  /// Whether the type of `value` says all that recording asks it.
  private static func isOrdinary(_ value: Value) -> Bool {
    !value.isFailed && value.node.trace == nil && value.weakLiteral == nil
  }
}

/// What a function recorded once, to be done with other operands.
private struct CapturedFunction {
  private let composite: Composite
  private let resultCount: Int
  private let cells: [any StateCell]
  /// Positions of the cells that it replaces, in the order of the results behind the first ``resultCount``.
  private let written: [Int]
  private let numbers: [(dtype: DType, ask: () -> Scalar)]
  private let constants: [Tensor]

  /// Runs `body`; `nil` for the function where it is not made of its operands alone.
  static func capture(_ body: ([Tensor]) -> [Tensor], _ arguments: [Tensor]) -> ([Tensor], CapturedFunction?) {
    func run() -> (names: [Tensor], results: [Tensor]) {
      // Arguments of their own, which may be the same tensor or one that is found elsewhere too.
      let names = arguments.map { $0.map { record(Alias(), $0) } }
      return (names, body(names))
    }
    let ((names, results), capture) = Capture.of(run, naming: { record(Alias(), $0) })
    let function = CapturedFunction(names, results, capture)
    capture.end()
    return (results, function)
  }

  private init?(_ arguments: [Tensor], _ results: [Tensor], _ capture: Capture) {
    let placeholders = arguments.map(\.value) + capture.cells.map(\.name) + capture.numbers.map(\.value)
    let outputs = results.map(\.value) + capture.written.map { capture.cells[$0].cell.content.value }
    guard !capture.isRefused, !outputs.isEmpty, !(placeholders + outputs).contains(where: \.isFailed),
      !capture.cells.contains(where: { $0.found.weakLiteral != nil }),
      let (graph, captures) = Graph.capture(outputs, of: placeholders, after: capture.firstSerial),
      CapturedFunction.haveOneDevice(placeholders + captures)
    else { return nil }
    composite = Composite("compiled", graph)
    resultCount = results.count
    cells = capture.cells.map(\.cell)
    written = capture.written
    numbers = capture.numbers.map { ($0.value.dtype, $0.ask) }
    constants = captures.map { Tensor($0) }
  }

  /// `nil` where a parameter is of another type now, or an error.
  func callAsFunction(_ arguments: [Tensor]) -> [Tensor]? {
    // Held until they are operands: another task may replace them.
    var contents = cells.map(\.content)
    let old = contents.map(\.value)
    var operands = arguments.map(\.value)
    operands += old
    let asked = operands.count
    for number in numbers { operands.append(scalarValue(.integer(0), number.dtype)) }
    operands += constants.lazy.map(\.value)
    guard composite.fits(operands), !operands.contains(where: \.isFailed),
      CapturedFunction.haveOneDevice(operands)
    else { return nil }
    // Asked only now: it may draw from a generator.
    for (index, number) in numbers.enumerated() { operands[asked + index] = scalarValue(number.ask(), number.dtype) }
    let values = recordAll(composite, operands)
    contents = []
    // Each a node of its own, for a failed step to leave weights as they were.
    let results = Tensor.results(values.map { record(Alias(), $0) })
    var changes: [Fallback] = []
    for (cell, result) in zip(written, results[resultCount...]) {
      changes.append(Fallback(new: result.value, old: old[cell]))
      cells[cell].replace(with: result.value)
    }
    let found = Array(results.prefix(resultCount))
    if !changes.isEmpty { Engine.shared.step(changes, found.map(\.value)) }
    return found
  }

  private static func haveOneDevice(_ values: [Value]) -> Bool {
    var device: Device?
    for value in values {
      guard let other = value.node.device else { continue }
      if let device, device != other { return false }
      device = other
    }
    return true
  }
}

// MARK: Making one

/// A function that is recorded once and done again without running it: a training step costs little more than its
/// kernels. See ``CompiledFunction`` for what it may depend on.
///
/// ```swift
/// let step = compile { x, y in
///   let (loss, gradients) = valueAndGradient(of: model) { softmaxCrossEntropy(model(x), y) }
///   optimizer.update(model, gradients)
///   return loss
/// }
/// for (x, y) in batches { loss = step(x, y) }
/// ```
public func compile(_ body: @escaping (Tensor, Tensor) -> Tensor) -> (Tensor, Tensor) -> Tensor {
  let function = compile { (x: [Tensor]) in [body(x[0], x[1])] }
  return { function([$0, $1])[0] }
}

/// The same of one tensor.
public func compile(_ body: @escaping (Tensor) -> Tensor) -> (Tensor) -> Tensor {
  let function = compile { (x: [Tensor]) in [body(x[0])] }
  return { function([$0])[0] }
}

/// The same of any number of tensors.
public func compile(_ body: @escaping ([Tensor]) -> [Tensor]) -> CompiledFunction { CompiledFunction(body) }
