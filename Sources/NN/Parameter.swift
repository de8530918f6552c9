import CajalBase
import CajalEngine
import CajalIR
import CajalOperations
import CajalTensor
import Synchronization

/// A tensor that learns: the one thing in a model with identity. Copying a module shares its parameters.
///
/// It takes its random stream when it is made, so the same program draws the same weights whatever
/// runs first. Its shape may be learned at the first use.
public final class Parameter: Sendable {
  /// Whether it is saved with the model but never learns, as the statistics that a layer gathers.
  public let isBuffer: Bool
  public let dtype: DType
  private let frozen = Atomic(false)
  private let initializer: Initializer
  private let generator: Generator
  private let state: Locked<State>

  private struct State {
    var shape: Shape?
    var value: Tensor?
    var path: ModulePath?
    /// The type of the model that it was last listed in.
    var model: String?
  }

  /// - Parameter shape: `nil` to learn it at the first use.
  public init(_ shape: Shape? = nil, _ initializer: Initializer, dtype: DType = .float32, isTrainable: Bool = true) {
    isBuffer = !isTrainable
    self.dtype = dtype
    self.initializer = initializer
    generator = Scope.current.generator.split()
    state = Locked(State(shape: shape))
  }

  /// A parameter with these numbers.
  public convenience init(_ value: Tensor, isTrainable: Bool = true) {
    self.init(value.shape, .zeros, dtype: value.dtype, isTrainable: isTrainable)
    state.withLock { $0.value = value }
  }

  /// Whether optimizers change it now: no buffer, and not frozen.
  public var isTrainable: Bool { !isBuffer && !isFrozen }

  /// Whether it keeps its value while others learn: a constant to differentiation. May change between any two steps;
  /// see ``Module/freeze(_:)``.
  public var isFrozen: Bool {
    get { frozen.load(ordering: .relaxed) }
    set {
      frozen.store(newValue, ordering: .relaxed)
      Parameter.freezing.wrappingAdd(1, ordering: .relaxed)
    }
  }

  /// How often a parameter was frozen or set free: a compiled function is of one such state.
  static let freezing = Atomic(0)

  /// The shape, once known.
  public var shape: Shape? { state.withLock { $0.value?.shape ?? $0.shape } }

  /// The tensor as it is now, or what stands for it in this task: see ``withParameters(_:_:)``.
  ///
  /// Assigning replaces it, for all copies of the module.
  public var value: Tensor {
    get { ParameterContext.current?.value(of: self) ?? stored() }
    set { current = newValue }
  }

  /// The tensor, which has `shape` if nobody said otherwise before.
  public func value(shape: Shape) -> Tensor {
    state.withLock { if $0.shape == nil, $0.value == nil { $0.shape = shape } }
    return value
  }

  /// The tensor itself: drawn now, if it was not.
  func stored() -> Tensor {
    let tensor = drawn()
    return Capture.current.map { Tensor($0.read(self, tensor.value)) } ?? tensor
  }

  fileprivate func drawn() -> Tensor {
    state.withLock { state in
      if let value = state.value { return value }
      guard let shape = state.shape else {
        return Tensor(
          error: TensorError(
            .shape, operation: "parameter", "a parameter was read before its shape is known",
            remedy: "Run the model once, or give the layer its number of inputs", site: CallSite.current(),
            module: state.path?.description))
      }
      // Its own stream, outside whatever is being differentiated.
      let scope = Scope.current.with(
        generator: Generator(key: generator.key), differentiation: .some(nil), position: .some(nil))
      let value = Capture.suspended {
        let first = scope.run { initializer.make(shape, dtype) }
        // A buffer's is there before the steps that may fall back to it.
        if !isTrainable { _ = try? first.evaluated() }
        return first
      }
      state.value = value
      return value
    }
  }

  /// Where it stands in its model: `layers.0.kernel`. Set when a model's parameters are listed.
  package internal(set) var modulePath: ModulePath? {
    get { state.withLock { $0.path } }
    set { state.withLock { $0.path = newValue } }
  }

  /// Where it stands in its model, as ``Module/namedParameters`` says; empty for one that was never listed.
  public var path: String { modulePath?.description ?? "" }

  /// The parameter's own tensor, whatever stands for it in this task.
  package var current: Tensor {
    get { stored() }
    set {
      Capture.current?.write(self, over: drawn().value)
      state.withLock { $0.value = newValue }
    }
  }

  /// The type of the model that it was last listed in, for errors.
  var model: String? {
    get { state.withLock { $0.model } }
    set { state.withLock { $0.model = newValue } }
  }

