import CajalBase
import CajalIR
import Foundation

// Stages that work on each element, and how that work is done.

extension Dataset {
  /// What `transform` makes of each element.
  ///
  /// Random draws in it are keyed by the seed around the pass, the epoch and the element's place: the same
  /// whichever thread works on it. What it throws ends the pass.
  public func map<Result: Sendable>(
    _ transform: @escaping @Sendable (Element) throws -> Result
  ) -> Dataset<Result> {
    map(workers: 0, transform)
  }

  /// As ``map(_:)``, on `workers` threads that work ahead of the reader; the order is kept.
  public func map<Result: Sendable>(
    workers: Int, _ transform: @escaping @Sendable (Element) throws -> Result
  ) -> Dataset<Result> {
    let depth = depth
    return mapped(workers) { epoch in
      let draws = Draws(epoch: epoch, depth: depth)
      return { element, index in try draws.scope(of: index).run { try transform(element) } }
    }
  }

  /// What `transform` makes of each element with random numbers of its own: draws of (`seed`, epoch, the element's
  /// place).
  ///
  /// ```swift
  /// let noisy = clean.map(seed: 7) { x, generator in x + Tensor.normal(x.shape, generator: generator) }
  /// ```
  public func map<Result: Sendable>(
    seed: UInt64, workers: Int = 0, _ transform: @escaping @Sendable (Element, Generator) throws -> Result
  ) -> Dataset<Result> {
    mapped(workers) { epoch in
      let draws = Draws(epoch: epoch, seed: seed)
      return { element, index in
        let scope = draws.scope(of: index)
        return try scope.run { try transform(element, scope.generator) }
      }
    }
  }

  private func mapped<Result: Sendable>(
    _ count: Int, _ open: @escaping @Sendable (_ epoch: Int) -> @Sendable (Element, _ index: Int) throws -> Result
  ) -> Dataset<Result> {
    // Some that each worker can go on with while the reader is busy.
    let more = Workers(count: count, ahead: 4 * Swift.max(0, count))
    switch opening {
    case .indexed(let workers, let openIndexed):
      return Dataset<Result>(
        count: self.count, depth: depth + 1,
        .indexed(workers.joined(more)) { epoch in
          let indexed = try openIndexed(epoch)
          let transform = open(epoch)
          return Indexed(count: indexed.count) { try transform(try indexed.element($0), $0) }
        })
    case .streamed(let openStream):
      return Dataset<Result>(
        count: self.count, depth: depth + 1,
        .streamed { epoch, position in
          let transform = open(epoch)
          let numbered: @Sendable () throws -> Pull<(Element, Int)> = {
            let pull = try openStream(epoch, position)
            var index = position
            return {
              defer { index += 1 }
              return try pull().map { ($0, index) }
            }
          }
          if more.count > 0 { return OrderedWorkers.pull(more, from: numbered) { try transform($0.0, $0.1) } }
          let pull = try numbered()
          return { try pull().map { try transform($0.0, $0.1) } }
        })
    }
  }

  /// The elements that `isIncluded` holds for, as a stream.
  public func filter(_ isIncluded: @escaping @Sendable (Element) throws -> Bool) -> Dataset {
    Dataset(
      count: nil, depth: depth,
      .streamed { epoch, position in
        let pull = try open(epoch: epoch, from: 0)
        let filtered: Pull<Element> = {
          while let element = try pull() { if try isIncluded(element) { return element } }
          return nil
        }
        for _ in 0..<position where try filtered() == nil { break }
        return filtered
      })
  }

  /// Keeps `count` elements ready: a thread works on the next ones while the reader is busy with one.
  public func prefetched(_ count: Int = 2) -> Dataset {
    let one = Workers(count: 1, ahead: Swift.max(1, count))
    switch opening {
    case .indexed(let workers, let open):
      return Dataset(count: self.count, depth: depth, .indexed(workers.joined(one), open))
    case .streamed(let open):
      return Dataset(
        count: self.count, depth: depth,
        .streamed { epoch, position in OrderedWorkers.pull(one, from: { try open(epoch, position) }) { $0 } })
    }
  }

  /// Keeps the elements of the first pass (of epoch 0) in memory, whole: later passes read and map no more, and
  /// what follows is a data set in memory.
  public func cached() -> Dataset {
    let cache = Locked<[Element]?>(nil)
    return Dataset(
      count: count, depth: depth,
      .indexed(.none) { _ in
        let kept = try cache.withLock { kept in
          if let kept { return kept }
          let read = try elements()
          kept = read
          return read
        }
        return Indexed(count: kept.count) { kept[$0] }
      })
  }
}

/// The scopes in which a stage of one pass works: one for each sample, with a generator of its own.
private struct Draws: Sendable {
  private let scope = Scope.current.with(differentiation: .some(nil))
  private let key: UInt64

  init(epoch: Int, depth: Int) {
    self.init(epoch: epoch, seed: Philox.derive(Scope.current.generator.key, UInt64(depth)))
  }

  init(epoch: Int, seed: UInt64) { key = Philox.derive(seed, epoch: epoch) }

  func scope(of sample: Int) -> Scope {
    scope.with(generator: Generator(key: Philox.derive(key, UInt64(sample))))
  }
}

extension Philox {
  /// The key of a pass.
  static func derive(_ seed: UInt64, epoch: Int) -> UInt64 { derive(seed, UInt64(bitPattern: Int64(epoch))) }
}
