import CajalBase
import CajalEngine
import CajalOperations
import CajalTensor

// What may be done with gradients before a step. Each function uses up the gradients that it is called on: what
// nobody holds any more is computed in the same pass as the step.

extension Gradients {
  /// These gradients with each replaced by what `transform` makes of it, which must keep its shape and dtype.
  public func map(_ transform: (Tensor) -> Tensor) -> Gradients { mapByParameter { transform($1) } }

  /// These gradients with each replaced by what `transform` makes of it and of the parameter it belongs to.
  ///
  /// ```swift
  /// gradients.mapByParameter { parameter, gradient in
  ///   parameter.path.hasSuffix("bias") ? gradient * 2 : gradient
  /// }
  /// ```
  public func mapByParameter(_ transform: (_ parameter: Parameter, _ gradient: Tensor) -> Tensor) -> Gradients {
    using { content in
      for index in content.tensors.indices {
        let (parameter, gradient) = content.tensors[index]
        content.tensors[index].gradient = transform(parameter, gradient)
      }
    }
  }

  /// These gradients times a number: the mean of several passes, a loss that was scaled.
  public func scaled(by factor: Double) -> Gradients { map { $0 * $0.data(factor).cast(to: $0.dtype) } }

  // MARK: Clipping

  /// ‖g‖₂ of all gradients as one vector: a scalar, float32 at least. To be read before the gradients are used.
  public var globalNorm: Tensor { read(Gradients.norm) }

  /// These gradients times min(1, limit / (‖g‖₂ + 10⁻⁶)): no longer than `limit`, in the same direction. The small
  /// number is PyTorch's.
  ///
  /// Pascanu et al. 2013, "On the difficulty of training recurrent neural networks".
  public func clipped(toGlobalNorm limit: Double) -> Gradients {
    using { content in
      let norm = Gradients.norm(content.tensors.map(\.gradient))
      let factor = minimum(norm.data(limit) / (norm + 1e-6), 1)
      for index in content.tensors.indices {
        content.tensors[index].gradient = content.tensors[index].gradient.map(factor) { $0 * $1.cast(to: $0.dtype) }
      }
    }
  }

  /// These gradients, each number brought into `range`.
  public func clipped(to range: ClosedRange<Double>) -> Gradients { map { $0.clamped(to: range) } }

  private static func norm(_ tensors: [Tensor]) -> Tensor {
    tensors.reduce(Tensor.zeros([])) { total, gradient in
      let wide = gradient.dtype == .float64 ? gradient : gradient.cast(to: .float32)
      return total + wide.squared().sum()
    }.sqrt()
  }

  // MARK: Steps that must not happen

  /// Whether no gradient has a NaN or an infinity: a scalar bool. To be read before the gradients are used.
  public var areFinite: Tensor { read(Gradients.areFinite) }

  /// These gradients, for a step that happens only if none of them has a NaN or an infinity: it leaves everything as
  /// it is otherwise, what the optimizer knows too.
  ///
  /// - Parameter loss: must be finite too, if there is one.
  public func skippingNonFinite(of loss: Tensor? = nil) -> Gradients {
    using { content in
      content.require(Gradients.areFinite(content.tensors.map(\.gradient) + (loss.map { [$0] } ?? [])))
    }
  }

  private static func areFinite(_ tensors: [Tensor]) -> Tensor {
    tensors.reduce(Tensor(true)) { $0 & $1.isFinite().all() }
  }

  // MARK: Several passes

  /// The sum of the gradients of two passes; a parameter that one of them did not read keeps the other's.
  ///
  /// Uses up both, and sets what they come from going: passes may be many, and no graph grows.
  public static func + (left: Gradients, right: Gradients) -> Gradients {
    let sum = left.using { content in
      switch right.take() {
      case .success(let other): content.add(other)
      case .failure(let error):
        for index in content.tensors.indices { content.tensors[index].gradient = Tensor(error: error) }
      }
    }
    if case .success(let content) = sum.content {
      Engine.shared.step([], content.tensors.map(\.gradient.value), with: right.scope)
    }
    return sum
  }

  public static func += (left: inout Gradients, right: Gradients) { left = left + right }
}

extension Gradients.Content {
  fileprivate mutating func require(_ flag: Tensor) { condition = condition.map { $0 & flag } ?? flag }

  fileprivate mutating func add(_ other: Gradients.Content) {
    var positions: [ObjectIdentifier: Int] = [:]
    for (index, entry) in tensors.enumerated() { positions[ObjectIdentifier(entry.parameter)] = index }
    for (parameter, gradient) in other.tensors {
      if let index = positions[ObjectIdentifier(parameter)] {
        tensors[index].gradient += gradient
      } else {
        tensors.append((parameter, gradient))
      }
    }
    if let flag = other.condition { require(flag) }
    for effect in other.effects {
      // The later one began with what the earlier one left.
      if let index = effects.firstIndex(where: { $0.parameter === effect.parameter }) {
        effects[index] = Effect(parameter: effect.parameter, old: effects[index].old, new: effect.new)
      } else {
        effects.append(effect)
      }
    }
  }
}
