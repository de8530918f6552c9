// Stages that make one data set of several.

extension Dataset {
  /// Pairs of this one's elements and the other's, as many as the shorter has.
  public func zipped<Other: Sendable>(with other: Dataset<Other>) -> Dataset<(Element, Other)> {
    var count: Int?
    if let mine = self.count, let others = other.count { count = Swift.min(mine, others) }
    let depth = Swift.max(depth, other.depth)
    if case .indexed(let workers, let open) = opening, case .indexed(let more, let openOther) = other.opening {
      return Dataset<(Element, Other)>(
        count: count, depth: depth,
        .indexed(workers.joined(more)) { epoch in
          let (first, second) = (try open(epoch), try openOther(epoch))
          return Indexed(count: Swift.min(first.count, second.count)) {
            (try first.element($0), try second.element($0))
          }
        })
    }
    return Dataset<(Element, Other)>(
      count: count, depth: depth,
      .streamed { epoch, position in
        let pull = try open(epoch: epoch, from: position)
        let pullOther = try other.open(epoch: epoch, from: position)
        return {
          guard let element = try pull(), let paired = try pullOther() else { return nil }
          return (element, paired)
        }
      })
  }

  /// This one's elements, then the other's.
  public func concatenated(with other: Dataset) -> Dataset {
    var count: Int?
    if let mine = self.count, let others = other.count { count = mine + others }
    let depth = Swift.max(depth, other.depth)
    if case .indexed(let workers, let open) = opening, case .indexed(let more, let openOther) = other.opening {
      return Dataset(
        count: count, depth: depth,
        .indexed(workers.joined(more)) { epoch in
          let (first, second) = (try open(epoch), try openOther(epoch))
          return Indexed(count: first.count + second.count) {
            $0 < first.count ? try first.element($0) : try second.element($0 - first.count)
          }
        })
    }
    return .interleaved([self, other], block: .max)
  }

  /// `block` elements of each in turn; one that has ended is left out from then on.
  public static func interleaved(_ parts: [Dataset], block: Int = 1) -> Dataset {
    let counts = parts.compactMap(\.count)
    let block = Swift.max(1, block)
    return Dataset(
      count: counts.count == parts.count ? counts.reduce(0, +) : nil, depth: parts.map(\.depth).max() ?? 0,
      .streamed { epoch, position in
        // Opened when their turn comes: a file after the other.
        var waiting = parts.map { part in (part: part, pull: Pull<Element>?.none) }
        var (turn, given) = (0, 0)
        let pull: Pull<Element> = {
          while !waiting.isEmpty {
            if given == block { (turn, given) = ((turn + 1) % waiting.count, 0) }
            let current = try waiting[turn].pull ?? waiting[turn].part.open(epoch: epoch, from: 0)
            waiting[turn].pull = current
            if let element = try current() {
              given += 1
              return element
            }
            waiting.remove(at: turn)
            (turn, given) = (turn < waiting.count ? turn : 0, 0)
          }
          return nil
        }
        for _ in 0..<position where try pull() == nil { break }
        return pull
      })
  }

  /// `times` passes in a row, each an epoch of its own; without end if `nil`.
  public func repeated(_ times: Int? = nil) -> Dataset {
    let times = times.map { Swift.max(0, $0) }
    var count: Int?
    if let one = self.count, let times { count = one * times }
    return Dataset(
      count: count, depth: depth,
      .streamed { epoch, position in
        // Without end there is one epoch; others get numbers that it does not come to.
        let first = times.map { epoch &* $0 } ?? epoch << 32
        var (round, start, skipped) = (0, 0, position)
        if let one = self.count, one > 0 { (round, start, skipped) = (position / one, position % one, 0) }
        var pull: Pull<Element>?
        var isEmpty = false
        return {
          while !isEmpty, times.map({ round < $0 }) ?? true {
            let current = try pull ?? open(epoch: first &+ round, from: start)
            // A pass that begins with its end has nothing to repeat.
            isEmpty = pull == nil
            pull = current
            while let element = try current() {
              isEmpty = false
              if skipped == 0 { return element }
              skipped -= 1
            }
            pull = nil
            start = 0
            round += 1
          }
          return nil
        }
      })
  }
}
