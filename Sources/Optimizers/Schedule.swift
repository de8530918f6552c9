import Foundation

/// How the learning rate changes over a run: a factor for each step, which is multiplied on an optimizer's own rate.
///
/// ```swift
/// let schedule = Schedule.warmUp(500).then(.cosine())
/// for step in 0..<total {
///   optimizer.learningRate = rate * schedule.factor(step: step, of: total)
/// }
/// ```
/// Lengths are steps; one that is not said is the run's, or what is left of it behind ``then(_:)``. Factors are those
/// of PyTorch's schedules where it has them.
public struct Schedule: Sendable {
  private let body: @Sendable (_ step: Double, _ total: Double) -> Double
  /// How many steps it takes of those that there are; `nil` for all.
  private let length: Double?

  /// A schedule of your own, from the number of the step (the first is 0) and how many there are.
  public init(_ factor: @escaping @Sendable (_ step: Int, _ total: Int) -> Double) {
    self.init(length: nil) { factor(Int($0), Int($1)) }
  }

  private init(length: Double?, _ body: @escaping @Sendable (_ step: Double, _ total: Double) -> Double) {
    self.length = length
    self.body = body
  }

  private init(over length: Int?, _ body: @escaping @Sendable (_ step: Double, _ length: Double) -> Double) {
    let own = length.map { Double(max(1, $0)) }
    self.init(length: own) { body($0, own ?? max(1, $1)) }
  }

  /// The factor of a step, of which the first is 0.
  public func factor(step: Int, of total: Int) -> Double { body(Double(step), Double(total)) }

  /// Whether its factors are others in a run of another length.
  public var dependsOnTotal: Bool {
    [0, 1, 10, 100, 1000].contains { factor(step: $0, of: 2000) != factor(step: $0, of: 1_000_000) }
  }

  // MARK: Together

  /// This schedule as long as it takes, and `next` behind it, which counts from there.
  public func then(_ next: Schedule) -> Schedule {
    Schedule(length: length.flatMap { own in next.length.map { own + $0 } }) { [self] step, total in
      let own = length ?? total
      return step < own ? body(step, total) : next.body(step - own, max(0, total - own))
    }
  }

  /// Both at once: the product of their factors.
  public static func * (left: Schedule, right: Schedule) -> Schedule {
    let length = left.length.flatMap { own in right.length.map { max(own, $0) } }
    return Schedule(length: length) { left.body($0, $1) * right.body($0, $1) }
  }

  public static func * (factor: Double, schedule: Schedule) -> Schedule { .constant(factor) * schedule }

  // MARK: One by one

  /// One factor, `over` some steps or all.
  public static func constant(_ factor: Double = 1, over length: Int? = nil) -> Schedule {
    Schedule(over: length) { _, _ in factor }
  }

  /// From nothing to 1 in a straight line: step t of `length` has (t + 1) / length, so that the first one learns
  /// something. Goyal et al. 2017.
  public static func warmUp(_ length: Int) -> Schedule {
    Schedule(over: length) { step, length in min(1, (step + 1) / length) }
  }

  /// Times `factor` every `period` steps.
  public static func step(every period: Int, by factor: Double = 0.1) -> Schedule {
    Schedule(over: nil) { step, _ in pow(factor, (step / Double(max(1, period))).rounded(.down)) }
  }

  /// Times `factor` at each of `milestones`.
  public static func multiStep(at milestones: [Int], by factor: Double = 0.1) -> Schedule {
    Schedule(over: nil) { step, _ in pow(factor, Double(milestones.count { Double($0) <= step })) }
  }

  /// factorᵗ; `every` so many steps once, smoothly.
  public static func exponential(by factor: Double, every period: Int = 1) -> Schedule {
    Schedule(over: nil) { step, _ in pow(factor, step / Double(max(1, period))) }
  }

