import CajalBase

/// Orders of examples that depend on nothing but (seed, epoch).
enum Permutation {
  /// Fisher and Yates's shuffle (Durstenfeld 1964) of 0..<count, drawn from Philox.
  static func make(_ count: Int, seed: UInt64, epoch: Int) -> [Int32] {
    var order = (0..<Int32(clamping: count)).map { $0 }
    let key = Philox.derive(seed, epoch: epoch)
    for last in stride(from: order.count - 1, to: 0, by: -1) {
      let word = Philox.word(key: key, stream: 0, index: UInt64(last))
      // ⌊word · (last + 1) / 2³²⌋: uniform to one part in 2³² / (last + 1).
      let other = Int((UInt64(word) * UInt64(last + 1)) >> 32)
      order.swapAt(last, other)
    }
    return order
  }
}

/// Ways to cut 0..<count into parts that share no index, each part with the same share of every stratum.
public enum Partition {
  /// The indices of each part, ascending.
  ///
  /// - Parameters:
  ///   - fractions: of each part, positive, at most 1 together.
  ///   - strata: a number for each index, such as its class; one stratum if `nil`.
  /// - Throws: ``TensorError`` where the fractions or the strata do not fit.
  public static func split(_ count: Int, _ fractions: [Double], strata: [Int]? = nil, seed: UInt64) throws -> [[Int]] {
    guard fractions.allSatisfy({ $0 >= 0 }), fractions.reduce(0, +) <= 1 + 1e-9 else {
      throw unusable(
        "split", "\(fractions) are no fractions of a whole", "Give numbers of at least 0, at most 1 in sum")
    }
    // The last one is what is left out.
    var parts = [[Int]](repeating: [], count: fractions.count + 1)
    // How far each part is behind its share.
    var owed = [Double](repeating: 0, count: fractions.count)
    for stratum in try shuffledStrata(count, strata, seed) {
      var taken = 0
      for part in fractions.indices {
        owed[part] += fractions[part] * Double(stratum.count)
        let size = Swift.max(0, Swift.min(stratum.count - taken, Int((owed[part] + 1e-9).rounded())))
        owed[part] -= Double(size)
        parts[part] += stratum[taken..<taken + size]
        taken += size
      }
      parts[fractions.count] += stratum[taken...]
    }
    settle(&parts, sizes(count, fractions))
    return parts.dropLast().map { $0.sorted() }
  }

  /// How many indices each part has, whatever the strata, and how many are left out.
  static func sizes(_ count: Int, _ fractions: [Double]) -> [Int] {
    var left = count
    let sizes = fractions.map { fraction in
      let share = (fraction * Double(count) + 1e-9).rounded()
      let size = share > 0 ? Int(Swift.min(share, Double(left))) : 0
      left -= size
      return size
    }
    return sizes + [left]
  }

  /// Moves what small strata brought into the wrong part: sizes depend on the fractions alone.
  private static func settle(_ parts: inout [[Int]], _ sizes: [Int]) {
    for part in parts.indices {
      while parts[part].count > sizes[part], let other = parts.indices.first(where: { parts[$0].count < sizes[$0] }) {
        parts[other].append(parts[part].removeLast())
      }
    }
  }

  /// `folds` parts of sizes that differ by at most one, the indices ascending: each is once what is tested with, the
  /// others are what is trained on.
  ///
  /// - Throws: ``TensorError`` for fewer than 2 folds, or more than indices.
  public static func folds(_ count: Int, _ folds: Int, strata: [Int]? = nil, seed: UInt64) throws -> [[Int]] {
    guard 2...Swift.max(2, count) ~= folds, count >= 2 else {
      throw unusable("folds", "\(count) examples cannot be cut into \(folds) folds", "Ask for 2 to \(count)")
    }
    var parts = [[Int]](repeating: [], count: folds)
    var next = 0
    for index in try shuffledStrata(count, strata, seed).joined() {
      parts[next % folds].append(index)
      next += 1
    }
    return parts.map { $0.sorted() }
  }

  /// Equal things to equal numbers, in the order of their first appearance.
  static func numbered(_ things: [some Hashable]) -> [Int] {
    var numbers: [AnyHashable: Int] = [:]
    return things.map { thing in
      let number = numbers[thing] ?? numbers.count
      numbers[thing] = number
      return number
    }
  }

  private static func shuffledStrata(_ count: Int, _ strata: [Int]?, _ seed: UInt64) throws -> [[Int]] {
    guard strata == nil || strata?.count == count else {
      throw unusable("split", "\(strata?.count ?? 0) strata were given for \(count) examples", "Give each one")
    }
    var members: [Int: [Int]] = [:]
    for index in 0..<count { members[strata?[index] ?? 0, default: []].append(index) }
    return members.sorted { $0.key < $1.key }.map { stratum, indices in
      Permutation.make(indices.count, seed: seed, epoch: stratum).map { indices[Int($0)] }
    }
  }
}
