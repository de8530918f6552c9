import CajalTensor

// How well scores order what is of a class before what is not. Everything is kept, and sorted at the end: exact, not
// by thresholds.
//
// **Shapes**: as of the other metrics of classes; for several the mean over them, each against the rest. Classes of
// which there are no examples, or nothing but, do not count; where there is no other, and where a score is no number,
// the result is NaN.

extension Metric {
  /// The area under the receiver operating characteristic: how probable it is that an example of the class scores
  /// higher than one of the rest, ties counting half. Fawcett 2006.
  public static let auc = ranking("auc") { ranked in
    // Ranks by Mann and Whitney 1947: pairs that lie right, from the lowest score up.
    var (below, pairs) = (0.0, 0.0)
    for group in ranked.reversed() {
      pairs += Double(group.positives) * (below + 0.5 * Double(group.negatives))
      below += Double(group.negatives)
    }
    return pairs / (ranked.positives * ranked.negatives)
  }

  /// The mean of the precisions at each recall: Σ (Rₙ − Rₙ₋₁) Pₙ, from the highest score down.
  public static let averagePrecision = ranking("averagePrecision") { ranked in
    var (found, seen, sum) = (0.0, 0.0, 0.0)
    for group in ranked {
      found += Double(group.positives)
      seen += Double(group.positives + group.negatives)
      sum += Double(group.positives) * found / seen
    }
    return sum / ranked.positives
  }

  private static func ranking(_ name: String, _ area: @escaping @Sendable ([Ranked]) -> Double) -> Metric {
    Metric(name, merging: .concatenation) { outputs, targets in
      let classes = Classes(name, outputs, targets)
      // One class against the rest: what is compared are probabilities.
      let scores = classes.count == 1 ? classes.scores : classes.scores.double.softmax()
      return [scores, classes.actual]
    } result: { state in
      let classes = state[0].shape[-1]
      let scores = try state[0].scalars(Double.self)
      let labels = try state[1].scalars(Int.self)
      let areas = (0..<classes).map { column in
        let isPositive = classes == 1 ? 1 : column
        return area(
          Ranked.groups(labels.indices.map { (scores[$0 * classes + column], labels[$0] == isPositive) }))
      }
      let known = areas.filter { !$0.isNaN }
      return Tensor(scalar: known.reduce(0, +) / Double(known.count), dtype: .float64)
    }
  }
}

/// Examples of one score.
struct Ranked {
  var positives = 0
  var negatives = 0

  /// From the highest score down.
  static func groups(_ examples: [(score: Double, isPositive: Bool)]) -> [Ranked] {
    if examples.contains(where: { $0.score.isNaN }) { return [] }
    var groups: [Ranked] = []
    var last = Double.nan
    for (score, isPositive) in examples.sorted(by: { $0.score > $1.score }) {
      if score != last { groups.append(Ranked()) }
      last = score
      if isPositive {
        groups[groups.count - 1].positives += 1
      } else {
        groups[groups.count - 1].negatives += 1
      }
    }
    return groups
  }
}

extension [Ranked] {
  fileprivate var positives: Double { Double(reduce(0) { $0 + $1.positives }) }
  fileprivate var negatives: Double { Double(reduce(0) { $0 + $1.negatives }) }
}