  /// What a layer gives for an input that does not fit this parameter.
  func misfit(_ operation: String, _ input: Tensor, _ problem: String, remedy: String) -> Tensor {
    let names = [(modulePath?.parent ?? Recording.path)?.description, model].compactMap { $0 }
    return Tensor(
      error: TensorError(
        .shape, operation: operation, operands: [input.value.type], problem, remedy: remedy, site: CallSite.current(),
        module: names.isEmpty ? nil : names.joined(separator: " of ")))
  }

  /// Runs `body` with what it records marked as the module's that holds this parameter.
  func inModule(_ body: () -> Tensor) -> Tensor {
    guard let modulePath else { return body() }
    let output = modulePath.parent.map { $0.run(body) } ?? body()
    ShapeNotes.current?.note(output, modulePath.parent)
    return output
  }

  /// Gives a buffer another value as an effect of what is being recorded: in a closure that is differentiated it is
  /// part of the step that follows, and a step that fails takes it back. A later reader in the closure finds it.
  func moves(to new: Tensor) {
    // Not where it is no value of the buffer's: an error, or one position's of a scan.
    guard new.error == nil, new.value.node.trace == nil else { return }
    let new = new.stoppingGradient().cast(to: dtype)
    guard let context = ParameterContext.current else {
      value = new
      return
    }
    context.write(new, to: self)
  }
}

extension Parameter: StateCell {
  package var content: (value: Value, holder: AnyObject) { drawn().held }
  package func replace(with value: Value) { current = Tensor(value) }
}

/// What stands for parameters in a task: names that are differentiated by, or other values.
final class ParameterContext: Sendable {
  @TaskLocal static var current: ParameterContext?

  private let parent: ParameterContext?
  private let names: Locked<[ObjectIdentifier: Tensor]>
  /// The parameters that get a name when they are first read.
  private let watched: Set<ObjectIdentifier>
  /// Whether it is a closure being differentiated.
  private let isDifferentiating: Bool
  /// Buffers that got another value.
  private let written = Locked<[Parameter]>([])

  init(watching parameters: [Parameter]) {
    parent = ParameterContext.current
    names = Locked([:])
    watched = Set(parameters.map { ObjectIdentifier($0) })
    isDifferentiating = true
  }

  init(values: [(Parameter, Tensor)]) {
    parent = ParameterContext.current
    names = Locked(Dictionary(values.map { (ObjectIdentifier($0.0), $0.1) }, uniquingKeysWith: { _, last in last }))
    watched = []
    isDifferentiating = false
  }

  /// Gives `parameter` another value here, and outside once the closure being differentiated ends; what stands
  /// for a parameter goes when its closure does.
  func write(_ value: Tensor, to parameter: Parameter) {
    let isKnown = names.withLock { names in
      let isKnown = names[ObjectIdentifier(parameter)] != nil
      if isDifferentiating || isKnown { names[ObjectIdentifier(parameter)] = value }
      return isKnown
    }
    if isDifferentiating {
      if !isKnown { written.withLock { $0.append(parameter) } }
    } else if !isKnown {
      parent.map { $0.write(value, to: parameter) } ?? { parameter.value = value }()
    }
  }

  /// Hands what was written on, at the closure's end.
  func commit() -> [Effect] {
    written.withLock { written in
      written.compactMap { parameter in
        guard let new = name(of: parameter) else { return nil }
        if let parent {
          parent.write(new, to: parameter)
          return nil
        }
        let old = parameter.stored()
        parameter.current = new
        return Effect(parameter: parameter, old: old, new: new)
      }
    }
  }

  func value(of parameter: Parameter) -> Tensor {
    let id = ObjectIdentifier(parameter)
    if let known = names.withLock({ $0[id] }) { return known }
    let outer = parent?.value(of: parameter) ?? parameter.stored()
    guard watched.contains(id) else { return outer }
    // The first reader's name is everybody's: one snapshot for the whole closure.
    return names.withLock { names in
      if let known = names[id] { return known }
      let name = outer.map { record(Alias(), $0) }
      names[id] = name
      return name
    }
  }

  /// The name of a parameter, if it was read.
  func name(of parameter: Parameter) -> Tensor? { names.withLock { $0[ObjectIdentifier(parameter)] } }
}

/// A buffer's change while a closure was differentiated: part of the step that its gradients make.
package struct Effect: Sendable {
  package let parameter: Parameter
  package let old: Tensor
  package let new: Tensor
}

/// Runs `body` with other tensors in the place of parameters: targets, moving averages, ensembles.
public func withParameters<Result>(_ values: [(Parameter, Tensor)], _ body: () throws -> Result) rethrows -> Result {
  try ParameterContext.$current.withValue(ParameterContext(values: values), operation: body)
}
