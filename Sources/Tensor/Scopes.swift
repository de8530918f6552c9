import CajalBase
import CajalIR

// What recording depends on besides its operands, set for the length of a closure.

/// Runs `body` with draws from a generator of `seed`.
public func withSeed<Result>(_ seed: UInt64, _ body: () throws -> Result) rethrows -> Result {
  try Scope.current.with(generator: Generator(seed: seed)).run(body)
}

/// Runs `body` with draws from `generator`.
///
/// Tasks that run beside each other should each have a generator of their own, split off before they
/// start: then what they draw does not depend on which runs first.
///
/// ```swift
/// await withTaskGroup { group in
///   for _ in 0..<4 {
///     let own = generator.split()
///     group.addTask { withGenerator(own) { Tensor.normal([3]) } }
///   }
/// }
/// ```
public func withGenerator<Result>(_ generator: Generator, _ body: () throws -> Result) rethrows -> Result {
  try Scope.current.with(generator: generator).run(body)
}

/// Runs `body` with new tensors on `device`.
public func withDevice<Result>(_ device: Device, _ body: () throws -> Result) rethrows -> Result {
  try Scope.current.with(device: device).run(body)
}

/// Runs `body` in training mode (dropout drops, batch norm takes the batch's statistics), or out of it.
public func withTraining<Result>(_ isTraining: Bool = true, _ body: () throws -> Result) rethrows -> Result {
  try Scope.current.with(isTraining: isTraining).run(body)
}

/// Runs `body` with each operation evaluated at once: the first that makes a NaN of operands without one becomes an
/// error that names it and its module. Slow; for finding out where a NaN comes from.
public func withNaNCheck<Result>(_ body: () throws -> Result) rethrows -> Result {
  try Recording.ofThread.takeUnretainedValue().checkingNaN(body)
}

/// Runs `body` with matrix products in `dtype` (bfloat16 or float16): mixed precision. Sums, exponentials, norms and
/// losses stay in float32, as parameters do: Micikevicius et al. 2018. `nil` ends it.
public func withAutocast<Result>(to dtype: DType? = .bfloat16, _ body: () throws -> Result) rethrows -> Result {
  try Scope.current.with(autocast: .some(dtype)).run(body)
}

// MARK: The same around asynchronous work

public func withSeed<Result>(
  _ seed: UInt64, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Result
) async rethrows -> Result {
  try await Scope.current.with(generator: Generator(seed: seed)).run(isolation: isolation, body)
}

public func withGenerator<Result>(
  _ generator: Generator, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Result
) async rethrows -> Result {
  try await Scope.current.with(generator: generator).run(isolation: isolation, body)
}

public func withDevice<Result>(
  _ device: Device, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Result
) async rethrows -> Result {
  try await Scope.current.with(device: device).run(isolation: isolation, body)
}
