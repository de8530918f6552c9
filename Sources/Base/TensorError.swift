import Foundation
import Synchronization

/// What went wrong with a tensor: thrown by whatever reads it.
public struct TensorError: Error, Sendable, CustomStringConvertible {
  public enum Kind: Sendable, Hashable {
    /// Shapes that do not fit an operation.
    case shape
    /// A dtype that an operation does not take.
    case dtype
    /// An index, label or axis out of range.
    case index
    /// Tensors of different devices in one operation, or a device that is not there.
    case device
    /// No memory, or more than the machine could ever have.
    case memory
    /// A NaN or an infinity where none may be.
    case notFinite
    /// Differentiation through history that was released, or gradients used twice.
    case gradient
    /// A value asked for that is not known yet, inside the body of a scan.
    case symbolic
    /// A file or a batch that could not be read.
    case input
    /// A backend failed.
    case backend
  }

  public var kind: Kind
  /// The operation's name in the catalogue.
  public var operation: String
  /// The operands' types, where the operation had any.
  public var operands: [TensorType]
  /// What is wrong.
  public var problem: String
  /// What to do about it.
  public var remedy: String
  /// The user's line: `function at file:line`. Found when asked for.
  public var site: String? { callSite?.text }
  private var callSite: CallSite?
  /// The path of the module that recorded the operation.
  public var module: String?

  public init(
    _ kind: Kind, operation: String, operands: [TensorType] = [], _ problem: String, remedy: String,
    site: CallSite? = nil, module: String? = nil
  ) {
    self.kind = kind
    self.operation = operation
    self.operands = operands
    self.problem = problem
    self.remedy = remedy
    callSite = site
    self.module = module
  }

  public var description: String {
    var text = "\(operation): \(problem)"
    if !operands.isEmpty { text += " (operands: \(operands.map(\.description).joined(separator: ", ")))" }
    text += ". \(remedy)."
    if let module { text += " In module \(module)." }
    if let site { text += " Recorded in \(site)." }
    return text
  }
}

extension TensorError: LocalizedError {
  public var errorDescription: String? { description }
}

/// An error that waits for a reader, and knows whether one has seen it.
///
/// A failed step leaves the weights as they were; the first read of anything that
/// descends from it throws, the reads after that work again.
public final class DeferredError: Sendable {
  public let error: TensorError
  private let seen = Atomic<Bool>(false)

  public init(_ error: TensorError) { self.error = error }

  public var isReported: Bool { seen.load(ordering: .acquiring) }

  /// Marks the error as seen; true for the first caller alone.
  public func report() -> Bool { !seen.exchange(true, ordering: .acquiringAndReleasing) }
}

/// What an operation's rules throw: no names, which the recorder adds.
public struct Mismatch: Error {
  public var kind: TensorError.Kind
  public var problem: String
  public var remedy: String

  public init(_ kind: TensorError.Kind, _ problem: String, remedy: String) {
    self.kind = kind
    self.problem = problem
    self.remedy = remedy
  }

  public static func shape(_ problem: String, remedy: String) -> Mismatch { Mismatch(.shape, problem, remedy: remedy) }
  public static func dtype(_ problem: String, remedy: String) -> Mismatch { Mismatch(.dtype, problem, remedy: remedy) }
  public static func index(_ problem: String, remedy: String) -> Mismatch { Mismatch(.index, problem, remedy: remedy) }
}
