import CajalBase

// Stages that say which elements come, and in which order.

extension Dataset {
  /// The elements in an order that depends on (`seed`, epoch) alone.
  ///
  /// - Parameter buffer: of a stream, how many elements are held to draw from; in memory all are drawn from, and
  ///   nothing is held.
  public func shuffled(seed: UInt64, buffer: Int = 10_000) -> Dataset {
    switch opening {
    case .indexed(let workers, let open):
      return Dataset(
        count: count, depth: depth,
        .indexed(workers) { epoch in
          let indexed = try open(epoch)
          let order = Permutation.make(indexed.count, seed: seed, epoch: epoch)
          return Indexed(count: indexed.count) { try indexed.element(Int(order[$0])) }
        })
    case .streamed(let open):
      return Dataset(
        count: count, depth: depth,
        .streamed { epoch, position in
          var shuffle = BufferShuffle(
            try open(epoch, 0), size: Swift.max(1, buffer), key: Philox.derive(seed, epoch: epoch))
          for _ in 0..<position where try shuffle.next() == nil { break }
          return { try shuffle.next() }
        })
    }
  }

  /// `count` draws with replacement, each element in proportion to its weight, anew in each epoch. Of a data set in
  /// memory; a stream must be `cached()` first.
  ///
  /// - Parameters:
  ///   - weights: one for each element, none negative, one positive.
  ///   - count: draws in a pass; as many as there are elements if `nil`.
  public func weighted(by weights: [Double], seed: UInt64, count: Int? = nil) -> Dataset {
    var sums: [Double] = []
    for weight in weights { sums.append((sums.last ?? 0) + weight) }
    let (bounds, total) = (sums, sums.last ?? 0)
    let isSound = total > 0 && total.isFinite && weights.allSatisfy { $0 >= 0 }
    return selecting("weighted", count: count ?? weights.count) { available, epoch in
      guard weights.count == available, isSound else {
        throw unusable(
          "weighted", "\(weights.count) weights that sum to \(total) were given for \(available) elements",
          "Give each element one that is 0 or more, and one of them more")
      }
      let key = Philox.derive(seed, epoch: epoch)
      return { draw in
        let words = Philox.block(key: key, stream: 0, block: UInt64(draw))
        // 53 random bits: all that a Double in 0..<1 holds.
        let bits = (UInt64(words.0) << 32 | UInt64(words.1)) >> 11
        return bounds.firstIndex(above: Double(bits) * 0x1p-53 * total)
      }
    }
  }

  /// Parts that share no element: `split([0.8, 0.2], seed: 1)`. Of a data set in memory; a stream must be
  /// `cached()` first.
  ///
  /// - Parameters:
  ///   - fractions: of each part; what they leave of 1 is left out.
  ///   - stratum: gives what each part shall have the same share of, such as the label.
  /// - Returns: a data set for each fraction, in the order of the elements.
  public func split<Stratum: Hashable>(
    _ fractions: [Double], seed: UInt64, stratifiedBy stratum: @escaping @Sendable (Element) throws -> Stratum
  ) -> [Dataset] {
    let plan = Locked<[[Int]]?>(nil)
    let parts: @Sendable (Int) throws -> [[Int]] = { available in
      try plan.withLock { plan in
        if let plan { return plan }
        let strata = Partition.numbered(try elements().map(stratum))
        let made = try Partition.split(available, fractions, strata: strata, seed: seed)
        plan = made
        return made
      }
    }
    let sizes = count.map { Partition.sizes($0, fractions) }
    return fractions.indices.map { part in
      selecting("split", count: sizes?[part], measured: { try parts($0)[part].count }) { available, _ in
        let chosen = try parts(available)[part]
        return { chosen[$0] }
      }
    }
  }

  /// As `split(_:seed:stratifiedBy:)`, without strata.
  public func split(_ fractions: [Double], seed: UInt64) -> [Dataset] {
    split(fractions, seed: seed) { _ in 0 }
  }

  /// The first `count` elements.
  public func prefix(_ count: Int) -> Dataset {
    let wanted = Swift.max(0, count)
    switch opening {
    case .indexed(let workers, let open):
      return Dataset(
        count: self.count.map { Swift.min($0, wanted) }, depth: depth,
        .indexed(workers) { epoch in
          let indexed = try open(epoch)
          return Indexed(count: Swift.min(indexed.count, wanted), element: indexed.element)
        })
    case .streamed(let open):
      return Dataset(
        count: self.count.map { Swift.min($0, wanted) }, depth: depth,
        .streamed { epoch, position in
          var left = wanted - position
          guard left > 0 else { return { nil } }
          let pull = try open(epoch, position)
          return {
            guard left > 0 else { return nil }
            left -= 1
            return try pull()
          }
        })
    }
  }

  /// All but the first `count` elements.
  public func skipping(_ count: Int) -> Dataset {
    let left = Swift.max(0, count)
    let rest = self.count.map { Swift.max(0, $0 - left) }
    switch opening {
    case .indexed(let workers, let open):
      return Dataset(
        count: rest, depth: depth,
        .indexed(workers) { epoch in
          let indexed = try open(epoch)
          return Indexed(count: Swift.max(0, indexed.count - left)) { try indexed.element($0 + left) }
        })
    case .streamed(let open):
      return Dataset(count: rest, depth: depth, .streamed { epoch, position in try open(epoch, position + left) })
    }
  }

  /// The elements that `choose` names, of a data set in memory.
  private func selecting(
    _ stage: String, count: Int?, measured: (@Sendable (_ available: Int) throws -> Int)? = nil,
    _ choose: @escaping @Sendable (_ available: Int, _ epoch: Int) throws -> @Sendable (Int) -> Int
  ) -> Dataset {
    guard case .indexed(let workers, let open) = opening else {
      return Dataset(
        count: nil, .streamed { _, _ in throw unusable(stage, "this data set is a stream", "Call cached() before") })
    }
    return Dataset(
      count: count, depth: depth,
      .indexed(workers) { epoch in
        let indexed = try open(epoch)
        let chosen = try choose(indexed.count, epoch)
        return Indexed(count: try measured?(indexed.count) ?? count ?? indexed.count) {
          try indexed.element(chosen($0))
        }
      })
  }
}

func unusable(_ stage: String, _ problem: String, _ remedy: String) -> TensorError {
  TensorError(.input, operation: stage, problem, remedy: remedy)
}

extension [Double] {
  /// The first index whose number is above `value`, of numbers that never fall; the last where there is none.
  fileprivate func firstIndex(above value: Double) -> Int {
    var (low, high) = (0, count - 1)
    while low < high {
      let middle = (low + high) / 2
      if self[middle] > value { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

/// Holds some elements of a stream and draws the next from them.
private struct BufferShuffle<Element> {
  private let pull: Pull<Element>
  private let size: Int
  private let key: UInt64
  private var held: [Element] = []
  private var isEnded = false
  private var draws: UInt64 = 0

  init(_ pull: @escaping Pull<Element>, size: Int, key: UInt64) {
    self.pull = pull
    self.size = size
    self.key = key
  }

  mutating func next() throws -> Element? {
    while !isEnded, held.count < size {
      guard let element = try pull() else {
        isEnded = true
        break
      }
      held.append(element)
    }
    guard !held.isEmpty else { return nil }
    let word = Philox.word(key: key, stream: 0, index: draws)
    draws += 1
    held.swapAt(Int((UInt64(word) * UInt64(held.count)) >> 32), held.count - 1)
    return held.removeLast()
  }
}
