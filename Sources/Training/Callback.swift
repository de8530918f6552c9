import CajalTensor
import Foundation

/// Watches a run and takes part in it. Yours in ten lines:
///
/// ```swift
/// final class StopWhenGood: Callback {
///   func on(_ event: TrainingEvent, in run: TrainingRun) {
///     if case .epochFinished(let report) = event, report["val_accuracy"] ?? 0 > 0.98 {
///       run.stop("98% reached")
///     }
///   }
/// }
/// try trainer.fit(data.train, epochs: 50, validation: data.test, callbacks: [.progress, StopWhenGood()])
/// ```
public protocol Callback: AnyObject {
  /// Hears of everything; what it throws ends the run.
  func on(_ event: TrainingEvent, in run: TrainingRun) throws

  /// Callbacks that are told in its place, and after it.
  var members: [any Callback] { get }

  /// By which a checkpoint knows it again, with its place among those of the same name: the type's unless it says
  /// otherwise.
  var name: String { get }

  /// What a resumed run needs to go on as if it had never ended; `nil` if nothing.
  func savedState() throws -> CallbackState?

  /// Takes back what ``savedState()`` gave.
  func restore(_ state: CallbackState) throws
}

extension Callback {
  public var members: [any Callback] { [] }
  public var name: String { "\(type(of: self))" }
  public func savedState() throws -> CallbackState? { nil }
  public func restore(_ state: CallbackState) throws {}
}

/// What a callback remembers, as a checkpoint holds it.
public struct CallbackState: Sendable {
  /// JSON.
  public var values: Data
  public var tensors: [String: Tensor]

  public init(_ values: some Encodable, tensors: [String: Tensor] = [:]) throws {
    self.values = try JSONEncoder().encode(values)
    self.tensors = tensors
  }

  init(values: Data, tensors: [String: Tensor]) {
    self.values = values
    self.tensors = tensors
  }

  public func decode<Values: Decodable>(_ type: Values.Type) throws -> Values {
    try JSONDecoder().decode(type, from: values)
  }
}

/// A callback of one closure.
public final class EventCallback: Callback {
  private let body: (TrainingEvent, TrainingRun) throws -> Void

  public init(_ body: @escaping (TrainingEvent, TrainingRun) throws -> Void) { self.body = body }

  public func on(_ event: TrainingEvent, in run: TrainingRun) throws { try body(event, run) }
}

extension Callback where Self == EventCallback {
  /// Calls a closure with every event.
  public static func onEvent(_ body: @escaping (TrainingEvent, TrainingRun) throws -> Void) -> EventCallback {
    EventCallback(body)
  }
}