  /// (1 − t / length)ᵖ, from 1 to 0, which it stays.
  public static func polynomial(power: Double = 1, over length: Int? = nil) -> Schedule {
    Schedule(over: length) { step, length in pow(1 - min(1, step / length), power) }
  }

  /// From one factor to another in a straight line.
  public static func linear(from start: Double = 1, to end: Double = 0, over length: Int? = nil) -> Schedule {
    Schedule(over: length) { step, length in start + (end - start) * min(1, step / length) }
  }

  /// Half a wave from 1 down to `end`: end + (1 − end) (1 + cos(π t / length)) / 2. Loshchilov and Hutter 2017.
  ///
  /// Behind its length it rises again, as in PyTorch; ``then(_:)`` says what else should come there.
  public static func cosine(to end: Double = 0, over length: Int? = nil) -> Schedule {
    Schedule(over: length) { step, length in wave(step / length, from: 1, to: end) }
  }

  /// Cosines that begin anew, the first of `first` steps and each next one `growth` times as long. Loshchilov and Hutter
  /// 2017, "SGDR".
  public static func cosineRestarts(first: Int, growth: Int = 1, to end: Double = 0) -> Schedule {
    Schedule(over: nil) { step, _ in
      var (position, length) = (step, Double(max(1, first)))
      if growth <= 1 { return wave((position / length).truncatingRemainder(dividingBy: 1), from: 1, to: end) }
      while position >= length {
        position -= length
        length *= Double(growth)
      }
      return wave(position / length, from: 1, to: end)
    }
  }

  /// Up to 1 in the first part of the run and far down in the rest, both half waves: Smith and Topin 2018.
  ///
  /// - Parameters:
  ///   - rise: the part of the steps that go up.
  ///   - start: the first factor.
  ///   - end: the last one.
  public static func oneCycle(
    rise: Double = 0.3, from start: Double = 1 / 25, to end: Double = 1 / 25e4, over length: Int? = nil
  ) -> Schedule {
    Schedule(over: length) { step, length in
      let (top, last) = (rise * length - 1, length - 1)
      if step < top { return wave(step / top, from: start, to: 1) }
      return last <= top ? end : wave(min(1, (step - top) / (last - top)), from: 1, to: end)
    }
  }

  /// Up from `low` to 1 and down again, in straight lines, again and again: Smith 2017. With `halving` each peak is half
  /// as high above `low` as the one before.
  public static func cyclic(from low: Double, up: Int, down: Int? = nil, halving: Bool = false) -> Schedule {
    let (rise, fall) = (Double(max(1, up)), Double(max(1, down ?? up)))
    return Schedule(over: nil) { step, _ in
      let cycle = (step / (rise + fall)).rounded(.down)
      let position = step - cycle * (rise + fall)
      let height = position < rise ? position / rise : 1 - (position - rise) / fall
      return low + (1 - low) * height * (halving ? pow(0.5, cycle) : 1)
    }
  }

  /// Factors by where they begin, `[0: 1, 100: 0.1]`: each holds until the next one's step, or leads there in a straight
  /// line. Before the first one it is the first.
  public static func piecewise(_ points: KeyValuePairs<Int, Double>, isLinear: Bool = false) -> Schedule {
    let points = points.map { (step: Double($0.key), factor: $0.value) }.sorted { $0.step < $1.step }
    return Schedule(over: nil) { step, _ in
      guard let index = points.lastIndex(where: { $0.step <= step }) else { return points.first?.factor ?? 1 }
      let here = points[index]
      guard isLinear, index + 1 < points.count else { return here.factor }
      let next = points[index + 1]
      return here.factor + (next.factor - here.factor) * (step - here.step) / (next.step - here.step)
    }
  }

  /// Half a cosine from one number to another; `position` from 0 to 1.
  private static func wave(_ position: Double, from start: Double, to end: Double) -> Double {
    end + (start - end) * (1 + cos(.pi * position)) / 2
  }
}
