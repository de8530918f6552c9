import CajalTensor

/// The search for the length of one move, along which the loss is a function of one number.
struct Line {
  let space: ParameterSpace
  let start: Tensor
  let direction: Tensor
  /// A bracket that moves no parameter by more is narrow enough.
  let tolerance: Double
  /// Evaluations at most.
  let limit: Int

  // Nocedal and Wright 2006, section 3.1: the loss must fall by a ten-thousandth of what the first slope promises,
  // and a tenth of the slope be gone.
  private let decrease = 1e-4
  private let flattening = 0.9

  init(space: ParameterSpace, start: Tensor, direction: Tensor, tolerance: Double, limit: Int) {
    self.space = space
    self.start = start
    self.direction = direction
    self.tolerance = tolerance
    self.limit = limit
  }

  struct Trial {
    let length: Double
    let point: LBFGS.Point
    /// The gradient along the line.
    let slope: Double

    var loss: Double { point.loss }
  }

  private func attempt(_ length: Double) throws -> Trial {
    space.point = start + direction * length
    let point = try space.evaluate().point
    return Trial(length: length, point: point, slope: try point.gradient.dot(direction))
  }

  /// A point that fulfils the strong Wolfe conditions, or the best one met.
  func search(from origin: LBFGS.Point, slope: Double, length: Double) throws -> (trial: Trial, evaluations: Int) {
    let first = Trial(length: 0, point: origin, slope: slope)
    var (previous, next) = (first, try attempt(length))
    var count = 0
    while count < limit {
      if isTooHigh(next, first) || (count > 1 && next.loss >= previous.loss) { break }
      if isFlat(next, first) { return (next, count + 1) }
      if next.slope >= 0 { break }
      let nearest = next.length + 0.01 * (next.length - previous.length)
      let length = Line.cubicMinimum(previous, next, within: (nearest, next.length * 10))
      (previous, next) = (next, try attempt(length))
      count += 1
    }
    if count == limit { previous = first }
    return try zoom([previous, next], first, count)
  }

  private func isTooHigh(_ trial: Trial, _ first: Trial) -> Bool {
    trial.loss > first.loss + decrease * trial.length * first.slope
  }

  private func isFlat(_ trial: Trial, _ first: Trial) -> Bool { abs(trial.slope) <= -flattening * first.slope }

  /// Narrows a bracket that holds a good point.
  private func zoom(_ ends: [Trial], _ first: Trial, _ begun: Int) throws -> (trial: Trial, evaluations: Int) {
    var (bracket, count) = (ends, begun)
    // Which end is lower.
    var low = bracket[0].loss <= bracket[1].loss ? 0 : 1
    var wasNearAnEnd = false
    let reach = try direction.greatest()
    while count < limit, abs(bracket[1].length - bracket[0].length) * reach >= tolerance {
      let (left, right) = (min(bracket[0].length, bracket[1].length), max(bracket[0].length, bracket[1].length))
      var length = Line.cubicMinimum(bracket[0], bracket[1], within: (left, right))
      // Twice near an end is no progress: a tenth inside it then.
      let margin = 0.1 * (right - left)
      let isNearAnEnd = min(right - length, length - left) < margin
      if isNearAnEnd, wasNearAnEnd || length >= right || length <= left {
        length = abs(length - right) < abs(length - left) ? right - margin : left + margin
        wasNearAnEnd = false
      } else {
        wasNearAnEnd = isNearAnEnd
      }
      let new = try attempt(length)
      count += 1
      if isTooHigh(new, first) || new.loss >= bracket[low].loss {
        bracket[1 - low] = new
        low = bracket[0].loss <= bracket[1].loss ? 0 : 1
        continue
      }
      if isFlat(new, first) { return (new, count + 1) }
      if new.slope * (bracket[1 - low].length - bracket[low].length) >= 0 { bracket[1 - low] = bracket[low] }
      bracket[low] = new
    }
    return (bracket[low], count + 1)
  }

  /// Where the cubic through two points with their slopes is least, in the bounds; their middle where it has no minimum.
  private static func cubicMinimum(_ a: Trial, _ b: Trial, within bounds: (Double, Double)) -> Double {
    let (left, right) = a.length <= b.length ? (a, b) : (b, a)
    let d = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
    let square = d * d - a.slope * b.slope
    guard square >= 0 else { return (bounds.0 + bounds.1) / 2 }
    let root = square.squareRoot()
    let share = (right.slope + root - d) / (right.slope - left.slope + 2 * root)
    return min(max(right.length - (right.length - left.length) * share, bounds.0), bounds.1)
  }
}
